"""A book that is stopped on the way, by any means, is gone on with: the file is that of one run."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from commands import journal
from commands.journal import Record
from tests.sayings import HANG, samples, say, saying, size, until

CHAPTER = (
    "# The harbour\n\nThe old lighthouse stood at its edge. Every evening, at 9:30 p.m., the keeper climbed its steps.\n\n***\n\n"
    "He lit the lamp; then he watched “the ships” come home — é, ü, 火.\n"
)
BOOK = CHAPTER * 8 + "\n\nAnd now wait for ever.\n\n" + CHAPTER * 8


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book and what one run makes of it."""
    folder = tmp_path_factory.mktemp("once")
    (folder / "book.txt").write_text(BOOK)
    for name in ("book.wav", "book.mp3"):
        assert say("-f", "book.txt", "-o", name, folder=folder).returncode == 0
    return folder


def record(out: Path) -> Record | None:
    return journal.read(out.with_name(out.name + ".resume"), max(0, size(out.with_name(out.name + ".part")) - 44) // 2)


def stop(folder: Path, out: Path, sent: signal.Signals) -> tuple[int, bytes]:
    """Once it hangs in the middle of the book: what is there is all that it has made."""
    with saying("-f", folder / "book.txt", "-o", out, "--resume", **HANG) as process:
        middle = len(CHAPTER * 8) - 2
        until(lambda: (found := record(out)) is not None and found.seam.end >= middle, process)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(sent)
        _, words = process.communicate(timeout=30)
    assert not psutil.wait_procs(family, timeout=10)[1]
    return process.returncode, words


@pytest.mark.parametrize("name", ["book.wav", "book.mp3"])
def test_killed_in_the_middle_it_goes_on_to_the_same_file(once: Path, tmp_path: Path, name: str) -> None:
    stop(once, tmp_path / name, signal.SIGKILL)
    found = record(tmp_path / name)
    assert found
    assert found.seam.end < len(BOOK) / 2 + 10
    assert say("-f", once / "book.txt", "-o", tmp_path / name, "--resume").returncode == 0
    assert (tmp_path / name).read_bytes() == (once / name).read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(once: Path, tmp_path: Path) -> None:
    code, words = stop(once, tmp_path / "book.wav", signal.SIGINT)
    assert code == 130
    assert words.decode().endswith(f"of speech are kept in {tmp_path / 'book.wav.part'}: go on with --resume\n")
    assert len(words.splitlines()) == 1
    assert samples((tmp_path / "book.wav.part").read_bytes()).any(), "it can be listened to"
    assert say("-f", once / "book.txt", "-o", tmp_path / "book.wav", "--resume").returncode == 0
    assert (tmp_path / "book.wav").read_bytes() == (once / "book.wav").read_bytes()


def test_an_engine_that_dies_on_the_way_leaves_what_it_made(once: Path, tmp_path: Path) -> None:
    crash = HANG | {"FIRESIDE_SPEECH__MOCK__FAULT__KIND": "crash"}
    done = say("-f", once / "book.txt", "-o", tmp_path / "book.wav", **crash)
    assert done.returncode == 1
    assert b"go on with --resume" in done.stderr
    assert b"was killed by SIGKILL" in done.stderr.splitlines()[-1]
    assert say("-f", once / "book.txt", "-o", tmp_path / "book.wav", "--resume").returncode == 0
    assert (tmp_path / "book.wav").read_bytes() == (once / "book.wav").read_bytes()


def test_another_text_or_voice_is_refused(once: Path, tmp_path: Path) -> None:
    stop(once, tmp_path / "book.wav", signal.SIGKILL)
    (tmp_path / "book.txt").write_text(BOOK + "One sentence more.")
    for arguments, word in (
        (("-f", tmp_path / "book.txt"), b"its text has changed"),
        (("-f", once / "book.txt", "--voice", "mock-high"), b"it was begun with voice mock-low, not mock-high"),
        (("-f", once / "book.txt", "--speed", 2), b"it was begun with speed 1.0, not 2.0"),
    ):
        done = say(*arguments, "-o", tmp_path / "book.wav", "--resume")
        assert done.returncode == 1
        assert word in done.stderr
    assert say("-f", tmp_path / "book.txt", "-o", tmp_path / "book.wav", "--resume", "--force").returncode == 0
    whole, more = samples((once / "book.wav").read_bytes()), samples((tmp_path / "book.wav").read_bytes())
    assert len(more) > len(whole)
    assert (more[: len(whole)] == whole).all()


def test_a_finished_book_is_not_begun_again(once: Path) -> None:
    done = say("-f", once / "book.txt", "-o", once / "book.wav", "--resume")
    assert done.returncode == 1
    assert b"is there already" in done.stderr
