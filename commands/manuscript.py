"""The text to speak: all there from the beginning, or coming in on a pipe."""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import stat
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import anyio

from models.errors import InvalidInput

PIECE = 4096
"""Bytes read at once: what speech has not come to yet stays in the file."""
PIPE = 65536


class Decoder:
    """UTF-8 in pieces, without a byte order mark and with plain line ends. Raises InvalidInput that names the byte which is no text."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._lines = io.IncrementalNewlineDecoder(self._utf8, translate=True)
        self._taken = 0

    def decode(self, data: bytes, final: bool = False) -> str:
        start = self._taken - len(self._utf8.getstate()[0])
        try:
            text: str = self._lines.decode(data, final)
        except UnicodeDecodeError as error:
            raise self._refusal(start + error.start, error.object[error.start]) from None
        if "\0" in text:
            raise self._refusal(self._taken + max(data.find(b"\0"), 0), 0)
        self._taken += len(data)
        return text.removeprefix("\ufeff") if not start else text

    def _refusal(self, place: int, byte: int) -> InvalidInput:
        return InvalidInput(f"{self._name} is not UTF-8 text: byte {place} is 0x{byte:02x}; save it as a plain UTF-8 text file")


@dataclass(frozen=True, slots=True)
class Manuscript:
    """A text that can be read from any place, again and again. Nothing of it is held."""

    name: str
    characters: int
    sha256: str
    open: Callable[[], BinaryIO]

    async def pieces(self, start: int = 0) -> AsyncGenerator[str, None]:
        """The text from character `start`."""
        # No await between two pieces: a pause in a text means that a sentence may be over.
        for piece in _decoded(self.name, self.open):
            if len(piece) > start:
                yield piece[start:]
            start = max(0, start - len(piece))


@dataclass(frozen=True, slots=True)
class Arriving:
    """A text on a pipe or a terminal, which can be read once."""

    name: str
    descriptor: int

    async def pieces(self) -> AsyncGenerator[str, None]:
        """The text as it comes."""
        decoder, data = Decoder(self.name), b"-"
        while data:
            await _readable(self.descriptor)
            data = os.read(self.descriptor, PIPE)
            if piece := decoder.decode(data, final=not data):
                yield piece


def from_argument(text: str) -> Manuscript:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"the text is not UTF-8 at character {error.start}: set your terminal to UTF-8, or use --file") from None
    return _checked("the text", lambda: io.BytesIO(data))


def from_file(path: Path) -> Manuscript | Arriving:
    """A regular file is read once from end to end, to be refused now and not after hours; a pipe is read as it comes."""
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder: expected a text file")
    if not stat.S_ISREG(path.stat().st_mode):
        return Arriving(str(path), os.open(path, os.O_RDONLY))
    return _checked(path.name, lambda: path.open("rb"))


def _checked(name: str, opened: Callable[[], BinaryIO]) -> Manuscript:
    characters, digest, blank = 0, hashlib.sha256(), True
    for piece in _decoded(name, opened):
        characters += len(piece)
        digest.update(piece.encode())
        blank = blank and not piece.strip()
    if blank:
        raise InvalidInput(f"{name} is empty: expected text to speak")
    return Manuscript(name, characters, digest.hexdigest(), opened)


def _decoded(name: str, opened: Callable[[], BinaryIO]) -> Iterator[str]:
    decoder = Decoder(name)
    with opened() as source:
        while data := source.read(PIECE):
            yield decoder.decode(data)
        yield decoder.decode(b"", final=True)


async def _readable(descriptor: int) -> None:
    with suppress(PermissionError):  # a file, or /dev/null: always ready, and no event loop takes it
        await anyio.wait_readable(descriptor)
