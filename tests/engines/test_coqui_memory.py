"""What a voice holds once it has met every shape of its work stays as much."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.engines.joe import joe
from tests.servers import ROOT

pytestmark = pytest.mark.engines

SENTENCES = 120
LEAK = 8 << 10
"""Bytes a sentence. One whose thread or audio is kept alive holds more."""
# Bytes in use are asked of the C library (glibc's mallinfo2): pages that it keeps for later come and go.
PROGRAM = """
import ctypes, gc, sys
from concurrent.futures import ThreadPoolExecutor

from models.base import SpeechJob
from models.speech.coqui import CoquiRenderer

TEXTS = ("Come in.", "Good evening.", "The fire is lit.")
FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
Info = type("Info", (ctypes.Structure,), {"_fields_": [(name, ctypes.c_size_t) for name in FIELDS]})
mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Info
renderer = CoquiRenderer({"models": [{"name": "joe", "path": sys.argv[1]}], "device": "cpu", "threads": 2})


def say(number):
    # Some leave after their first piece, some have heard enough already to wait for longer pieces.
    job = SpeechJob(str(number), 0, TEXTS[number % 3], "joe", seed=number % 2, plays_at=None if number % 2 else 1e12)
    return sum(len(audio.samples) for audio in renderer.render(job, lambda: number % 10 == 9))


def in_use(pool, sentences):
    assert sum(pool.map(say, range(sentences)))
    gc.collect()
    info = mallinfo()
    return info.uordblks + info.hblkhd


with ThreadPoolExecutor(renderer.threads) as pool:
    before = in_use(pool, 60)
    print(before, in_use(pool, int(sys.argv[2])))
"""


@pytest.mark.timeout(300)
def test_sentences_leave_nothing_behind() -> None:
    command = [sys.executable, "-c", PROGRAM, str(joe()), str(SENTENCES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before, after = map(int, done.stdout.split())
    assert (after - before) / SENTENCES <= LEAK
