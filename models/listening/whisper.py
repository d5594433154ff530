"""Whisper on CTranslate2 behind the Listener contract, with silero to tell speech from silence. Lives in the listening worker."""

from __future__ import annotations

import copy
import ctypes
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray

from models.base import LISTENING_RATE, Heard, Language, ListeningJob, Segment, Word
from models.errors import EngineDied, EngineFailed, Overloaded, WeightsError
from models.listening.short import LONGEST, Turn
from models.listening.silero import Silero

_TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
# Of what somebody waits for. The others cost a minute on what no temperature makes likely: each is read five times over.
_URGENT_TEMPERATURES = (0.0, 0.4)
_URGENT_TOKENS = 220
"""More than are said in Whisper's window, and with the longest prompt as many as there is room for."""
_AUTO = {"cuda": "float16", "cpu": "int8"}
# CTranslate2 has no classes for them. Of memory that did not do for one job; and of a GPU that cannot go on: what comes after fails too.
_EXHAUSTED = ("out of memory", "ALLOC_FAILED", "bad_alloc", "Unable to allocate")
_FATAL = ("CUDA failed", "CUDA error", "cudaError", "CUBLAS_STATUS", "cuDNN")


class WhisperListener:
    """`config`: name, path, device, compute_type, threads, beam_size as in settings.Listening."""

    threads = 1

    def __init__(self, config: dict[str, Any]) -> None:
        self.model = str(config["name"])
        self.device = _device(str(config["device"]))
        self._beam_size = int(config["beam_size"])
        self._whisper = _load(config, self.device, workers=self.threads + 1)
        self._silero = Silero()
        self._warm_up()

    def transcribe(self, job: ListeningJob, cancelled: Callable[[], bool]) -> Iterator[Heard | None]:
        job = replace(job, language=_code(job.language))
        try:
            with suppress(_CancelledError):
                yield from self._turn(job, cancelled) if _is_turn(job) else self._recording(job, cancelled)
        except (RuntimeError, ValueError, MemoryError) as error:
            if _exhausted(error):
                raise Overloaded(f"no memory is left to listen to this audio: try again, or raise memory.margin_gib ({error})") from None
            if any(word in str(error) for word in _FATAL):
                raise EngineDied(f"the GPU failed and the listening worker cannot go on: {error}") from error
            raise EngineFailed(f"Whisper failed on this audio: {error}") from error

    def detector(self) -> Callable[[NDArray[np.float32]], float]:
        return self._silero.stream()

    def _turn(self, job: ListeningJob, cancelled: Callable[[], bool]) -> Iterator[Heard]:
        turn = Turn(self._whisper, job)
        if turn.doubtful:
            yield from self._recording(job, cancelled)
        else:
            yield _language(turn.language.code, turn.language.probability)
            yield from turn.segments

    def _recording(self, job: ListeningJob, cancelled: Callable[[], bool]) -> Iterator[Heard]:
        if not len(job.samples):
            yield Language(job.language or "en", float(bool(job.language)))
            return
        segments, info = _asking(self._whisper, cancelled).transcribe(
            job.samples,
            language=job.language or None,
            task=job.task,
            initial_prompt=job.prompt or None,
            word_timestamps=job.words,
            # What was not speech makes Whisper invent text: silero takes it out, and times are those of the whole.
            vad_filter=True,
            **self._care(job),
        )
        yield _language(info.language, info.language_probability)
        yield from map(_segment, segments)

    def _care(self, job: ListeningJob) -> dict[str, Any]:
        """How often it may be read. A turn without times is read as one window: by its times, Whisper may go through it in small steps."""
        if not job.urgent:
            return {"temperature": _temperatures(job, _TEMPERATURES), "beam_size": self._beam_size}
        temperatures = _temperatures(job, _URGENT_TEMPERATURES)
        few = {"temperature": temperatures, "beam_size": 1, "best_of": 1, "max_new_tokens": _URGENT_TOKENS}
        return few | {"without_timestamps": _is_turn(job)}

    def _warm_up(self) -> None:
        """Both ways once: kernels are chosen, and memory for the longest window is taken, before anybody waits."""
        noise = np.random.default_rng(0).normal(0, 0.01, LISTENING_RATE).astype(np.float32)
        for urgent in (True, False):
            for _ in self.transcribe(ListeningJob("", noise, language="en", temperature=0.0, urgent=urgent), lambda: False):
                pass
        self._silero.stream()(noise[:512])


class _CancelledError(Exception):
    """The job is: what is made of it is for nobody."""


def _asking(whisper: WhisperModel, cancelled: Callable[[], bool]) -> WhisperModel:
    """The same model for one job, which asks `cancelled` before each window: of windows without speech, be it hours, it gives no sign."""

    def encode(features: NDArray[np.float32]) -> Any:
        if cancelled():
            raise _CancelledError
        return whisper.encode(features)

    mine = copy.copy(whisper)
    mine.encode = encode
    return mine


def _exhausted(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or any(words in str(error) for words in _EXHAUSTED)


def _temperatures(job: ListeningJob, otherwise: tuple[float, ...]) -> float | tuple[float, ...]:
    return otherwise if job.temperature is None else job.temperature


def _code(tag: str) -> str:
    """Whisper's own for a language in BCP 47; it calls Javanese by an older code."""
    code = tag.split("-")[0].lower()
    return "jw" if code == "jv" else code


def _language(code: str, probability: float) -> Language:
    return Language("jv" if code == "jw" else code, float(probability))


def _is_turn(job: ListeningJob) -> bool:
    return job.urgent and not job.words and 0 < len(job.samples) <= LONGEST * LISTENING_RATE


def _device(asked: str) -> str:
    return asked if asked != "auto" else "cuda" if ctranslate2.get_cuda_device_count() else "cpu"


def _link_cublas() -> None:
    """CTranslate2 opens CUDA 12's libraries by their names, and nvidia-cublas-cu12 puts them where the linker does not look."""
    nvidia = importlib.util.find_spec("nvidia")
    for folder in (nvidia.submodule_search_locations or []) if nvidia else []:
        for name in ("libcublasLt.so.12", "libcublas.so.12"):
            if (path := Path(folder, "cublas", "lib", name)).is_file():
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


def _load(config: dict[str, Any], device: str, workers: int) -> WhisperModel:
    kind = str(config["compute_type"])
    if device == "cuda":
        _link_cublas()
    try:
        return WhisperModel(
            str(config["path"]),
            device=device,
            compute_type=_AUTO[device] if kind == "auto" else kind,
            cpu_threads=int(config["threads"]),
            num_workers=workers,
            local_files_only=True,
        )
    except (RuntimeError, ValueError, MemoryError) as error:
        if _exhausted(error):
            raise EngineFailed(f"no memory is left for Whisper {config['name']} on {device}: choose a smaller one ({error})") from error
        raise WeightsError(f"Whisper {config['name']} at {config['path']} cannot be loaded on {device} as {kind}: {error}") from error


def _segment(told: Any) -> Segment:
    words = tuple(Word(word.word.strip(), float(word.start), float(word.end)) for word in told.words or ())
    return Segment(
        told.text,
        float(told.start),
        float(told.end),
        words,
        tuple(told.tokens),
        float(told.temperature or 0.0),
        float(told.avg_logprob),
        float(told.compression_ratio),
        float(told.no_speech_prob),
    )
