"""Coqui's voices behind the Renderer contract. Lives in the speech worker; nothing else imports it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from TTS.config import load_config

from models.base import Audio, Room, SpeechJob, Voice, Word
from models.errors import EngineFailed, ImplausibleAudio, UnknownVoice, WeightsError
from models.speech import phonemes, stats
from models.speech.batches import Batches
from models.speech.exhausted import told_as_such
from models.speech.sentence import SentenceModel, Speaker
from models.speech.silence import Trimmer
from models.speech.vits import Tokens, VitsModel
from models.speech.vocoder import Vocoder
from models.speech.whole import WholeModel
from models.speech.windows import ENOUGH, sizes
from models.speech.words import word_times
from models.speech.xtts import XttsModel

# They log a text that has a character which they do not know: what is spoken is no matter of the log.
for _name in ("TTS.tts.utils.text.tokenizer", "TTS.tts.layers.xtts.zh_num2words"):
    logging.getLogger(_name).setLevel(logging.ERROR)
_CHECKPOINTS = ("model.pth", "model_file.pth", "best_model.pth", "model_file.pth.tar", "model.pth.tar", "checkpoint.pth")
# Files beside a checkpoint, and the key that holds their path on the machine where the voice was trained.
_COMPANIONS = {
    "speakers_file": ("speaker_ids.json", "speaker_ids.pth"),
    "d_vector_file": ("speakers.json", "speakers.pth"),
    "language_ids_file": ("language_ids.json",),
}
# Coqui opens whatever these name, addresses too, and speaks without them: they are for training, and for cloning by VITS.
_ENCODERS = ("speaker_encoder_model_path", "speaker_encoder_config_path")
# And no others: of these alone Coqui loads a checkpoint as data. Its bark unpickles, and so runs, whatever is in one.
_FORWARD = ("fast_pitch", "fast_speech", "fastspeech2", "forward_tts", "speedy_speech")
_WHOLE = frozenset((*_FORWARD, "align_tts", "delightful_tts", "glow_tts", "neuralhmm_tts", "overflow", "tacotron", "tacotron2", "vits"))
_PAUSE = 0.1
_WARM_UP = (
    "Hello.",
    "The fire had burned down to a bed of coals, and for a while nobody spoke, because there was nothing left to say "
    "that the evening had not said.",
)


@dataclass(frozen=True, slots=True)
class _Speaker:
    model: VitsModel | SentenceModel
    name: str


class CoquiRenderer:
    """`config`: models ({name, path, licence} each), device (auto, cuda, cpu), threads, copies, voices (the folder of cloned ones).

    Raises WeightsError for a model it cannot load.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        torch.set_num_threads(1)  # of each thread that renders
        phonemes.install()
        self._device = _device(str(config.get("device", "auto")))
        self._copies, self._clones = int(config.get("copies", 1)), config.get("voices")
        self._batches = Batches()
        self._making: list[SpeechJob] = []
        self.threads = int(config.get("threads", 1))
        self._speakers: dict[str, _Speaker] = {}
        self._voices: list[Voice] = []
        for entry in config["models"]:
            self._add(str(entry["name"]), Path(entry["path"]), str(entry.get("licence", "unknown")))
        # In a batch each sentence needs a thread that waits for it.
        self.threads = max(self.threads, self._batches.most)

    @property
    def device(self) -> str:
        if self._device == "cpu":
            return f"cpu ({self.threads} threads)"
        return f"{self._device} ({torch.cuda.get_device_name()}, {self._batches.most} windows at once)"

    def voices(self) -> tuple[Voice, ...]:
        return tuple(self._voices)

    def room(self, job: SpeechJob) -> Room | None:
        speaker = self._speakers.get(job.voice)
        return None if speaker is None or isinstance(speaker.model, VitsModel) else Room(id(speaker.model), speaker.model.copies)

    def render(self, job: SpeechJob, cancelled: Callable[[], bool]) -> Iterator[Audio]:
        """Windows of the sentence, trimmed; a text with nothing to speak is a short silence. EngineFailed if others come out silent."""
        self._making.append(job)
        try:
            with told_as_such("this sentence"):
                yield from self._render(job, cancelled)
        finally:
            self._making.remove(job)

    def _alone(self) -> bool:
        """Whether no other sentence is in the making. A single thread cannot know: others would be waiting for it."""
        return self.threads > 1 and len(self._making) == 1

    def _render(self, job: SpeechJob, cancelled: Callable[[], bool]) -> Iterator[Audio]:
        if job.voice not in self._speakers:
            raise UnknownVoice(f"no voice {job.voice!r}: there are {', '.join(sorted(self._speakers))}", param="voice")
        speaker = self._speakers[job.voice]
        model, rate = speaker.model, speaker.model.rate
        tokens = model.tokens(job.text) if isinstance(model, VitsModel) else None
        if not any(character.isalnum() for character in job.text) or (tokens and not tokens.ids):
            yield Audio(np.zeros(int(rate * _PAUSE), np.int16), rate)
            return
        try:
            yield from self._spoken(speaker, job, tokens, cancelled)
        except ImplausibleAudio:  # nothing of it has been passed on
            seed = None if job.seed is None else job.seed + 1
            yield from self._spoken(speaker, replace(job, seed=seed), tokens, cancelled)

    def _spoken(self, speaker: _Speaker, job: SpeechJob, tokens: Tokens | None, cancelled: Callable[[], bool]) -> Iterator[Audio]:
        """Raises ImplausibleAudio before any audio."""
        model = speaker.model
        if isinstance(model, VitsModel):
            assert tokens is not None
            return self._windows(model, speaker.name, job, tokens, cancelled)
        return _pieces(model, speaker.name, job, cancelled)

    def _windows(self, model: VitsModel, speaker: str, job: SpeechJob, tokens: Tokens, cancelled: Callable[[], bool]) -> Iterator[Audio]:
        prior = model.prior(tokens, speaker, job.speed, job.seed)
        in_hand = 0.0 if job.plays_at is None else job.plays_at - time.monotonic()
        if in_hand > ENOUGH:
            yield Audio(np.zeros(0, np.int16), model.rate)  # others, who may have nothing yet, get their turn
        words = word_times(job.text, tokens, prior.ends, lambda word: model.tokens(word).phonemes)
        trimmer = Trimmer(model.rate)
        for samples in model.windows(prior, sizes(in_hand, alone=job.plays_at is None and self._alone()), cancelled):
            audio = Audio(_pcm(trimmer.feed(samples)), model.rate)
            if trimmer.started and words:
                audio, words = replace(audio, words=_sooner(words, trimmer.skipped / model.rate)), ()
            yield audio
        if not trimmer.started and not cancelled():
            raise ImplausibleAudio("the voice made only silence for this sentence: try again, or with another seed")
        yield Audio(_pcm(trimmer.finish()), model.rate)

    def _add(self, name: str, folder: Path, licence: str) -> None:
        with told_as_such(f"the model {name}"):
            model = self._load(folder)
        for speaker in _vits_speakers(model, name, licence) if isinstance(model, VitsModel) else model.voices(name, licence):
            self._speakers[speaker.voice.id] = _Speaker(model, speaker.name)
            self._voices.append(speaker.voice)
        self._warm_up(self._voices[-1].id, _WARM_UP if isinstance(model, VitsModel) else _WARM_UP[:1])

    def _load(self, folder: Path) -> VitsModel | SentenceModel:
        match kind := _kind(folder):
            case "vits":
                return self._load_vits(folder)
            case "xtts":
                return XttsModel(_config(folder), folder, self._device, self._copies, Path(self._clones) if self._clones else None)
            case "multilingual vits":
                return _load_whole(folder, self._device)
            case _ if kind in _WHOLE:
                return _load_whole(folder, self._device)
            case _:
                raise _unsupported(folder, kind)

    def _load_vits(self, folder: Path) -> VitsModel:
        config = _config(folder)
        _point_at_companions(config, folder)
        model = VitsModel(config, _checkpoint(folder), self._device, self._batches)
        self._batches.most = max(self._batches.most, model.fastest_batch())
        return model

    def _warm_up(self, voice: str, texts: Sequence[str]) -> None:
        for text in texts:
            for _ in self.render(SpeechJob("warm-up", 0, text, voice, seed=0), lambda: False):
                pass


