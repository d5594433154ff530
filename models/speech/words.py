"""When each word of a sentence is said, from the durations of its tokens."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.base import Word
from models.speech.spans import word_spans
from models.speech.vits import Tokens


def word_times(text: str, tokens: Tokens, ends: NDArray[np.float64], said: Callable[[str], str]) -> tuple[Word, ...]:
    """The words of `text`, in seconds from the start of the sentence. `ends` are its tokens'; `said` gives the phonemes of a word."""
    words = [word for word in text.split() if any(character.isalnum() for character in word)]
    begins = np.concatenate([[0.0], ends])[list(tokens.places)]
    finishes = ends[list(tokens.places)]
    spans = word_spans(words, tokens.phonemes, said)
    return tuple(
        Word(word, _time(span.start, begins, finishes), _end(span.end, begins, finishes)) for word, span in zip(words, spans, strict=True)
    )


def _time(place: float, begins: NDArray[np.float64], finishes: NDArray[np.float64]) -> float:
    whole = min(int(place), len(begins) - 1)
    return float(begins[whole] + (place - whole) * (finishes[whole] - begins[whole]))


def _end(place: float, begins: NDArray[np.float64], finishes: NDArray[np.float64]) -> float:
    """Not the start of the phoneme behind it: a pause may lie between them."""
    whole = math.ceil(place) - 1
    return float(begins[whole] + (place - whole) * (finishes[whole] - begins[whole])) if whole >= 0 else 0.0
