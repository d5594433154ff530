"""Every other model of Coqui: FastPitch, Tacotron, GlowTTS and their like. They make a sentence at once, one after the other."""

from __future__ import annotations

import pickle
import secrets
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from TTS.tts.models import setup_model

from models.base import Voice
from models.errors import EngineFailed, InvalidInput, WeightsError
from models.speech.sentence import Samples, Speaker
from models.speech.tempo import stretched
from models.speech.vocoder import Vocoder

_PIECE = 0.2
# A character is never longer than this at the voice's own pace: an attention that has lost its place goes on and on.
_LONGEST_CHARACTER = 1.0
_BROKEN = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, AssertionError, pickle.UnpicklingError)
# They draw from the generators of torch and numpy, of which there is one for all models in the process.
_drawing = threading.Lock()


class WholeModel:
    """`vocoder` may be None: Griffin-Lim then does its work, and sounds like it."""

    copies = 1

    def __init__(self, config: Any, checkpoint: Path, vocoder: Vocoder | None, device: str) -> None:
        self._config, self._vocoder = config, vocoder
        self._model = _load(config, checkpoint).to(device)
        self.rate = vocoder.rate if vocoder else int(config.audio.get("output_sample_rate") or config.audio["sample_rate"])
        self.languages: tuple[str, ...] = _languages(self._model)
        self._pace = getattr(self._model, "length_scale", None)

    def voices(self, name: str, licence: str) -> list[Speaker]:
        speakers = _speakers(self._model)
        language = str(self._config.get("phoneme_language") or self._model.language_manager.language_names[0])
        ids = [f"{name}/{speaker.strip()}" for speaker in speakers] if len(speakers) > 1 else [name]
        return [
            Speaker(Voice(voice, name, language, self.rate, licence, "", self.languages), speaker)
            for voice, speaker in zip(ids, speakers or ("",), strict=True)
        ]

    def free(self) -> bool:
        return not _drawing.locked()

    def stream(
        self, text: str, speaker: str, language: str, speed: float, seed: int | None, cancelled: Callable[[], bool]
    ) -> Generator[Samples, None, None]:
        """The work is done before the first piece comes, and the next sentence need not wait until the last is taken."""
        language = self._language(language)
        if cancelled():
            return
        with _drawing, _seeded(seed), torch.inference_mode():
            samples = self._checked(self._made(text, speaker, language, speed), text, speed)
        size = int(self.rate * _PIECE)
        for start in range(0, len(samples), size):
            if cancelled():
                return
            yield samples[start : start + size]

    def _made(self, text: str, speaker: str, language: str, speed: float) -> Samples:
        text = self._speakable(text, language)
        if self._pace is not None:
            self._model.length_scale = self._pace / speed
        made = self._model.synthesize(text, speaker=speaker or None, language=language or None, use_griffin_lim=self._vocoder is None)
        samples: Samples = made["wav"] if self._vocoder is None else self._vocoder.samples(self._model, made["outputs"]["model_outputs"][0])
        samples = np.asarray(samples, np.float32).reshape(-1)
        return samples if self._pace is not None else stretched(samples, self.rate, speed)

    def _speakable(self, text: str, language: str) -> str:
        """FastPitch cannot say a single character."""
        for attempt in (text, f"{text}.", f"{text} {text}"):
            if len(self._model.tokenizer.text_to_ids(attempt, language=language or None)) > 1:
                return attempt
        raise EngineFailed("the voice knows no character of this sentence: choose one for its language")

    def _checked(self, samples: Samples, text: str, speed: float) -> Samples:
        if not np.isfinite(samples).all():
            raise EngineFailed("the voice made samples that are not numbers: its weights do not suit this device")
        seconds = len(samples) / self.rate * speed
        if seconds > _LONGEST_CHARACTER * (len(text) + 4):
            took = f"{seconds:.0f} s of speech for {len(text)} characters"
            raise EngineFailed(f"the voice made {took}, which cannot be right: try again, or with another seed")
        return samples

    def _language(self, wanted: str) -> str:
        if not self.languages:
            return ""
        primary = wanted.lower().split("-")[0]
        found = [language for language in self.languages if language == wanted or language.lower().split("-")[0] == primary]
        if wanted and not found:
            raise InvalidInput(f"this voice does not speak {wanted!r}: it speaks {', '.join(self.languages)}", param="language")
        return (found or list(self.languages))[0]


@contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    """Both generators are afterwards as they were before."""
    seed, numpys = secrets.randbits(63) if seed is None else seed % 2**63, np.random.get_state()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            np.random.set_state(numpys)


def _languages(model: nn.Module) -> tuple[str, ...]:
    return tuple(model.language_manager.language_names) if model.args.get("use_language_embedding") else ()


def _speakers(model: nn.Module) -> tuple[str, ...]:
    config, manager = model.config, model.speaker_manager
    many = any(part.get(key) for part in (config, model.args) for key in ("use_speaker_embedding", "use_d_vector_file"))
    return tuple(manager.speaker_names) if manager is not None and many else ()


def _load(config: Any, checkpoint: Path) -> nn.Module:
    try:
        model = setup_model(config)
        model.load_checkpoint(config, str(checkpoint), eval=True)
    except (ImportError, *_BROKEN) as error:
        raise WeightsError(f"{checkpoint} cannot be loaded as a {config.model} model ({error}): pull or import the model again") from error
    return model.eval()
