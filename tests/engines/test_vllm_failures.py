"""What happens to the text engine when its load fails, is called off, or the whole process group is told to end."""

from __future__ import annotations

import asyncio
import gc
import getpass
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

import settings
from models.errors import EngineFailed, WeightsError
from models.text.vllm import VllmEngine
from models.text.vllm_files import SOCKETS

PROFILE = settings.load("cpu").text
SHARED = Path("/dev/shm")
ROOT = Path(settings.__file__).parent.parent

pytestmark = [
    pytest.mark.engines,
    pytest.mark.anyio,
    pytest.mark.timeout(400),
    # torch and vLLM, on import: deprecations between their own modules.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
    pytest.mark.filterwarnings("ignore::FutureWarning:vllm"),
    # vLLM's client leaves the sockets of a load that failed to the garbage collector.
    pytest.mark.filterwarnings("ignore:Unclosed context:ResourceWarning"),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


def weights() -> Path:
    return Path(os.environ["FIRESIDE_HOME"]) / "models" / "smollm2-135m-instruct"


def engine(folder: Path, seconds: float = PROFILE.start_timeout, **args: object) -> VllmEngine:
    return VllmEngine("m", lambda: folder, PROFILE.model_copy(update={"args": {**PROFILE.args, **args}, "start_timeout": seconds}))


def children() -> list[str]:
    return [child.name for child in multiprocessing.active_children() if child.name.startswith("EngineCore")]


def _cores() -> list[psutil.Process]:
    return [psutil.Process(child.pid) for child in multiprocessing.active_children() if child.name.startswith("EngineCore")]


async def test_broken_weights_are_named_as_such(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(weights(), tmp_path / "m"))
    os.truncate(folder / "model.safetensors", 1_000_000)
    with pytest.raises(WeightsError, match="SafetensorError") as refusal:
        await engine(folder).start()
    assert "\n" not in str(refusal.value)
    assert not children()


async def test_too_little_memory_is_told_in_vllms_own_words() -> None:
    million = {"max_model_len": 1_000_000, "hf_overrides": {"max_position_embeddings": 1_000_000}}
    with pytest.raises(EngineFailed, match=r"ValueError: .*KV cache"):
        await engine(weights(), **million).start()
    assert not children()


@pytest.mark.parametrize("processes", [1, 2], ids=["at once", "when EngineCore has its worker"])
async def test_a_load_can_be_called_off(processes: int) -> None:
    before = set(psutil.Process().children(recursive=True))
    text = engine(weights())
    loading = asyncio.create_task(text.start())
    while len(started := _engines(before)) < processes:
        await asyncio.wait({loading}, timeout=0.1)
        assert not loading.done()
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert not children()
    _, alive = psutil.wait_procs(started, timeout=60)
    assert not alive


async def test_a_load_that_hangs_ends_and_leaves_nothing() -> None:
    text = engine(weights(), seconds=20)
    loading = asyncio.create_task(text.start())
    while not (cores := _cores()) and not loading.done():
        await asyncio.wait({loading}, timeout=0.05)
    for core in cores:
        core.suspend()
    with pytest.raises(EngineFailed, match=r"not ready within 20 s: raise text\.start_timeout"):
        await loading
    assert not children()


async def test_a_load_that_hangs_in_this_process_is_left_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no process to end, and a thread cannot be ended: a driver of a GPU may never come back."""
    from models.text import vllm, vllm_load

    hangs, goes_on, ended = Event(), Event(), Event()

    def load(*_: Any) -> Any:
        hangs.set()
        goes_on.wait(60)
        return SimpleNamespace(shutdown=lambda timeout: ended.set())

    monkeypatch.setattr(vllm_load, "load", load)
    monkeypatch.setattr(vllm, "GRACE", 0.5)
    text = engine(weights())
    loading = asyncio.create_task(text.start())
    assert await asyncio.to_thread(hangs.wait, 60)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    goes_on.set()
    assert await asyncio.to_thread(ended.wait, 60)
    assert text._llm is None


async def test_an_engine_that_dies_while_it_is_asked_something_at_the_load_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from models.text import vllm_load

    asked = vllm_load.leave_group

    async def dies(llm: Any) -> None:
        (core,) = _cores()
        core.suspend()  # it has no time to answer
        asking = asyncio.create_task(asked(llm))
        await asyncio.sleep(0)
        core.kill()
        await asking

    monkeypatch.setattr(vllm_load, "leave_group", dies)
    with pytest.raises(EngineFailed, match="m has died while it was loaded: EngineCore was killed by SIGKILL"):
        await engine(weights()).start()
    assert not children()


@pytest.fixture
def short_tmp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where this process makes its temporary files. The path of a socket is short: pytest's own folder would not do."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


async def test_a_killed_engine_is_told_as_such_and_leaves_nothing(short_tmp: Path) -> None:
    text = engine(weights(), max_num_queued_reqs=1)  # its warm-up asks for no more either
    await text.start()
    try:
        assert any(name.count("-") == 4 for name in _files(short_tmp))
        core = psutil.Process(multiprocessing.active_children()[0].pid)
        trackers = [process for process in core.children() if "resource_tracker" in " ".join(process.cmdline())]
        assert len(trackers) == 1
        shared = _mapped([core, *core.children(recursive=True)])
        assert shared
        core.kill()
        assert await asyncio.wait_for(text.died(), 60) == "EngineCore was killed by SIGKILL"
    finally:
        await text.stop()
    await asyncio.to_thread(psutil.wait_procs, trackers, 30)
    assert not shared & _files(SHARED)
    assert _files(short_tmp) <= {f"torchinductor_{getpass.getuser()}"}  # torch's, to be kept
    assert (SOCKETS in os.environ, os.environ["TMPDIR"]) == (False, str(short_tmp))


def _mapped(processes: list[psutil.Process]) -> set[str]:
    """What they share; other tests have engines of their own meanwhile."""
    paths = (Path(mapped.path) for process in processes for mapped in process.memory_maps())
    return {path.name for path in paths if path.parent == SHARED and path.name.startswith("psm_")}


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


def _engines(before: set[psutil.Process]) -> list[psutil.Process]:
    """EngineCore, and its worker."""
    cores = {child.pid for child in multiprocessing.active_children() if child.name.startswith("EngineCore")}
    new = set(psutil.Process().children(recursive=True)) - before
    return [process for process in new if process.pid in cores or _is_worker(process, cores)]


def _is_worker(process: psutil.Process, cores: set[int | None]) -> bool:
    try:
        return process.ppid() in cores and "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:  # EngineCore has called a program that has ended
        return False


def test_a_sigterm_for_the_whole_group_lets_a_generation_finish() -> None:
    command = [sys.executable, "-m", "tests.engines.vllm_drain", str(weights())]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as server:
        assert server.stdout is not None
        lines = []
        # It ends when the last process that holds the pipe does: nothing is left behind.
        for line in server.stdout:
            lines.append(line)
            if line == "SPEAKING\n":
                os.killpg(server.pid, signal.SIGTERM)
    assert lines.count("TOKENS 150\n") == 1
    assert server.returncode == 0


def test_nothing_outlives_a_server_that_is_killed() -> None:
    command = [sys.executable, "-m", "tests.engines.vllm_drain", str(weights())]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as server:
        assert server.stdout is not None
        assert "SPEAKING\n" in iter(server.stdout.readline, "")
        started = psutil.Process(server.pid).children(recursive=True)
        assert {"VLLM::EngineCore", "VLLM::Worker"} <= {" ".join(process.cmdline()).strip() for process in started}
        shared = _mapped(started)
        assert shared
        server.kill()
    _, alive = psutil.wait_procs(started, timeout=30)
    assert not alive
    assert not shared & _files(SHARED)
