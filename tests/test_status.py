"""GET /v1/status: what runs, what waits, and what it takes of the machine."""

from __future__ import annotations

import asyncio
import queue
import subprocess
import sys
import threading
import tomllib

import pytest
from websockets.asyncio.client import connect

from api import machine as reading
from models import devices
from models.errors import EngineFailed
from tests.servers import ROOT, Server

pytestmark = pytest.mark.anyio


def test_the_status_tells_what_runs_and_what_it_takes(server: Server) -> None:
    status = server.get("/v1/status").json()
    text = status["engines"]["text"]
    assert (text["kind"], text["name"], text["state"], text["running"], text["waiting"]) == ("text", "mock-text", "ready", 0, 0)
    assert (text["restarts"], text["last_failure"], text["limits"].keys()) == (0, None, {"running", "waiting"})
    assert status["uptime"] > 0
    assert 10 << 20 < status["machine"]["memory"]["used"] < status["machine"]["memory"]["total"]


async def test_open_sockets_are_counted_by_their_routes(server: Server) -> None:
    async with connect(server.url.replace("http", "ws") + "/ws"):
        server.until('fireside_open_sockets{route="/ws"}', 1)
        assert server.get("/v1/status").json()["sockets"] == {"/ws": 1}
    server.until('fireside_open_sockets{route="/ws"}', 0)


def test_the_version_is_that_of_the_package(server: Server) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert server.get("/v1/status").json()["version"] == tomllib.load(file)["project"]["version"]


async def test_however_many_ask_the_machine_is_read_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    monkeypatch.setattr(reading, "_machine", lambda: {"read": read.append(1)})
    machine = reading.Machine()
    await machine.read()
    await asyncio.gather(*(machine.read() for _ in range(20)))
    assert len(read) == 1
    machine.at -= 1
    await machine.read()
    assert len(read) == 2


async def test_a_driver_that_hangs_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    again, calls = threading.Event(), queue.SimpleQueue[None]()

    def hangs() -> tuple[devices.GPU, ...]:
        calls.put(None)
        again.wait(30)
        return ()

    monkeypatch.setattr(reading, "PATIENCE", 30)
    machine = reading.Machine()
    before = await machine.read()
    monkeypatch.setattr(devices, "gpus", hangs)
    monkeypatch.setattr(reading, "PATIENCE", 0.01)
    for _ in range(20):
        machine.at -= 1
        assert await machine.read() == before
    assert calls.qsize() == 1
    await asyncio.to_thread(lambda: None)  # the threads of all others are free
    again.set()
    monkeypatch.setattr(reading, "PATIENCE", 30)
    await machine.read()
    assert machine._next is None


async def test_a_driver_that_fails_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> tuple[devices.GPU, ...]:
        raise EngineFailed("GPU is lost")

    monkeypatch.setattr(devices, "gpus", fails)
    assert (await reading.Machine().read())["gpus"] == []


def test_the_memory_of_what_a_process_has_started_counts() -> None:
    code = "held = bytearray(256 << 20); held[::4096] = bytes(len(held[::4096])); print('held', flush=True); input()"
    before = devices.resident()
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"held\n"
        assert devices.resident() > before + (200 << 20)
        child.communicate(b"\n")
    assert devices.resident() < before + (200 << 20)
