"""The file a text is spoken into. It gets its name when it is complete; until then what was made waits beside it, for `--resume`.

`book.mp3.part` is the audio so far, as WAV (it can be listened to), and `book.mp3.resume` the journal of what of it is good. An encoder
cannot be gone on with, so the encoding is done at the end, from all of it: a run that was cut off ten times makes the file of one run.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from commands import journal
from commands.journal import Journal, Record, Seam, Terms
from models.base import Audio
from models.errors import FiresideError, InvalidInput
from voice import wav
from voice.encode import Format, encode_stream

SYNC_SECONDS = 2.0
"""So much work a power cut may cost; nothing else that ends the process costs more than the sentence it is at."""
BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Target:
    path: Path
    format: Format

    @property
    def part(self) -> Path:
        return self.path.with_name(self.path.name + ".part")

    @property
    def journal(self) -> Path:
        return self.path.with_name(self.path.name + ".resume")

    @property
    def anew(self) -> Path:
        return self.path.with_name(self.path.name + ".new")


def clock(seconds: float) -> str:
    """1:02:03"""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


class Recording:
    """Samples are written as they come; `mark` says that a sentence is whole."""

    def __init__(self, target: Target, terms: Terms | None, found: Record | None, part: BinaryIO) -> None:
        """`part` is the target's, locked."""
        self._target = target
        self._terms = terms
        self._finishing = False
        self._part = part
        if terms is None:
            target.journal.unlink(missing_ok=True)  # of an older run: it must not vouch for this one's audio
        self.seam = found.seam if found else Seam()
        self.complete = bool(found and found.complete)
        self.rate = self._taken_up() if self.seam.samples else 0
        self._samples = self.seam.samples
        self._journal = Journal(target.journal, terms, self.seam) if terms is not None and not self.complete else None
        self._synced = time.monotonic()

    @property
    def seconds(self) -> float:
        """Of audio, up to the last sentence that is whole."""
        return self.seam.samples / self.rate if self.rate else 0.0

    async def write(self, audio: Audio) -> None:
        if not self.rate:
            self.rate = audio.rate
            self._part.truncate(0)
            self._part.write(wav.header(self.rate))
        if audio.rate != self.rate:
            raise InvalidInput(
                f"{self._target.part} has {self.rate} samples a second, and the voice now {audio.rate}: begin anew with --force"
            )
        self._part.write(wav.pcm(audio.samples))
        self._samples += len(audio.samples)

    def mark(self, start: int, end: int) -> None:
        self.seam = Seam(start, end, self._samples)
        self._part.flush()
        if self._journal:
            self._journal.mark(self.seam)
            self._sync_now_and_then(self._journal)

    async def finish(self) -> None:
        """All is spoken: put the file in its place."""
        self._finishing = True
        if self._journal:
            self._part.flush()
            os.fsync(self._part.fileno())
            self._journal.complete()
        if self._target.format == "wav" and wav.fits(self._samples):
            self._put_header_right()
            self._target.part.replace(self._target.path)
        else:
            await self._write_anew()
            self._target.anew.replace(self._target.path)
            self._target.part.unlink()
        self._target.journal.unlink(missing_ok=True)

    async def leave(self, tell: Callable[[str], None]) -> None:
        """Stopped on the way: keep what can be gone on with. Of a text that cannot be read again the file has what was said of it."""
        if not self.seam.samples:
            self._target.part.unlink(missing_ok=True)
            self._target.journal.unlink(missing_ok=True)
        elif self._terms is not None:
            tell(f"{clock(self.seconds)} of speech are kept in {self._target.part}: go on with --resume")
        elif not self._finishing:
            await self.finish()
            tell(f"{self._target.path} has the {clock(self.seconds)} of speech until then")

    def close(self) -> None:
        if self._journal:
            self._journal.close()
        self._part.close()

    def _taken_up(self) -> int:
        """The rate of the audio that is there; what was written after its last whole sentence is cut off."""
        self._part.seek(0)
        stream = wav.WavStream()
        stream.feed(self._part.read(wav.HEADER_BYTES))
        self._part.truncate(wav.HEADER_BYTES + self.seam.samples * 2)
        self._part.seek(0, os.SEEK_END)
        return stream.rate

    def _sync_now_and_then(self, log: Journal) -> None:
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            os.fsync(self._part.fileno())
            log.sync()
            self._synced = time.monotonic()

    def _put_header_right(self) -> None:
        self._part.seek(0)
        self._part.write(wav.header(self.rate, self._samples))
        self._part.flush()
        os.fsync(self._part.fileno())

    async def _write_anew(self) -> None:
        try:
            with self._target.anew.open("wb") as out:
                async with aclosing(self._encoded()) as encoded:
                    async for data in encoded:
                        out.write(data)
                out.flush()
                os.fsync(out.fileno())
        except BaseException:
            self._target.anew.unlink(missing_ok=True)
            raise

    async def _encoded(self) -> AsyncGenerator[bytes, None]:
        if self._target.format == "wav":
            yield wav.header(self.rate, self._samples)
            async for audio in self._blocks():
                yield wav.pcm(audio.samples)
        else:
            async with aclosing(encode_stream(self._blocks(), self._target.format, self.rate)) as encoded:
                async for data in encoded:
                    yield data

    async def _blocks(self) -> AsyncGenerator[Audio, None]:
        self._part.seek(wav.HEADER_BYTES)
        while block := self._part.read(BLOCK):
            await asyncio.sleep(0)  # minutes of a book's copying can be ended in between
            yield Audio(wav.samples(block), self.rate)


