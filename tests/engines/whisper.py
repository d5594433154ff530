"""Whisper base, to hear whether speech says what it should. `fireside models prepare` puts it under FIRESIDE_HOME."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np
import pytest
import soxr
from faster_whisper import WhisperModel
from whisper_normalizer.english import EnglishTextNormalizer

_RATE = 16000


def transcribe(samples: np.ndarray, rate: int) -> str:
    """What is heard in mono `samples` (int16, or float in -1..1) of `rate` Hz."""
    heard, _ = _model().transcribe(_resampled(samples, rate), language="en", beam_size=5)
    return " ".join(segment.text.strip() for segment in heard)


def heard_words(samples: np.ndarray, rate: int) -> list[tuple[str, float, float]]:
    """Each word that is heard, with its start and end in seconds."""
    heard, _ = _model().transcribe(_resampled(samples, rate), language="en", beam_size=5, word_timestamps=True)
    return [(word.word.strip(), word.start, word.end) for segment in heard for word in segment.words or ()]


def word_error_rate(expected: str, heard: str) -> float:
    """Edits to make the words of `heard` those of `expected`, per word of `expected`, in Whisper's normal form: case, punctuation, British
    spelling and the way a number is written do not count (`whisper_normalizer`, from OpenAI's Whisper)."""
    wanted, got = (_normalizer()(text) for text in (expected, heard))
    return float(jiwer.wer(wanted, got))


def _resampled(samples: np.ndarray, rate: int) -> np.ndarray:
    scale = 32768 if samples.dtype == np.int16 else 1
    return soxr.resample(samples.astype(np.float32) / scale, rate, _RATE)


@dataclass(frozen=True, slots=True)
class Heard:
    """How many words of `expected` (and of how many) `text` has otherwise."""

    errors: int
    words: int
    expected: str
    text: str

    def __str__(self) -> str:
        return f"{self.errors} of {self.words}\n  expected {self.expected}\n  heard    {self.text}"


def hear(samples: np.ndarray, rate: int, sentences: Sequence[Sequence[str]]) -> Heard:
    """Transcribe sentences spoken one after the other. Each has several references, all right: a number may be heard as words or as it is
    written. For each the nearest is taken."""
    return compare(sentences, transcribe(samples, rate))


def compare(sentences: Sequence[Sequence[str]], text: str) -> Heard:
    got = as_heard(text)
    chosen = [references[-1] for references in sentences]
    for place, references in enumerate(sentences):
        chosen[place] = min(references, key=lambda reference: _errors([*chosen[:place], reference, *chosen[place + 1 :]], got)[0])
    return Heard(*_errors(chosen, got), as_heard(" ".join(chosen)), got)


def as_heard(text: str) -> str:
    """Whisper's normal form without what cannot be heard: March 15 or 15th, a.m. or am, 7:45 or 7.45, example.com or example dot com."""
    text = _normalizer()(text.lower().replace(" dot ", "."))
    text = re.sub(r"\b([a-z]) (?=[a-z]\b)", r"\1", text)
    text = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", text)
    return re.sub(r"\b(\d{1,2})[ .:](?=[0-5]\d (?:am|pm|in the|on)\b)", r"\1", text)


def _errors(expected: Sequence[str], heard: str) -> tuple[int, int]:
    found = jiwer.process_words(as_heard(" ".join(expected)), heard)
    return found.substitutions + found.deletions + found.insertions, found.hits + found.substitutions + found.deletions


@functools.cache
def _normalizer() -> EnglishTextNormalizer:
    return EnglishTextNormalizer()


@functools.cache
def _model() -> WhisperModel:
    # float32: int8 hears some words differently. More threads than free cores wait for each other without end.
    return WhisperModel(str(whisper_folder()), device="cpu", compute_type="float32", cpu_threads=1, local_files_only=True)


def whisper_folder() -> Path:
    folder = Path(os.environ.get("FIRESIDE_HOME", "~/.fireside")).expanduser() / "models" / "whisper-base"
    if not folder.is_dir():
        pytest.fail(f"no Whisper at {folder}: run `fireside models prepare --profile cpu` with this FIRESIDE_HOME")
    return folder
