"""Voices that XTTS clones from recordings of the joe voice, and XTTS inside the real worker process."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import av
import numpy as np
import pytest
import soxr
from typer.testing import CliRunner

from cli import app
from models.base import SpeechJob
from models.errors import InvalidInput, UnknownVoice
from models.speech.coqui import CoquiRenderer
from models.speech.engine import WorkerSpeechEngine
from models.speech.xtts import XttsModel
from tests.engines import small_xtts
from tests.engines.joe import joe

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]
LINES = "The fire had burned down to a bed of coals, and for a while nobody spoke."


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Joe, as somebody would record him: 48 kHz stereo FLAC."""
    renderer = CoquiRenderer({"models": [{"name": "joe", "path": str(joe())}], "device": "cpu"})
    spoken = list(renderer.render(SpeechJob("ann", 0, LINES, "joe", seed=1), lambda: False))
    samples = soxr.resample(np.concatenate([audio.samples for audio in spoken]), spoken[0].rate, 48000)
    path = tmp_path_factory.mktemp("recordings") / "joe.flac"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=48000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.repeat(samples, 2)[None], format="s16", layout="stereo")
        frame.rate = 48000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


def renderer(folder: Path, home: Path) -> CoquiRenderer:
    return small_xtts.Renderer({"models": [{"name": "xtts", "path": str(folder)}], "device": "cpu", "voices": str(home)})


def said(speaking: CoquiRenderer, voice: str, text: str = "hello there.", **options: object) -> np.ndarray:
    made = speaking.render(SpeechJob("ann", 0, text, voice, seed=1, **options), lambda: False)
    return np.concatenate([audio.samples for audio in made])


def test_a_recording_that_lies_there_is_a_voice(xtts_folder: Path, recording: Path, tmp_path: Path) -> None:
    (tmp_path / "joe.flac").write_bytes(recording.read_bytes())
    (tmp_path / "noise.wav").write_text("this is no recording")
    speaking = renderer(xtts_folder, tmp_path)
    voices = {voice.id: voice for voice in speaking.voices()}
    assert list(voices) == ["xtts/Ann Odd", "xtts/bob", "xtts/joe"]
    assert voices["xtts/joe"].description == "cloned from joe.flac"
    assert not np.array_equal(said(speaking, "xtts/joe")[:1000], said(speaking, "xtts/bob")[:1000])
    assert not np.array_equal(said(speaking, "xtts/joe", language="de")[:1000], said(speaking, "xtts/joe")[:1000])
    with pytest.raises(InvalidInput, match="it speaks en, de"):
        said(speaking, "xtts/joe", language="la")
    with pytest.raises(UnknownVoice, match="xtts/joe"):
        said(speaking, "xtts/noise")
    assert len(said(speaking, "xtts/joe", "...")) == 2400


def test_a_voice_is_cloned_once_for_each_model(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "joe.flac").write_bytes(recording.read_bytes())
    cloned: list[str] = []
    condition = XttsModel.condition
    monkeypatch.setattr(XttsModel, "condition", lambda self, heard: (cloned.append(self.checksum), condition(self, heard))[1])
    for seed in (0, 0, 1):
        folder = tmp_path / str(seed)
        folder.mkdir(exist_ok=True)
        small_xtts.write(folder, seed=seed)
        first = said(renderer(folder, tmp_path / "voices"), "xtts/joe")
    assert len(cloned) == len(set(cloned)) == 2
    assert len(list((tmp_path / "voices" / "joe").glob("*.safetensors"))) == 2
    again = said(renderer(tmp_path / "1", tmp_path / "voices"), "xtts/joe")
    np.testing.assert_allclose(again.astype(int), first.astype(int), atol=4)  # loaded anew, sums may be in another order


def test_the_command_clones_a_voice_before_any_server_runs(
    xtts_folder: Path, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRESIDE_HOME", str(tmp_path))
    monkeypatch.setenv("FIRESIDE_SPEECH__ENGINE", "coqui")
    monkeypatch.setenv("FIRESIDE_SPEECH__MODELS", f'["{xtts_folder}"]')
    for variable in [name for name in os.environ if "PROFILE" in name]:
        monkeypatch.delenv(variable)
    refused = CliRunner().invoke(app, ["voices", "clone", "joe", str(recording), "--model", str(xtts_folder)])
    assert refused.exit_code == 1
    assert "speech.agreed_terms" in str(refused.output) + str(refused.exception)
    monkeypatch.setenv("FIRESIDE_SPEECH__AGREED_TERMS", '["cpml"]')
    cloned = CliRunner().invoke(app, ["voices", "clone", "joe", str(recording), "--language", "de"])
    assert cloned.exit_code == 0, cloned.output
    assert [path.suffix for path in sorted((tmp_path / "voices" / "joe").iterdir())] == [".safetensors", ".flac", ".json"]
    wrong = CliRunner().invoke(app, ["voices", "clone", "ann", str(recording), "--language", "tlh"])
    assert wrong.exit_code == 1
    assert not (tmp_path / "voices" / "ann").exists()
    monkeypatch.setattr(XttsModel, "condition", None)
    [*_, voice] = renderer(xtts_folder, tmp_path / "voices").voices()
    assert (voice.id, voice.language) == ("xtts/joe", "de")


@contextlib.asynccontextmanager
async def worker(folder: Path, copies: int) -> AsyncGenerator[WorkerSpeechEngine, None]:
    config = {"models": [{"name": "xtts", "path": str(folder), "licence": "CPML"}], "device": "cpu", "copies": copies}
    engine = WorkerSpeechEngine("speech", "tests.engines.small_xtts:Renderer", config, 200)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def spoken(engine: WorkerSpeechEngine, owner: str, seed: int) -> np.ndarray:
    job = SpeechJob(owner, 0, "hello there, my friend.", "xtts/bob", seed=seed)
    async with contextlib.aclosing(engine.synthesize(job)) as stream:
        return np.concatenate([audio.samples async for audio in stream])


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.anyio
async def test_two_clients_at_once_get_each_its_own(xtts_folder: Path, copies: int) -> None:
    async with worker(xtts_folder, copies) as engine:
        assert engine.voices()[0].languages == ("en", "de")
        alone = [await spoken(engine, "ann", seed) for seed in (1, 2)]
        together = await asyncio.gather(*(spoken(engine, f"client {seed}", seed) for seed in (1, 2, 1, 2)))
    for seed, audio in zip((0, 1, 0, 1), together, strict=True):
        assert np.array_equal(audio, alone[seed])


@pytest.mark.anyio
async def test_a_client_that_leaves_makes_room_for_the_next(xtts_folder: Path) -> None:
    async with worker(xtts_folder, 1) as engine:
        leaving = engine.synthesize(SpeechJob("ann", 0, "hello there, my friend. " * 10, "xtts/bob", seed=1))
        await anext(leaving)
        waiting = asyncio.create_task(spoken(engine, "bob", 2))
        await leaving.aclose()
        assert len(await waiting)
