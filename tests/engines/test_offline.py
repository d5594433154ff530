"""A whole session on real engines with the network cut, and nothing in it even tries to leave the machine; nor is anything left of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT
from tests.watching import outside, watched

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

# A network namespace with loopback and nothing else, and one of processes: whatever becomes of the script, no server of it is left.
CUT = ["unshare", "-rn", "--pid", "--fork", "--kill-child", "--mount-proc"]
PROBE = "192.0.2.1 port 9"


def test_a_whole_session_needs_no_network_and_tries_none(tmp_path: Path) -> None:
    """The script's own probe is in the record: what tries is seen, though it fails."""
    record = tmp_path / "calls"
    command = [*CUT, *watched(record), sys.executable, str(Path("tests/engines/offline.py"))]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=580)
    assert run.returncode == 0, run.stdout + run.stderr
    ended = ("told: ", "shutting down", "ended with 0", "left: []")
    for told in ("chat: ", "Paris", "speech: ", "heard: ", "network is needed", "socket: ", "realtime: ", *ended):
        assert told in run.stdout
    assert outside(record.read_text()) == {PROBE}
