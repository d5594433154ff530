"""Model folders: recognised by what lies in them, copied whole, made to stand on their own; lies are refused."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from models.errors import WeightsError
from models.imports.files import builder_for
from models.manifest import StoredModel
from models.store import Store


def safetensors(size: int = 8, promised: int = 8) -> bytes:
    header = json.dumps({"w": {"dtype": "U8", "shape": [promised], "data_offsets": [0, promised]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


def text_folder(root: Path) -> Path:
    folder = root / "text"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(safetensors())
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("no weight")
    return folder


def coqui_folder(root: Path) -> Path:
    folder = root / "coqui"
    folder.mkdir()
    arguments = {"use_speaker_embedding": True, "speakers_file": "/home/ann/speaker_ids.json"}
    config = {
        "audio": {"sample_rate": 22050},
        "speakers_file": "/home/ann/speaker_ids.json",
        "model_args": arguments,
        "phoneme_language": "en",
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "speaker_ids.json").write_text(json.dumps({"p226": 1, "p225": 0}))
    (folder / "model_file.pth").write_bytes(b"weights")
    return folder


def take(path: Path) -> StoredModel:
    return Store(path.parent / "store").add("model", builder_for(path, licence="MIT"))


def test_a_text_folder_is_copied_whole_without_what_is_no_weight(tmp_path: Path) -> None:
    model = take(text_folder(tmp_path))
    assert (model.kind, model.format, model.licence, model.details) == ("text", "transformers", "MIT", {"architecture": "LlamaForCausalLM"})
    assert [file.path for file in model.files] == ["config.json", "model.safetensors", "tokenizer.json"]
    assert (model.folder / "model.safetensors").read_bytes() == safetensors()


def test_a_coqui_folder_needs_nothing_outside_it_afterwards(tmp_path: Path) -> None:
    model = take(coqui_folder(tmp_path))
    assert (model.kind, model.format) == ("speech", "coqui")
    assert model.details == {"language": "en", "rate": 22050, "speakers": ["p225", "p226"]}
    config = json.loads((model.folder / "config.json").read_text())
    assert config["speakers"] == ["p225", "p226"]
    assert "/home/ann" not in json.dumps(config)
    assert (model.folder / "model.pth").read_bytes() == b"weights"


def test_a_whisper_folder_is_for_listening(tmp_path: Path) -> None:
    folder = tmp_path / "whisper"
    folder.mkdir()
    for name in ("model.bin", "vocabulary.json", "config.json"):
        (folder / name).write_text("{}")
    assert take(folder).kind == "listening"


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (lambda folder: (folder / "model.safetensors").write_bytes(safetensors(size=4)), "header promises"),
        (lambda folder: (folder / "model.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + b"{}"), "longer than the file"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"abc"), "longer than the file"),
        (lambda folder: (folder / "model.safetensors").write_bytes(struct.pack("<Q", 2) + b"[]"), "header cannot be read"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer"),
        (lambda folder: (folder / "config.json").write_text("{"), "no JSON"),
        (lambda folder: (folder / "config.json").write_text("[" * 100_000), "no JSON"),
        (lambda folder: (folder / "config.json").write_text("[]"), "expected an object"),
        (lambda folder: (folder / "config.json").unlink(), "no model folder known here"),
        (
            lambda folder: (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-00002.safetensors"}}'),
            "model-00002.safetensors",
        ),
        (
            lambda folder: (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../store/model.safetensors"}}'),
            "names files that are not there",
        ),
        (lambda folder: (folder / "model.safetensors.index.json").write_text('{"weight_map": [1]}'), "not as a model's"),
        (lambda folder: (folder / "config.json").write_text('{"architectures": {"a": 1}}'), "not as a model's"),
    ],
)
def test_a_text_folder_that_lies_is_refused(tmp_path: Path, harm: Callable[[Path], None], word: str) -> None:
    folder = text_folder(tmp_path)
    harm(folder)
    with pytest.raises(WeightsError, match=word):
        take(folder)
    assert Store(tmp_path / "store").broken() == ()


@pytest.mark.parametrize("speakers", ['{"a": 0, "b": 7}', '{"a": "x"}', "[1]", "{"])
def test_speakers_that_make_no_sense_are_refused(tmp_path: Path, speakers: str) -> None:
    folder = coqui_folder(tmp_path)
    (folder / "speaker_ids.json").write_text(speakers)
    with pytest.raises(WeightsError, match=r"speaker_ids\.json"):
        take(folder)


def test_a_file_of_no_known_kind_is_refused_with_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "model.ckpt").touch()
    with pytest.raises(WeightsError, match=r"expected a folder, a \.gguf or"):
        builder_for(tmp_path / "model.ckpt")
    with pytest.raises(WeightsError, match="nothing at"):
        builder_for(tmp_path / "none.gguf")


ODD = [None, 5, "x", [[]], {"a": 1}, "\0", "../../etc/passwd"]


@pytest.mark.parametrize("key", ["audio", "model_args", "speakers", "languages", "speakers_file", "phoneme_language"])
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_a_configuration_with_anything_in_it_is_taken_or_refused(tmp_path: Path, key: str, value: object) -> None:
    folder = coqui_folder(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {key: value}))
    with suppress(WeightsError):
        take(folder)
    assert Store(tmp_path / "store").broken() == ()
