"""Memory that does not suffice is an error of one sentence or recording, and the next one is made: real models, failures on purpose."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.base import LISTENING_RATE, ListeningJob, SpeechJob
from models.errors import EngineDied, EngineFailed, Overloaded
from models.listening.whisper import WhisperListener
from models.speech import xtts
from models.speech.coqui import CoquiRenderer
from tests.engines import small_whole
from tests.engines.joe import joe
from tests.engines.whisper import whisper_folder

pytestmark = pytest.mark.engines

TEXT = "hello there, my friend."
ERRORS = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 2147483648 bytes."),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    MemoryError("Unable to allocate 2.00 GiB"),
)


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory, xtts_folder: Path) -> CoquiRenderer:
    """VITS, XTTS with one copy, and a model that makes a sentence whole."""
    small_whole.fast_pitch(folder := tmp_path_factory.mktemp("whole"), ["ann", "bob"])
    folders = {"joe": joe(), "xtts": xtts_folder, "whole": folder}
    models = [{"name": name, "path": str(path)} for name, path in folders.items()]
    return CoquiRenderer({"models": models, "device": "cpu", "threads": 2})


def said(renderer: CoquiRenderer, model: str) -> int:
    voice = next(voice.id for voice in renderer.voices() if voice.model == model)
    return sum(len(audio.samples) for audio in renderer.render(SpeechJob("ann", 0, TEXT, voice, seed=1), lambda: False))


class Exhausted:
    """In the place of `work`, it fails: on everything, or on more than `most` rows. `kept` is what it had on the device by then."""

    def __init__(self, error: Exception, work: Callable[..., Any], most: int = 0) -> None:
        self.error, self.work, self.most = error, work, most
        self.kept: list[weakref.ref[torch.Tensor]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.most and len(args[0]) <= self.most:
            return self.work(*args, **kwargs)
        tensor = torch.zeros(1000)
        self.kept.append(weakref.ref(tensor))
        raise self.error


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("model", ["joe", "xtts", "whole"])
def test_a_sentence_without_memory_is_refused_and_the_next_is_made(
    speaking: CoquiRenderer, monkeypatch: pytest.MonkeyPatch, model: str, error: Exception
) -> None:
    engine: Any = next(speaker.model for voice, speaker in speaking._speakers.items() if voice.split("/")[0] == model)
    owner, name = {
        "joe": (engine, "_priors"),
        "xtts": (xtts.Utterance, "step"),
        "whole": (getattr(engine, "_model", None), "synthesize"),
    }[model]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, exhausted := Exhausted(error, getattr(owner, name)))
        with pytest.raises(Overloaded, match="no memory is left for this sentence: try again") as refusal:
            said(speaking, model)
    assert exhausted.kept
    assert all(tensor() is None for tensor in exhausted.kept), "the error holds what it has taken"
    assert refusal.value.retry_after > 0
    assert said(speaking, model) > 1000


def test_a_batch_without_memory_is_made_in_smaller_ones(speaking: CoquiRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    vits: Any = speaking._speakers["joe"].model
    expected = said(speaking, "joe")
    monkeypatch.setattr(speaking._batches, "most", 4)
    monkeypatch.setattr(vits, "_decoded", exhausted := Exhausted(ERRORS[0], vits._decoded, most=1))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: said(speaking, "joe"), range(8))) == [expected] * 8
    assert exhausted.kept, "nothing was made together"


def test_a_broken_gpu_is_the_end_of_the_worker(speaking: CoquiRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    vits: Any = speaking._speakers["joe"].model
    monkeypatch.setattr(vits, "_priors", Exhausted(torch.AcceleratorError("CUDA error: an illegal memory access"), vits._priors))
    with pytest.raises(EngineDied, match="illegal memory access"):
        said(speaking, "joe")


@pytest.fixture(scope="module")
def whisper() -> WhisperListener:
    options = {"name": "whisper-base", "device": "cpu", "compute_type": "int8", "threads": 2, "beam_size": 1}
    return WhisperListener({**options, "path": str(whisper_folder())})


NOISE = np.random.default_rng(0).normal(0, 0.1, LISTENING_RATE).astype(np.float32)


@pytest.mark.parametrize("urgent", [True, False])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("CUDA failed with error out of memory"), Overloaded),
        (RuntimeError("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"), Overloaded),
        (MemoryError("std::bad_alloc"), Overloaded),
        (RuntimeError("std::bad_alloc: cudaErrorMemoryAllocation: out of memory"), Overloaded),
        (RuntimeError("cuBLAS failed with status CUBLAS_STATUS_EXECUTION_FAILED"), EngineDied),
        (RuntimeError("CUDA failed with error an illegal memory access was encountered"), EngineDied),
        (RuntimeError("parallel_for failed: cudaErrorIllegalAddress: an illegal memory access was encountered"), EngineDied),
        (RuntimeError("the beam is broken"), EngineFailed),
    ],
)
def test_a_recording_without_memory_is_refused_and_the_next_is_heard(
    whisper: WhisperListener, monkeypatch: pytest.MonkeyPatch, urgent: bool, error: Exception, told: type[Exception]
) -> None:
    job = ListeningJob("ann", NOISE, language="en", temperature=0.0, urgent=urgent)
    with monkeypatch.context() as patch:
        for name in ("encode", "transcribe"):
            patch.setattr(whisper._whisper, name, Exhausted(error, getattr(whisper._whisper, name)))
        with pytest.raises(told) as failure:
            list(whisper.transcribe(job, lambda: False))
        assert type(failure.value) is told
    assert list(whisper.transcribe(job, lambda: False))
