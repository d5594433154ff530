"""A server under test as a process of its own: started with a log file, waited for, watched and stopped with all its children."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil  # type: ignore[import-untyped]

from benchmarks.machine import ROOT


class ServerFailed(Exception):
    """It died or did not come up; the message ends with the end of its log."""


@dataclass(frozen=True)
class Recipe:
    """How to start a server: `command` gets the port. `ready` is a path that answers 200 once it can serve."""

    name: str
    command: Callable[[int], Sequence[str]]
    ready: str
    env: Mapping[str, str] = field(default_factory=dict)
    failed: str = ""
    """What its log says, when it will never be ready though it lives on."""
    limit: float = 600.0
    """Seconds that loading may take."""


@dataclass
class Server:
    name: str
    port: int
    process: psutil.Popen
    log: Path
    temporary: Path
    """The folder for its temporary files."""
    loading: float = 0.0
    """Seconds from start to ready."""

    def status(self, path: str) -> int:
        """0 where nothing answers."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as reply:
                return int(reply.status)
        except HTTPError as error:
            return error.code
        except OSError:
            return 0

    def text(self, path: str) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as reply:
            return str(reply.read().decode())

    def metric(self, name: str) -> float:
        """The sum of the samples whose line begins with `name`, which may carry labels."""
        return sum(float(line.rsplit(" ", 1)[1]) for line in self.text("/metrics").splitlines() if line.startswith(name))

    def tree(self) -> list[psutil.Process]:
        """The process and all below it."""
        with suppress(psutil.NoSuchProcess):
            return [self.process, *self.process.children(recursive=True)]
        return []

    def held(self, *marks: str) -> int:
        """Bytes of memory of all its processes, or of those whose command line carries one of the marks.

        Without the pages of mapped files: what is read of them again, or shared with a process that was killed, comes and goes.
        """
        processes = [process for process in self.tree() if not marks or _carries(process, marks)]
        return int(sum(_quietly(process, _anonymous) for process in processes))

    def files(self) -> int:
        """How many it has left so far among its temporary files and, where nothing else runs on this machine, in shared memory."""
        return sum(1 for folder in (self.temporary, Path("/dev/shm")) for _ in folder.rglob("*"))

    def cpu(self) -> float:
        """Seconds of processor time of all its processes so far."""
        return sum(_quietly(process, lambda one: sum(one.cpu_times()[:2])) for process in self.tree())

    def pin(self, *cores: int) -> None:
        """Keep all its threads on these cores."""
        for process in self.tree():
            for thread in process.threads():
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(thread.id, cores)

    def find(self, *marks: str) -> psutil.Process:
        """The process whose command line carries one of the marks. Raises ServerFailed when there is none."""
        for process in self.tree():
            if _carries(process, marks):
                return process
        raise ServerFailed(f"{self.name} has no process with {' or '.join(marks)} in its command line")

    def told(self, pattern: str) -> str:
        """The first line of its log with a match of `pattern`."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line for line in lines if re.search(pattern, line)), "")

    def tail(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]


@contextmanager
def running(recipe: Recipe) -> Iterator[Server]:
    """Start a server, wait until it is ready, and stop it with all its processes at the end."""
    port = free_port()
    with _ending_on_sigterm(), tempfile.TemporaryDirectory(prefix="fireside-bench-") as folder:
        log, temporary = Path(folder) / "log", Path(folder) / "tmp"
        temporary.mkdir()
        with log.open("wb") as output:
            # Two of BentoML's with one home would count each other's requests.
            env = {**os.environ, "BENTOML_HOME": folder, "TMPDIR": str(temporary), **recipe.env}
            process = psutil.Popen(list(recipe.command(port)), cwd=ROOT, env=env, stdout=output, stderr=output, start_new_session=True)
        server = Server(recipe.name, port, process, log, temporary)
        try:
            _wait_ready(server, recipe)
            yield server
        finally:
            _stop(server)


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """A benchmark that is told to end leaves no server behind."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _wait_ready(server: Server, recipe: Recipe) -> None:
    say(f"starting {recipe.name}")
    began = time.monotonic()
    while server.status(recipe.ready) != 200:
        if server.process.poll() is not None:
            raise ServerFailed(f"{recipe.name} ended with {server.process.returncode} before it was ready:\n{server.tail()}")
        if recipe.failed and (told := server.told(recipe.failed)):
            raise ServerFailed(f"{recipe.name} lives on without an engine: {told}")
        if time.monotonic() - began > recipe.limit:
            raise ServerFailed(f"{recipe.name} was not ready after {recipe.limit:.0f} s:\n{server.tail()}")
        time.sleep(0.1)
    server.loading = time.monotonic() - began


def _stop(server: Server) -> None:
    processes = server.tree()
    with suppress(psutil.NoSuchProcess):
        server.process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=30)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=10)
    with suppress(subprocess.TimeoutExpired, psutil.TimeoutExpired):
        server.process.wait(timeout=10)


def _carries(process: psutil.Process, marks: Sequence[str]) -> bool:
    with suppress(psutil.Error):
        line = " ".join([process.name(), *process.cmdline()])
        return any(mark in line for mark in marks)
    return False


def _anonymous(process: psutil.Process) -> int:
    memory = process.memory_info()
    return int(memory.rss - memory.shared)


def _quietly(process: psutil.Process, read: Callable[[psutil.Process], float]) -> float:
    """A process may end between the listing and the reading."""
    try:
        return read(process)
    except psutil.Error:
        return 0