@asynccontextmanager
async def recording(
    target: Target, terms: Terms | None, *, resume: bool, force: bool, tell: Callable[[str], None]
) -> AsyncGenerator[Recording, None]:
    """Finishes the file at the end, and tells what was kept where that does not come. `terms` is None for a text that can be read once."""
    check(target, resume=resume, force=force)
    part = locked(target.part)
    try:
        made = Recording(target, terms, _found(target, terms, force) if resume else None, part)
    except BaseException:
        part.close()
        raise
    try:
        yield made
        await made.finish()
    except BaseException:
        await made.leave(tell)
        raise
    finally:
        made.close()


def check(target: Target, *, resume: bool, force: bool) -> None:
    """Raises InvalidInput where something is there that would be lost, or no folder for it."""
    if not target.path.parent.is_dir():
        raise InvalidInput(f"{target.path.parent} is no folder: make it first, or choose another")
    if resume and target.part.exists() and _can_go_on(target):
        return
    if target.path.exists() and not force:
        raise InvalidInput(f"{target.path} is there already: choose another name, or overwrite it with --force")
    if not target.part.exists() or force:
        return
    if _can_go_on(target):
        raise InvalidInput(f"{target.part} is there, of a run that was stopped: go on with --resume, or begin anew with --force")
    raise InvalidInput(
        f"{target.part} is there, of a run that was stopped, and no {target.journal.name} to go on by, as of a text from a pipe: "
        "move it away, or begin anew with --force"
    )


def _can_go_on(target: Target) -> bool:
    """Without a journal nobody knows what of the audio is good, and to begin anew would cost all of it; an empty file has none."""
    return target.journal.exists() or not target.part.stat().st_size


def _found(target: Target, terms: Terms | None, force: bool) -> Record | None:
    """What a run that was stopped has left. The part is locked, so that it stays so."""
    record = journal.read(target.journal, max(0, target.part.stat().st_size - wav.HEADER_BYTES) // 2)
    if record and terms and not force:
        for term, value in terms.items():
            _check_term(target, term, record.terms.get(term), value)
    return record


def _check_term(target: Target, term: str, was: Any, now: Any) -> None:
    if was == now:
        return
    told = "its text has changed" if term == "text" else f"it was begun with {term} {was}, not {now}"
    raise InvalidInput(
        f"{target.part} cannot be gone on with: {told}; begin anew with --force, or go on all the same with --resume --force"
    )


def locked(path: Path) -> BinaryIO:
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        same = os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):
        same = False
    if not same:  # locked, or put in its place by who had it locked
        file.close()
        raise FiresideError(f"{path} is being written by another run: wait for it, or choose another name")
    return file