def _pieces(model: SentenceModel, speaker: str, job: SpeechJob, cancelled: Callable[[], bool]) -> Iterator[Audio]:
    trimmer = Trimmer(model.rate)
    with closing(model.stream(job.text, speaker, job.language, job.speed, job.seed, cancelled)) as stream:
        for samples in stream:
            yield Audio(_pcm(trimmer.feed(samples)), model.rate)
    if not trimmer.started and not cancelled():
        raise ImplausibleAudio("the voice made only silence for this sentence: try again, or with another seed")
    yield Audio(_pcm(trimmer.finish()), model.rate)


def _sooner(words: tuple[Word, ...], seconds: float) -> tuple[Word, ...]:
    return tuple(Word(word.text, max(0.0, word.start - seconds), max(0.0, word.end - seconds)) for word in words)


def _pcm(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.clip(np.rint(samples * 32767), -32768, 32767).astype(np.int16)


def _device(wanted: str) -> str:
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise EngineFailed("speech.device is cuda, but torch finds no CUDA GPU: set it to auto or cpu, or check the driver with nvidia-smi")
    return wanted


def _language_tag(language: str) -> str:
    """espeak's code as BCP 47: en-us is en-US."""
    parts = language.split("-")
    return "-".join([parts[0], *(part.upper() if len(part) == 2 else part for part in parts[1:])])


def _vits_speakers(model: VitsModel, name: str, licence: str) -> Iterator[Speaker]:
    for speaker in model.speakers or ("",):
        # VCTK's first speaker is "ED\n".
        voice = f"{name}/{speaker.strip()}" if len(model.speakers) > 1 else name
        yield Speaker(Voice(voice, name, _language_tag(model.language), model.rate, licence, word_times=True), speaker)


def _kind(folder: Path) -> str:
    """`vits` for those with one language, which stream."""
    path = folder / "config.json"
    if not path.is_file():
        raise WeightsError(f"{folder} holds no config.json: give the folder of a Coqui model, or pull or import it first")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        multilingual = config.get("model") == "vits" and (config.get("model_args") or {}).get("use_language_embedding")
        return "multilingual vits" if multilingual else str(config.get("model"))
    except (ValueError, AttributeError) as error:
        raise WeightsError(f"{path} is not a JSON object ({error}): pull or import the model again") from error


def _unsupported(folder: Path, kind: object) -> WeightsError:
    return WeightsError(f"{folder} is a Coqui model of type {kind}, which is not supported: choose vits, xtts or fast_pitch")


def _config(folder: Path) -> Any:
    try:
        config = load_config(str(folder / "config.json"))
        _check_class(config)
        return config
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ImportError) as error:
        raise WeightsError(f"{folder / 'config.json'} is no configuration of Coqui's ({type(error).__name__}: {error})") from error


