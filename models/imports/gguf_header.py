"""The promises of a GGUF file, checked against its size before anyone else reads it.

Layout: ggml-org/ggml, docs/gguf.md. transformers' and gguf's readers loop over whatever lengths a file claims; a lie must end here.
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from models.errors import WeightsError

VERSIONS = (2, 3)
# More than any known model has; a file that claims more is not believed.
MOST_TENSORS = 100_000
MOST_KEYS = 100_000
MOST_DIMENSIONS = 4
STRING, ARRAY = 8, 9
SCALAR_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


class Lie(ValueError):
    """What a file promises and does not keep."""


@dataclass
class Cursor:
    data: mmap.mmap
    at: int = 0

    def skip(self, size: int, what: str) -> int:
        """Move on by `size` bytes and return where they begin."""
        begin, self.at = self.at, self.at + size
        if self.at > len(self.data):
            raise Lie(f"{what} ends {self.at - len(self.data)} bytes beyond the end of the file")
        return begin

    def number(self, form: str, what: str) -> int:
        begin = self.skip(struct.calcsize(form), what)
        return int(struct.unpack_from("<" + form, self.data, begin)[0])

    def text(self, what: str) -> str:
        length = self.number("Q", what)
        begin = self.skip(length, what)
        return self.data[begin : begin + length].decode("utf-8", errors="replace")


def check(path: Path) -> str:
    """The architecture of a GGUF file that keeps its promises. Raises WeightsError for one that is truncated or lies."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            architecture, parts = _check(Cursor(data))
    except ValueError as error:  # mmap refuses an empty file with ValueError
        raise WeightsError(f"{path.name} is no whole GGUF file: {error}; download or convert it again") from error
    if parts > 1:
        raise WeightsError(
            f"{path.name} is one of {parts} parts of a model: expected a whole one; make it with "
            "`llama-gguf-split --merge FIRST_PART.gguf WHOLE.gguf` and import that"
        )
    return architecture


def _check(cursor: Cursor) -> tuple[str, int]:
    """The architecture, and of how many files this is one."""
    if cursor.data[:4] != b"GGUF":
        raise Lie(f"it starts with {cursor.data[:4]!r} instead of b'GGUF'")
    cursor.skip(4, "the magic")
    if (version := cursor.number("I", "the version")) not in VERSIONS:
        raise Lie(f"version {version} where 2 or 3 was expected")
    tensors, keys = cursor.number("Q", "the tensor count"), cursor.number("Q", "the key count")
    if not 0 < tensors <= MOST_TENSORS or not 0 < keys <= MOST_KEYS:
        raise Lie(f"{tensors} tensors and {keys} keys are not believable")
    values = dict(_pair(cursor) for _ in range(keys))
    _check_tensors(cursor, tensors, int(values.get("general.alignment") or 32))
    if not (architecture := values.get("general.architecture")):
        raise Lie("it names no architecture")
    return architecture, int(values.get("split.count") or 1)


def _pair(cursor: Cursor) -> tuple[str, str]:
    """A key and its value where that is a text or a number; empty for arrays."""
    key = cursor.text("a key")
    kind = cursor.number("I", key)
    if kind == STRING:
        return key, cursor.text(key)
    if kind == ARRAY:
        _skip_array(cursor, key)
        return key, ""
    begin = cursor.skip(_scalar(kind, key), key)
    return key, str(int.from_bytes(cursor.data[begin : cursor.at], "little"))


def _skip_array(cursor: Cursor, key: str) -> None:
    kind, length = cursor.number("I", key), cursor.number("Q", key)
    if kind != STRING:
        cursor.skip(_scalar(kind, key) * length, key)
        return
    if length * 8 > len(cursor.data) - cursor.at:
        raise Lie(f"{key} claims {length} texts, more than fit into the file")
    for _ in range(length):
        cursor.skip(cursor.number("Q", key), key)


def _scalar(kind: int, key: str) -> int:
    if kind not in SCALAR_SIZES:
        raise Lie(f"{key} has a value of the unknown type {kind}")
    return SCALAR_SIZES[kind]


def _check_tensors(cursor: Cursor, number: int, alignment: int) -> None:
    if not 0 < alignment <= 1 << 16:
        raise Lie(f"an alignment of {alignment} is not believable")
    ends = [_tensor_end(cursor) for _ in range(number)]
    begin = -(-cursor.at // alignment) * alignment
    end = begin + max(ends)
    if end > len(cursor.data):
        raise Lie(f"its tensors need {end} bytes and it has {len(cursor.data)}")


def _tensor_end(cursor: Cursor) -> int:
    """Where a tensor ends, in bytes after the first tensor's begin."""
    name = cursor.text("a tensor's name")
    dimensions = cursor.number("I", name)
    if not 0 < dimensions <= MOST_DIMENSIONS:
        raise Lie(f"tensor {name} has {dimensions} dimensions")
    elements = math.prod(cursor.number("Q", name) for _ in range(dimensions))
    return _bytes(cursor.number("I", name), elements) + cursor.number("Q", name)


def _bytes(kind: int, elements: int) -> int:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    return elements * int(size) // int(block)
