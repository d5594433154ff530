"""`fireside say` as a process of its own, on the mock profile: a tone as long as its sentence."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from typer.testing import CliRunner, Result

from cli import app
from tests.waiting import looks

ROOT = Path(__file__).parent.parent
SAY = [sys.executable, "-W", "error", "-m", "cli", "say"]
HANG = {"FIRESIDE_SPEECH__MOCK__FAULT__KIND": "hang", "FIRESIDE_SPEECH__MOCK__FAULT__MATCH": "for ever"}
"""Of a sentence that says for ever 0.3 s are made, and no end."""


def environment(**more: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FIRESIDE_")}
    return {**ours, "FIRESIDE_PROFILE": "mock", "PYTHONPATH": str(ROOT), **more}


def say(*arguments: object, stdin: bytes = b"", folder: Path = ROOT, **more: str) -> subprocess.CompletedProcess[bytes]:
    command = [*SAY, *map(str, arguments)]
    return subprocess.run(command, input=stdin, env=environment(**more), cwd=folder, capture_output=True, timeout=90, check=False)


@contextmanager
def saying(*arguments: object, folder: Path = ROOT, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run in the making, and what it started; gone at the end whatever happens."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([*SAY, *map(str, arguments)], env=environment(**more), cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe)
    with process:
        try:
            yield process
        finally:
            process.kill()


def run(*arguments: object) -> Result:
    """In this process: quicker, for what makes no sound."""
    return CliRunner().invoke(app, ["say", *map(str, arguments)])


def refused(result: Result, *words: str) -> None:
    assert result.exit_code == 1, result.output
    assert len(result.stderr.splitlines()) == 1
    for word in words:
        assert word in result.stderr


def until(true: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait for what a run does; fails when it ends instead."""
    for _ in looks(every=0.01):
        if true():
            return
        assert process.poll() is None, process.communicate()
    raise AssertionError("it never came about")


def samples(data: bytes) -> np.ndarray:
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def player(folder: Path, name: str, script: str) -> dict[str, str]:
    """The environment in which there is this player, and no other."""
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    for tool in ("cat", "head"):
        if not (tools / tool).exists():
            (tools / tool).symlink_to(f"/usr/bin/{tool}")
    (tools / name).write_text("#!/bin/sh\n" + script.format(folder=shlex.quote(str(folder))) + "\n")
    (tools / name).chmod(0o755)
    return {"PATH": str(tools)}
