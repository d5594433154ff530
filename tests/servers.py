"""A real `bentoml serve` (or `fireside serve`) of a profile on a free port, as a user would start it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Any

import httpx

from tests.waiting import looks

ROOT = Path(__file__).parent.parent


@dataclass
class Server:
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=30)

    def status(self, path: str) -> int:
        try:
            return self.get(path).status_code
        except httpx.TransportError:
            return 0

    def wait(self, path: str, status: int, seconds: float) -> None:
        """Until `path` answers with `status`; fails with the log's end when the process dies or the time is over."""
        for _ in looks(seconds, 0.05):
            if self.status(path) == status:
                return
            assert self.process.poll() is None, f"the server died:\n{self.tail()}"
        raise AssertionError(f"{path} was never {status}:\n{self.tail()}")

    def metric(self, name: str) -> float:
        """The sum of a metric's samples; `name` may carry labels: fireside_running{engine="text"}."""
        lines = self.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def until(self, name: str, value: float, seconds: float = 60) -> None:
        """Until a metric has this value."""
        found = []
        for _ in looks(seconds):
            found.append(self.metric(name))
            if found[-1] == value:
                return
        raise AssertionError(f"{name} was never {value}, but in {len(found)} looks {sorted(set(found))}:\n{self.tail()}")

    def lines(self, request_id: str, last: str = "request") -> list[dict[str, Any]]:
        """What was logged of a request, once its `last` line is there. Not every library writes JSON."""
        for _ in looks():
            logged = [json.loads(line) for line in self.log.read_text(errors="replace").splitlines() if line.startswith('{"time"')]
            found = [line for line in logged if line.get("request_id") == request_id and line["logger"] == "fireside.access"]
            if any(line["message"] == last for line in found):
                return found
        raise AssertionError(f"{request_id} has no line {last}:\n{self.tail()}")

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-6000:]

    def stop(self, seconds: float = 60) -> int:
        """SIGTERM, as an orchestrator does; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


def free_port() -> int:
    """Below those that the system lends to clients, any of which may take it before the server does."""
    while True:
        port = SystemRandom().randrange(10_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


BENTOML = ("bentoml", "serve", "service:Fireside")
FIRESIDE = ("cli", "serve")


@contextmanager
def serve(
    profile: str,
    *,
    by: tuple[str, ...] = BENTOML,
    host: str = "127.0.0.1",
    port: int = 0,
    ready_within: float = 90,
    wait: str = "/readyz",
    **environment: str,
) -> Iterator[Server]:
    """`environment` is added to the process's, e.g. FIRESIDE_TEXT__MOCK__TTFT="0.1". "" as `wait` does not wait."""
    port = port or free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        command = [sys.executable, "-m", *by, "--host", host, "--port", str(port)]
        env = {**os.environ, "FIRESIDE_PROFILE": profile, "BENTOML_HOME": folder, "BENTOML_DO_NOT_TRACK": "True", **environment}
        with log.open("wb") as sink:
            # No session of its own: Linux shares the cores out by session first, and tests were seen to get next to nothing beside vLLM's.
            process = subprocess.Popen(
                command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, process_group=0
            )
        server = Server(f"http://{host}:{port}", process, log)
        try:
            if wait:
                server.wait(wait, 200, ready_within)
            yield server
        finally:
            if process.poll() is None:
                try:
                    server.stop()
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                    raise AssertionError(f"the server did not stop:\n{server.tail()}") from None
