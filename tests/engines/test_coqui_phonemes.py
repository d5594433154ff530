"""Coqui's tokenizer with the resident espeak."""

from __future__ import annotations

import pytest
from TTS.tts.utils.text.phonemizers import get_phonemizer_by_name

from models.speech import phonemes

pytestmark = pytest.mark.engines


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("tr", "Bu Türkçe, bir örnektir.", "b|ʊ t|ˈø|r|k|tʃ|ɛ, b|ɪ|r œ|r|n|ˈɛ|k|t|ɪ|r."),
        ("en", "Hello, world!", "h|ə|l|ˈoʊ, w|ˈɜː|l|d!"),
        ("en-us", "...", "..."),
    ],
)
def test_coqui_finds_the_resident_espeak_and_keeps_punctuation(language: str, text: str, expected: str) -> None:
    phonemes.install()
    phonemizer = get_phonemizer_by_name("espeak", language=language)
    assert isinstance(phonemizer, phonemes.ResidentESpeak)
    assert phonemizer.phonemize(text) == expected
