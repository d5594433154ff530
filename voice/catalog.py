"""Which voice a client gets for the model and voice names it sends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from models.base import Voice
from models.errors import UnknownModel, UnknownVoice


@dataclass(frozen=True)
class Catalog:
    """The loaded voices, and the names that clients have built in for them. A voice's alias that stands for "" is the default voice.

    A voice is named by its id or by its speaker's name alone. Whoever asks for a name that the settings lead nowhere is told of the
    setting, and gets no other voice.
    """

    voices: tuple[Voice, ...]
    default_voice: str = ""
    voice_aliases: Mapping[str, str] = field(default_factory=dict)
    model_aliases: Mapping[str, str] = field(default_factory=dict)

    def models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(voice.model for voice in self.voices))

    def aliases_of(self, model: str) -> tuple[str, ...]:
        """The names that stand for a model; those that stand for any belong to the default voice's."""
        usual = (_named(self.default_voice, self.voices) or self.voices[0]).model
        return tuple(name for name, target in self.model_aliases.items() if (target or usual) == model)

    def find(self, voice: str | None = None, model: str | None = None) -> Voice:
        """Raises UnknownModel or UnknownVoice, which say what there is."""
        within = self._of_model(model)
        meant = self._meant(voice)
        if not meant:
            return self._default(within)
        if found := _named(meant, within):
            return found
        if elsewhere := _named(meant, self.voices):
            here = f"not of {within[0].model}: expected one of {_some(v.id for v in within)}"
            raise UnknownVoice(f"voice {voice!r} is one of the model {elsewhere.model}, {here}", param="voice")
        if meant != voice:
            raise UnknownVoice(self._leads_nowhere(f"aliases.voices.{voice}", meant), param="voice")
        raise UnknownVoice(
            f"unknown voice {voice!r}: expected one of {_some(v.id for v in within)}, or an alias: {_some(self.voice_aliases)}",
            param="voice",
        )

    def faults(self) -> Iterator[str]:
        """Every setting that names a voice or a model which is not loaded."""
        voices = {"speech.default_voice": self.default_voice}
        voices |= {f"aliases.voices.{name}": voice for name, voice in self.voice_aliases.items()}
        yield from (self._leads_nowhere(place, voice) for place, voice in voices.items() if voice and not _named(voice, self.voices))
        models = {f"aliases.speech.{name}": model for name, model in self.model_aliases.items()}
        yield from (self._no_model(place, model) for place, model in models.items() if model and model not in self.models())

    def _of_model(self, model: str | None) -> tuple[Voice, ...]:
        meant = model if model in self.models() else self.model_aliases.get(model or "", model)
        if not meant:
            return self.voices
        of_model = tuple(voice for voice in self.voices if voice.model == meant)
        if not of_model and meant != model:
            raise UnknownModel(self._no_model(f"aliases.speech.{model}", meant), param="model")
        if not of_model:
            known = _some([*self.models(), *self.model_aliases])
            raise UnknownModel(f"The model `{model}` does not exist: expected one of {known}.", param="model")
        return of_model

    def _meant(self, voice: str | None) -> str:
        if not voice or any(voice == known.id for known in self.voices):
            return voice or ""
        return self.voice_aliases.get(voice, voice)

    def _default(self, within: tuple[Voice, ...]) -> Voice:
        """Of a model that lacks the default voice, its first."""
        if self.default_voice and not _named(self.default_voice, self.voices):
            raise UnknownVoice(self._leads_nowhere("speech.default_voice", self.default_voice), param="voice")
        return _named(self.default_voice, within) or within[0]

    def _leads_nowhere(self, setting: str, voice: str) -> str:
        return f"{setting} names the voice {voice!r}, which is not loaded: expected one of {_some(v.id for v in self.voices)}"

    def _no_model(self, setting: str, model: str) -> str:
        return f"{setting} names the model {model!r}, which is not loaded: expected one of {_some(self.models())}"


def _named(name: str, voices: Iterable[Voice]) -> Voice | None:
    """By id first: a speaker may be called as another model's only voice is."""
    voices = tuple(voices)
    exact = (voice for voice in voices if voice.id == name)
    return next(exact, None) or next((voice for voice in voices if voice.id.rpartition("/")[2] == name), None)


def _some(names: Iterable[str], most: int = 12) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
