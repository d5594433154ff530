"""XTTS: one voice in many languages, cloned from a few seconds of speech. Streams a sentence while it is being made."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import itertools
import pickle
import secrets
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from TTS.config import load_config
from TTS.tts.configs.xtts_config import XttsConfig
from TTS.tts.models import xtts

from models.base import Voice
from models.errors import EngineFailed, InvalidInput, WeightsError
from models.speech.clones import Clone
from models.speech.nets import without_weight_norm
from models.speech.parts import parts
from models.speech.reference import RATE, Reference
from models.speech.sentence import Samples, Slots, Speaker
from models.speech.xtts_decoder import StreamedDecoder
from models.speech.xtts_gpt import Sampling, Utterance
from models.speech.xtts_voices import Conditioning, cloned, condition

# Tokens per piece of about 46 ms each. The first is small so that audio starts at once; the vocoder holds back four of them.
PIECES = (8, 12, 16, 20)
# What its text needs beside torch, by language.
_PACKAGES = {"ja": "cutlet", "zh-cn": "pypinyin"}
_DEFAULT_LIMIT = 150


class XttsModel:
    """`copies` sentences at once share its weights. `home` is the folder of cloned voices; None for none."""

    def __init__(self, config: XttsConfig, folder: Path, device: str, copies: int = 1, home: Path | None = None) -> None:
        self.copies, self._slots = copies, Slots(copies)
        self._config, self._device = config, torch.device(device)
        self._model = _load(config, folder).to(self._device)
        self.rate = int(config.model_args.output_sample_rate)
        self.languages: tuple[str, ...] = tuple(language for language in config.languages if _readable(language))
        self._sampling = Sampling(config.temperature, config.top_k, config.top_p, config.repetition_penalty)
        found = self._built_in() | (dict(cloned(self, home)) if home else {})
        self._speakers = {name: conditioning.to(self._device) for name, conditioning in found.items()}

    def voices(self, name: str, licence: str) -> list[Speaker]:
        if not self._speakers:
            raise WeightsError(f"the model {name} has no voice: give it one with `fireside voices clone NAME reference.wav`")
        return [self._speaker(name, licence, speaker, given) for speaker, given in self._speakers.items()]

    def free(self) -> bool:
        return self._slots.free()

    def stream(
        self, text: str, speaker: str, language: str, speed: float, seed: int | None, cancelled: Callable[[], bool]
    ) -> Generator[Samples, None, None]:
        """A text over the model's limits is made in parts."""
        given = self._speakers[speaker]
        spoken = self.language(language or self._own_language(given))
        generator = torch.Generator(self._device).manual_seed(secrets.randbits(63) if seed is None else seed % 2**63)
        with self._slots.taken():
            for part in parts(text.strip(), lambda part: self._fits(part, spoken)):
                yield from self._part(self._tokens(part, spoken), given, speed, generator, cancelled)

    def language(self, wanted: str) -> str:
        """The model's own code for a BCP 47 tag. Raises InvalidInput for a language that it does not speak."""
        primary = wanted.lower().split("-")[0]
        for language in self.languages:
            if language.split("-")[0] == primary:
                return language
        raise InvalidInput(f"this voice does not speak {wanted!r}: it speaks {', '.join(self.languages)}", param="language")

    def condition(self, reference: Reference) -> Conditioning:
        """Clone a voice: what the model keeps of it."""
        config, samples = self._config, torch.from_numpy(reference.samples)[None].to(self._device)
        if config.sound_norm_refs:
            samples = samples / samples.abs().max() * 0.75
        latents = self._model.get_gpt_cond_latents(samples, RATE, config.gpt_cond_len, config.gpt_cond_chunk_len)
        return Conditioning(latents, self._model.get_speaker_embedding(samples[:, : config.max_ref_len * RATE], RATE))

    @functools.cached_property
    def checksum(self) -> str:
        """Of all that a cloned voice depends on: it is cloned again when this changes."""
        model, config = self._model, self._config
        listening = nn.ModuleDict({"gpt": model.gpt.conditioning_encoder, "speaker": model.hifigan_decoder.speaker_encoder})
        if config.model_args.gpt_use_perceiver_resampler:
            listening["perceiver"] = model.gpt.conditioning_perceiver
        digest = hashlib.sha256(repr((config.gpt_cond_len, config.gpt_cond_chunk_len, config.max_ref_len, config.sound_norm_refs)).encode())
        for tensor in listening.state_dict().values():
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def _built_in(self) -> dict[str, Conditioning]:
        manager = self._model.speaker_manager
        found = manager.speakers.items() if manager else ()
        return {name: Conditioning(given["gpt_cond_latent"], given["speaker_embedding"]) for name, given in found}

    def _speaker(self, name: str, licence: str, speaker: str, given: Conditioning) -> Speaker:
        language = self._own_language(given)
        voice = Voice(f"{name}/{speaker}", name, language, self.rate, licence, given.description, self.languages)
        return Speaker(voice, speaker)

    def _own_language(self, given: Conditioning) -> str:
        return self.language(given.language) if given.language else self.languages[0]

    def _part(
        self, tokens: Tensor, given: Conditioning, speed: float, generator: torch.Generator, cancelled: Callable[[], bool]
    ) -> Iterator[Samples]:
        model = self._model
        utterance = Utterance(model.gpt, given.latents, tokens, self._sampling, generator)
        decoder = StreamedDecoder(model.hifigan_decoder, given.embedding, speed)
        for size in itertools.chain(PIECES, itertools.repeat(PIECES[-1])):
            for _ in range(size):
                if cancelled():
                    return
                decoder.add(utterance.step())
                if utterance.ended:
                    yield decoder.finish()
                    return
                if utterance.exhausted:
                    raise EngineFailed("the voice did not come to the end of its sentence: try again, or with another seed")
            yield decoder.feed()

    def _tokens(self, text: str, language: str) -> Tensor:
        return torch.tensor([self._model.tokenizer.encode(text.strip().lower(), lang=language)], device=self._device)

    def _fits(self, text: str, language: str) -> bool:
        limit = self._model.tokenizer.char_limits.get(language.split("-")[0], _DEFAULT_LIMIT)
        most = int(self._config.model_args.gpt_max_text_tokens)
        return len(text) <= int(limit) and len(self._tokens(text, language)[0]) < most


def clone_with(folder: Path, clone: Clone) -> None:
    """Keep what the model in `folder` needs of a cloned voice, so that no server has to find it out."""
    condition(XttsModel(load_config(str(folder / "config.json")), folder, "cpu"), clone)


def _readable(language: str) -> bool:
    package = _PACKAGES.get(language)
    return package is None or importlib.util.find_spec(package) is not None


class _Xtts(xtts.Xtts):  # type: ignore[misc]
    def _load_checkpoint(self, model_path: Path) -> dict[str, Tensor]:
        """Coqui writes a checkpoint of the old kind back to disk in the new one; a stored model must stay as it is."""
        with xtts._legacy_safe_globals():
            weights: dict[str, Tensor] = torch.load(model_path, map_location="cpu", weights_only=True, mmap=True)["model"]
        return weights


def _load(config: XttsConfig, folder: Path) -> _Xtts:
    model = _Xtts(config)
    try:
        model.load_checkpoint(config, checkpoint_dir=str(folder), eval=True, use_deepspeed=False)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{folder} cannot be loaded as an XTTS model ({error}): pull or import the model again") from error
    without_weight_norm(model.hifigan_decoder.waveform_decoder)
    return model
