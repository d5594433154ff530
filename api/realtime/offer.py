"""What this server has for a session: its models, its voices, and a configuration to begin with."""

from __future__ import annotations

from api.realtime.configuration import Audio, AudioInput, Configuration
from api.realtime.faults import Refused
from api.realtime.items import MOST_CHARACTERS
from api.runtime import Runtime
from models.errors import UnknownModel, UnknownVoice


class Offer:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def beginning(self, model: str | None) -> Configuration:
        """Raises NotReady while an engine that there is cannot be asked."""
        runtime = self._runtime
        model = model or runtime.require_text().name
        self._check_model(model)
        hears = AudioInput() if runtime.listening else AudioInput(turn_detection=None)
        if runtime.listening:
            runtime.require_listening()
        if not runtime.speech:
            return Configuration(model=model, audio=Audio(input=hears), output_modalities=("text",))
        voice = runtime.require_speech()[0].find().id
        return Configuration(model=model, audio=Audio(input=hears)).changed({"audio": {"output": {"voice": voice}}})

    def check(self, wanted: Configuration, before: Configuration, within: str = "session") -> None:
        """What is new in it. What was good before may not be known for a while, as an engine may be loading again."""
        if (characters := wanted.characters) > MOST_CHARACTERS:
            told = f"the {within} has {characters} characters with its instructions and tools: at most {MOST_CHARACTERS} are taken."
            raise Refused("string_above_max_length", told, param=within)
        if wanted.model != before.model:
            self._check_model(wanted.model, f"{within}.model")
        if not wanted.speaks or (before.speaks and wanted.audio.output.voice == before.audio.output.voice):
            return
        if not self._runtime.speech:
            told = "this server has no speech engine: expected output_modalities text."
            raise Refused("invalid_value", told, param=f"{within}.output_modalities")
        try:
            self._runtime.require_speech()[0].find(wanted.audio.output.voice)
        except UnknownVoice as error:
            error.param = f"{within}.audio.output.voice"
            raise

    def _check_model(self, name: str, param: str = "model") -> None:
        aliases = self._runtime.settings.aliases
        known = (self._runtime.require_text().name, *aliases.realtime, *aliases.text)
        if name not in known:
            raise UnknownModel(f"The model `{name}` does not exist: expected one of {', '.join(known)}.", param=param)
