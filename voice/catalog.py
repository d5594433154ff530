"""Which voice a client gets for the model and voice names it sends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.base import Voice
from models.errors import UnknownModel, UnknownVoice


@dataclass(frozen=True)
class Catalog:
    """The loaded voices, and the names that clients have built in for them. An alias that stands for "" is the default voice."""

    voices: tuple[Voice, ...]
    default_voice: str = ""
    voice_aliases: Mapping[str, str] = ()  # type: ignore[assignment]
    model_aliases: Iterable[str] = ()

    def models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(voice.model for voice in self.voices))

    def find(self, voice: str | None = None, model: str | None = None) -> Voice:
        """The voice by its id, its alias, or its speaker's name alone. Raises UnknownModel or UnknownVoice, which say what there is."""
        within = self._of_model(model)
        name = self._resolve_alias(voice, within)
        for candidate in within:
            if name in (candidate.id, candidate.id.rpartition("/")[2]):
                return candidate
        raise UnknownVoice(
            f"unknown voice {voice!r}: expected one of {_some(v.id for v in within)}, or an alias: {_some(self.voice_aliases)}",
            param="voice",
        )

    def _of_model(self, model: str | None) -> tuple[Voice, ...]:
        if model is None or model in self.model_aliases:
            return self.voices
        of_model = tuple(voice for voice in self.voices if voice.model == model)
        if not of_model:
            known = _some([*self.models(), *self.model_aliases])
            raise UnknownModel(f"The model `{model}` does not exist: expected one of {known}.", param="model")
        return of_model

    def _resolve_alias(self, voice: str | None, within: tuple[Voice, ...]) -> str:
        known = {candidate.id for candidate in within}
        if voice is not None and voice not in known:
            voice = self.voice_aliases.get(voice, voice) if self.voice_aliases else voice
        if voice:
            return voice
        return self.default_voice if self.default_voice in known else within[0].id


def _some(names: Iterable[str], most: int = 12) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