def _check_class(config: Any) -> None:
    """Coqui imports the module that a configuration names for its characters, whichever it is."""
    name = (config.get("characters") or {}).get("characters_class")
    if name and not str(name).startswith("TTS."):
        raise ValueError(f"its characters are of {name}, which is no class of Coqui's")


def _load_whole(folder: Path, device: str) -> WholeModel:
    config, beside = _config(folder), folder / "vocoder"
    if (base := config.get("base_model")) not in {None, *_WHOLE}:
        raise _unsupported(folder, base)
    _point_at_companions(config, folder)
    _point_at_statistics(config, folder)
    vocoder = None
    if (beside / "config.json").is_file():
        vocoding = _config(beside)
        _point_at_statistics(vocoding, beside)
        vocoder = Vocoder(vocoding, _checkpoint(beside), device)
    return WholeModel(config, _checkpoint(folder), vocoder, device)


def _point_at_statistics(config: Any, folder: Path) -> None:
    if not config.audio.get("stats_path"):
        return
    config.audio.stats_path = str(folder / "scale_stats.npy")
    stats.check(folder / "scale_stats.npy")


def _checkpoint(folder: Path) -> Path:
    for name in _CHECKPOINTS:
        if (folder / name).is_file():
            return folder / name
    raise WeightsError(f"{folder} holds no checkpoint: expected one of {', '.join(_CHECKPOINTS)}; pull or import the model again")


def _point_at_companions(config: Any, folder: Path) -> None:
    """And at nothing outside the folder: a configuration may name any file, or an address."""
    for key, names in _COMPANIONS.items():
        found = next((folder / name for name in names if (folder / name).is_file()), None)
        for part in (config, config.model_args):
            if key in part and (found or part[key]):
                path = str(found or folder / names[0])
                part[key] = [path] if key == "d_vector_file" else path
    for part in (config, config.model_args):
        part.update({key: "" for key in _ENCODERS if key in part})
