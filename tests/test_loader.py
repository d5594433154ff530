"""From settings to engines: what is found out only when an engine starts, and what the process may not do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models import devices, loader
from models.devices import GPU
from models.errors import EngineFailed, SettingsError
from models.memory import GIB
from settings import Settings

pytestmark = pytest.mark.anyio

VLLM = {"engine": "vllm", "model": "small"}
COQUI = {"engine": "coqui", "models": ["ann"]}
NONE = {"engine": "none"}


def share(monkeypatch: pytest.MonkeyPatch, gpus: tuple[GPU, ...], speech: dict[str, Any]) -> dict[str, Any]:
    """What vLLM would be given, had it asked now."""
    monkeypatch.setattr(devices, "gpus", lambda: gpus)
    text, *_ = loader.hosts(Settings(text=VLLM, speech=speech, memory={"margin_gib": 2}))
    assert text is not None
    return text.engine._memory()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("speech", [NONE, COQUI, {**COQUI, "device": "cpu"}], ids=["none", "cuda", "cpu"])
def test_text_gets_what_is_free_less_the_margin_wherever_speech_runs(monkeypatch: pytest.MonkeyPatch, speech: dict[str, Any]) -> None:
    assert share(monkeypatch, (GPU(0, "", 20 * GIB, 24 * GIB),), speech) == {"gpu_memory_utilization": 0.75}


def test_the_first_gpu_that_this_process_sees_is_measured_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = GPU(1, "", 14 * GIB, 24 * GIB), GPU(0, "", 24 * GIB, 24 * GIB)
    assert share(monkeypatch, gpus, NONE) == {"gpu_memory_utilization": 0.5}
    with pytest.raises(SettingsError, match=r"2\.0 GiB of 24\.0 GiB are free"):
        share(monkeypatch, (GPU(0, "", 2 * GIB, 24 * GIB),), NONE)


def test_without_a_gpu_there_is_nothing_to_share(monkeypatch: pytest.MonkeyPatch) -> None:
    assert share(monkeypatch, (), COQUI) == {}


async def test_missing_weights_fail_their_own_engine_and_no_other(tmp_path: Path) -> None:
    text, speech, _ = loader.hosts(Settings(home=tmp_path, speech=COQUI))
    assert text
    assert speech
    for host in (speech, text):
        host.start()
    with pytest.raises(EngineFailed, match="fireside models pull ann"):
        await speech.wait_ready()
    assert speech.status.state == "failed"
    assert (await text.wait_ready()).name == "mock-text"
    await text.stop()


async def test_a_missing_model_is_told_by_its_engine(tmp_path: Path) -> None:
    text, *_ = loader.hosts(Settings(home=tmp_path, text=VLLM, speech=NONE))
    assert text
    text.start()
    with pytest.raises(EngineFailed, match="fireside models pull small"):
        await text.wait_ready()
    await text.stop()
