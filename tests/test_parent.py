"""A process that was spawned ends with the one that has spawned it, however that ends: SIGKILL, at any moment."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from pathlib import Path

PARENT = """
import multiprocessing, sys, threading
from models.parent import end_with_parent

def child(told):
    end_with_parent()
    told.send(0)
    threading.Event().wait()

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=child, args=(theirs,))
    process.start()
    ours.recv()
    print(process.pid, flush=True)
    threading.Event().wait()
"""


def test_a_spawned_process_does_not_outlive_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    ended, _, _ = select.select([child], [], [], 30)
    os.close(child)
    assert ended


def test_a_worker_whose_server_has_ended_does_not_even_load() -> None:
    """Before the kernel was asked to kill it then. It would read what it is to load, which is sent at once, and notice when it has."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        options = ["--fd", str(theirs.fileno()), "--parent", str(os.getppid())]  # not of the worker, as an ended one is not
        command = [sys.executable, "-m", "models.speech.worker", *options]
        root = Path(__file__).parent.parent
        done = subprocess.run(command, cwd=root, pass_fds=[theirs.fileno()], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, b"")
