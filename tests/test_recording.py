"""The file a text is spoken into: whenever a run ends, what the next one finds goes on to the same samples."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import numpy as np
import pytest

from commands.journal import Seam
from commands.recording import Recording, Target, check, locked, recording
from models.base import Audio
from models.errors import FiresideError, InvalidInput
from tests.sayings import samples

RATE = 8000
TERMS = {"text": "cafe", "voice": "joe", "speed": 1.0, "seed": 7}
# Sentences of unlike lengths, each with samples of its own; some are not spoken.
SENTENCES = [np.full(length, number + 1, np.int16) for number, length in enumerate([4000, 900, 0, 2500, 1, 0, 7000, 3300])]
WHOLE = np.concatenate(SENTENCES)

pytestmark = pytest.mark.anyio


def target(folder: Path, name: str = "book.wav") -> Target:
    return Target(folder / name, "flac" if name.endswith("flac") else "wav")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def speak(made: Recording, until: int = len(SENTENCES)) -> None:
    """As the loop does: ten characters a sentence, from the seam on; half of the sentence `until` too."""
    for number in range(made.seam.end // 10, until):
        await made.write(Audio(SENTENCES[number], RATE))
        if len(SENTENCES[number]):
            made.mark(number * 10, number * 10 + 10)
    if until < len(SENTENCES):
        await made.write(Audio(SENTENCES[until][: len(SENTENCES[until]) // 2], RATE))


async def stopped(at: Target, sentences: int) -> None:
    """A run that ends as kill -9 ends it, but for what it has buffered: nothing is put in order behind it."""
    made = Recording(at, TERMS, None, locked(at.part))
    await speak(made, sentences)
    made.close()


async def resume(at: Target, terms: dict[str, object] | None = None, force: bool = False) -> Seam:
    async with recording(at, TERMS if terms is None else terms, resume=True, force=force, tell=lambda _: None) as made:
        seam = made.seam
        await speak(made)
    return seam


async def test_one_run_makes_one_file(tmp_path: Path) -> None:
    assert await resume(target(tmp_path)) == Seam()
    assert np.array_equal(samples((tmp_path / "book.wav").read_bytes()), WHOLE)
    assert names(tmp_path) == ["book.wav"]


@pytest.mark.parametrize("sentences", range(len(SENTENCES)))
async def test_it_goes_on_where_it_was_stopped(tmp_path: Path, sentences: int) -> None:
    await stopped(target(tmp_path), sentences)
    seam = await resume(target(tmp_path))
    assert seam.samples == sum(map(len, SENTENCES[:sentences]))
    assert np.array_equal(samples((tmp_path / "book.wav").read_bytes()), WHOLE)


async def test_it_goes_on_whatever_of_its_files_reached_the_disk(tmp_path: Path) -> None:
    """A power cut leaves any length of either file."""
    cut, at = random.Random(1), target(tmp_path)
    for _ in range(150):
        at.path.unlink(missing_ok=True)
        await stopped(at, cut.randrange(len(SENTENCES) + 1))
        for path in (at.part, at.journal):
            with path.open("r+b") as file:
                file.truncate(cut.randint(0, path.stat().st_size))
        await resume(at)
        assert np.array_equal(samples(at.path.read_bytes()), WHOLE)


async def test_it_may_be_stopped_again_and_again(tmp_path: Path) -> None:
    at = target(tmp_path, "book.flac")
    for sentences in range(len(SENTENCES)):
        with pytest.raises(asyncio.CancelledError):
            async with recording(at, TERMS, resume=True, force=False, tell=lambda _: None) as made:
                await speak(made, sentences)
                raise asyncio.CancelledError
    await resume(at)
    async with recording(target(tmp_path, "once.flac"), TERMS, resume=False, force=False, tell=lambda _: None) as made:
        await speak(made)
    assert at.path.read_bytes() == (tmp_path / "once.flac").read_bytes()
    assert names(tmp_path) == ["book.flac", "once.flac"]


async def test_what_was_complete_is_only_put_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = target(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="power"):
        patch.setattr(Path, "replace", _power_cut(Path.replace, at.part))
        await resume(at)
    assert at.part.exists()
    seam = await resume(at)
    assert seam.samples == len(WHOLE)
    assert np.array_equal(samples(at.path.read_bytes()), WHOLE)
    assert names(tmp_path) == ["book.wav"]


def _power_cut(replace: object, at: Path) -> object:
    def cut(path: Path, to: Path) -> Path:
        if path == at:
            raise OSError("power")
        return replace(path, to)  # type: ignore[operator,no-any-return]

    return cut


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"text": "other"}, "its text has changed"),
        ({"voice": "ann"}, "begun with voice joe, not ann"),
        ({"seed": None}, "seed 7, not None"),
    ],
)
async def test_other_terms_are_refused_and_nothing_is_lost(tmp_path: Path, change: dict[str, object], words: str) -> None:
    await stopped(target(tmp_path), 4)
    with pytest.raises(InvalidInput, match=words):
        await resume(target(tmp_path), TERMS | change)
    assert (await resume(target(tmp_path), TERMS | change, force=True)).end == 40


async def test_another_rate_is_refused(tmp_path: Path) -> None:
    await stopped(target(tmp_path), 4)
    with pytest.raises(InvalidInput, match="8000 samples a second, and the voice now 24000"):
        async with recording(target(tmp_path), TERMS, resume=True, force=False, tell=lambda _: None) as made:
            await made.write(Audio(SENTENCES[4], 24000))
    assert (await resume(target(tmp_path))).end == 40


async def test_what_a_stopped_run_left_is_not_lost_by_accident(tmp_path: Path) -> None:
    await stopped(target(tmp_path), 4)
    with pytest.raises(InvalidInput, match="go on with --resume, or begin anew with --force"):
        check(target(tmp_path), resume=False, force=False)
    async with recording(target(tmp_path), TERMS, resume=False, force=True, tell=lambda _: None) as made:
        assert made.seam == Seam()
        await speak(made)
    assert np.array_equal(samples((tmp_path / "book.wav").read_bytes()), WHOLE)


async def test_a_run_that_was_stopped_before_its_journal_has_nothing_to_lose(tmp_path: Path) -> None:
    target(tmp_path).part.touch()
    assert await resume(target(tmp_path)) == Seam()
    assert names(tmp_path) == ["book.wav"]


async def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    first = Recording(target(tmp_path), TERMS, None, locked(target(tmp_path).part))
    await speak(first, 4)
    with pytest.raises(FiresideError, match="written by another run"):
        await resume(target(tmp_path))
    first.close()
    assert (await resume(target(tmp_path))).end == 40


async def test_a_text_that_cannot_be_read_again_leaves_what_was_said(tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(asyncio.CancelledError):
        async with recording(target(tmp_path), None, resume=False, force=False, tell=told.append) as made:
            await speak(made, 4)
            raise asyncio.CancelledError
    assert np.array_equal(samples((tmp_path / "book.wav").read_bytes())[:7400], WHOLE[:7400])
    assert "0:00:00 of speech" in told[0]
    assert names(tmp_path) == ["book.wav"]


async def test_audio_from_a_pipe_is_not_taken_for_that_of_an_older_run(tmp_path: Path) -> None:
    await stopped(target(tmp_path), 4)
    made = Recording(target(tmp_path), None, None, locked(target(tmp_path).part))
    await made.write(Audio(np.zeros(len(WHOLE), np.int16), RATE))
    made.close()  # as kill -9 leaves it
    for again in (False, True):
        with pytest.raises(InvalidInput, match=r"no book\.wav\.resume to go on by, .* or begin anew with --force"):
            check(target(tmp_path), resume=again, force=False)
    with pytest.raises(InvalidInput, match="begin anew with --force"):
        await resume(target(tmp_path))
    assert not samples(target(tmp_path).part.read_bytes()).any(), "it is still that of the pipe"
    assert await resume(target(tmp_path), force=True) == Seam()
    assert np.array_equal(samples((tmp_path / "book.wav").read_bytes()), WHOLE)


async def test_a_run_that_finishes_meanwhile_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = target(tmp_path)
    await stopped(at, 4)

    def finished(file: int, how: int) -> None:
        at.part.replace(at.path)

    monkeypatch.setattr("commands.recording.fcntl.flock", finished)
    with pytest.raises(FiresideError, match="written by another run"):
        await resume(at)
    assert names(tmp_path) == ["book.wav", "book.wav.resume"]
