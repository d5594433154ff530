"""`fireside chat` as a process of its own: on pipes, and at a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.sayings import ROOT, environment

CHAT = [sys.executable, "-W", "error", "-m", "cli", "chat"]
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


def chat(*arguments: object, stdin: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
    command = [*CHAT, *map(str, arguments)]
    return subprocess.run(command, input=stdin, env=environment(**more), cwd=ROOT, capture_output=True, timeout=90, check=False)


class Terminal:
    """What a user sees and types."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self.seen = ""
        """All of it, without the escapes."""

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def send(self, line: str) -> None:
        """A line, once the program asks for one."""
        self.until("> ")
        self.type(line + "\n")
        self.until(line.rsplit("\n", 1)[-1])

    def ask(self, line: str, answer: str) -> None:
        """Until it is answered: a Ctrl-C that comes just before the prompt takes back what is typed there, see `interrupt`."""
        for _ in range(10):
            self.send(line)
            with suppress(AssertionError):
                self.until(answer, 5)
                return
        raise AssertionError(f"{line!r} was never answered by {answer!r}:\n{self.seen}")

    def until(self, text: str, seconds: float = 30) -> str:
        """What stood before `text`; both are then behind us."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} never came:\n{self.seen}"
            if not self._read():
                raise AssertionError(f"it ended before {text!r}:\n{self.seen}")
        before, _, self.seen = self.seen.partition(text)
        return before

    def interrupt(self, text: str) -> None:
        """Ctrl-C at the prompt, until it is heard: CPython notices one that comes just before readline's wait at the next key only."""
        for _ in range(30):
            self.process.send_signal(signal.SIGINT)
            with suppress(AssertionError):
                self.until(text, 1)
                return
        raise AssertionError(f"Ctrl-C never led to {text!r}:\n{self.seen}")

    def end(self, seconds: float = 30) -> int:
        while self._read():
            pass
        return self.process.wait(seconds)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], 0.2)
        data = b"-" if not ready else b""
        with suppress(OSError):  # the other side is closed
            data = os.read(self._master, 65536) if ready else data
        self.seen += ESCAPES.sub("", data.decode(errors="replace")) if ready else ""
        return bool(data)


@contextmanager
def terminal(*arguments: object, folder: Path = ROOT, **more: str) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    command = [*CHAT, *map(str, arguments)]
    env = environment(**{"TERM": "xterm", "COLUMNS": "120", **more})
    with subprocess.Popen(command, env=env, cwd=folder, stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as process:
        os.close(slave)
        try:
            yield Terminal(process, master)
        finally:
            process.kill()
            os.close(master)
