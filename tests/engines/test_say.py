"""`fireside say` with the real voice: what is resumed after kill -9 is what one run makes, and is heard without a seam."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

from commands import journal
from commands.journal import Seam
from tests.engines.joe import joe
from tests.engines.whisper import transcribe, word_error_rate
from tests.sayings import samples, say, saying, size, until

pytestmark = pytest.mark.engines

RATE = 22050
SENTENCES = (
    "The old lighthouse stood at the edge of the harbour. ",
    "Every evening the keeper climbed its ninety steps. ",
    "He lit the lamp and watched the ships come home.\n\n",
    "On clear nights you could see it from far away. ",
    "Nobody in the village could remember a time without its light. ",
    "The sailors trusted it more than any star. ",
)
BOOK = "".join(SENTENCES)


@pytest.fixture
def cpu() -> dict[str, str]:
    return {"FIRESIDE_PROFILE": "cpu", "FIRESIDE_HOME": str(joe().parents[1])}


def seam(out: Path) -> Seam:
    found = journal.read(out.with_name("cut.wav.resume"), max(0, size(out.with_name("cut.wav.part")) - 44) // 2)
    return found.seam if found else Seam()


@pytest.mark.timeout(300)
def test_killed_and_resumed_it_is_the_same_and_no_word_is_lost_or_said_twice(tmp_path: Path, cpu: dict[str, str]) -> None:
    (tmp_path / "book.txt").write_text(BOOK)
    command = ("-f", tmp_path / "book.txt", "--seed", 7)
    assert say(*command, "-o", tmp_path / "once.wav", **cpu).returncode == 0
    with saying(*command, "-o", tmp_path / "cut.wav", **cpu) as process:
        until(lambda: seam(tmp_path / "cut.wav").end >= len("".join(SENTENCES[:3])), process)
        process.send_signal(signal.SIGKILL)
    at = seam(tmp_path / "cut.wav").samples
    done = say(*command, "-o", tmp_path / "cut.wav", "--resume", **cpu)
    assert done.returncode == 0, done.stderr
    once, cut = (samples((tmp_path / name).read_bytes()) for name in ("once.wav", "cut.wav"))
    assert 0 < at < len(once)
    assert np.array_equal(once, cut)
    heard = transcribe(cut, RATE)
    assert word_error_rate(BOOK, heard) <= 0.05, heard
