"""GGUF files that lie end in one line, before anything loops over what they claim."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from models.errors import WeightsError
from models.imports.files import builder_for
from models.store import Store

HUGE = 1 << 60


def text(content: str) -> bytes:
    return struct.pack("<Q", len(content)) + content.encode()


def head(tensors: int = 1, keys: int = 1, version: int = 3, magic: bytes = b"GGUF") -> bytes:
    return magic + struct.pack("<IQQ", version, tensors, keys)


ARCHITECTURE = text("general.architecture") + struct.pack("<I", 8) + text("llama")
LONG_ARRAY = text("tokens") + struct.pack("<IIQ", 9, 4, HUGE)
LONG_TEXTS = text("tokens") + struct.pack("<IIQ", 9, 8, HUGE)
NESTED = text("tokens") + struct.pack("<IIQ", 9, 9, 1)
ALIGNED = text("general.alignment") + struct.pack("<II", 4, 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "no whole GGUF file"),
        (b"GG", "starts with"),
        (b"PK\3\4" + bytes(100), "starts with"),
        (head()[:20], "beyond the end"),
        (head(version=1), "version 1"),
        (head(tensors=HUGE), "not believable"),
        (head(keys=HUGE), "not believable"),
        (head(tensors=0), "not believable"),
        (head() + struct.pack("<Q", HUGE), "beyond the end"),
        (head() + LONG_ARRAY, "beyond the end"),
        (head() + LONG_TEXTS, "more than fit"),
        (head() + NESTED, "unknown type 9"),
        (head() + text("x") + struct.pack("<I", 99), "unknown type 99"),
        (head(keys=2) + ARCHITECTURE + ALIGNED, "alignment"),
        (head() + ARCHITECTURE + text("w") + struct.pack("<I", 1 << 31), "dimensions"),
        (head() + ARCHITECTURE + struct.pack("<Q", HUGE), "beyond the end"),
    ],
)
def test_a_gguf_file_that_lies_is_refused_at_once(tmp_path: Path, content: bytes, word: str) -> None:
    (tmp_path / "model.gguf").write_bytes(content)
    store = Store(tmp_path / "store")
    with pytest.raises(WeightsError, match=word):
        store.add("model", builder_for(tmp_path / "model.gguf"))
    assert store.list() == ()
    assert store.broken() == ()
