"""100,000 words in flat memory, of all processes together."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil

from tests.sayings import saying

WORDS = 100_000
SENTENCE = "We sat by it as it was, so he had no fear of us at all."
SENTENCES = WORDS // len(SENTENCE.split())
MB = 1_000_000


def resident(process: subprocess.Popen[bytes]) -> int:
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    return sum(one.memory_info().rss for one in family)


def take(process: subprocess.Popen[bytes], amount: int) -> int:
    """Read so many bytes, or to the end; how many there were."""
    assert process.stdout
    left = amount
    while left and (data := process.stdout.read(min(left, 1 << 16))):
        left -= len(data)
    return amount - left


def test_a_book_is_spoken_in_flat_memory(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text((SENTENCE + " ") * SENTENCES)
    with saying("-f", book, "-o", "-", "--speed", 4, FIRESIDE_SPEECH__MOCK__RATE="8000") as process:
        early = take(process, 10 * MB) and resident(process)
        assert take(process, 70 * MB) == 70 * MB
        late = resident(process)
        rest = take(process, 1000 * MB)
        assert process.wait(30) == 0
    spoken = (80 * MB + rest) / 2 / 8000
    assert spoken > 4500, "an hour and more even at four times the pace"
    assert late < early + 5 * MB, f"{early / MB:.0f} MB early, {late / MB:.0f} MB late"
