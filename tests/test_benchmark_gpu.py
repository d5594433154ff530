"""The benchmark of both engines together, on the mock profile: it runs to its end, and what fails is missing and no more."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import settings as configuration
from benchmarks import gpu, recipes, voice
from benchmarks.apart import OtherFailed, Side, apart, sides
from benchmarks.processes import Server, ServerFailed, running
from benchmarks.results import Report

OPTIONS = argparse.Namespace(streams=[1, 2], tokens=8, repeats=1)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(recipes.fireside("mock")) as started:
        yield started


def rows(found: Report) -> list[int]:
    return [len(table.rows) for table in found.tables]


def test_every_row_is_measured(server: Server) -> None:
    found = Report("demo", "A demonstration", "How.")
    gpu.measure(found, server, "mock-text", OPTIONS)
    assert (rows(found), found.missing) == ([2, 2, 2, 2], [])


def test_what_fails_is_missing_and_the_rest_is_measured(server: Server) -> None:
    found = Report("demo", "A demonstration", "How.")
    gpu.measure(found, server, "no-such-model", OPTIONS)
    assert rows(found) == [0, 2, 0, 0]
    assert len(found.missing) == 6
    assert "Text alone, 1: Incomplete: expected 8 tokens, got 0 (refused, status 404)" in found.missing


def test_one_side_that_fails_ends_the_other_too(server: Server) -> None:
    with sides() as (one, other), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(apart, voice.measure, server.port, "http", 1, 1, side=one)
        other.end()
        with pytest.raises(OtherFailed):
            waiting.result()


def test_without_another_side_nothing_goes_on() -> None:
    side = Side()
    side.begin()
    side.done()
    assert not side.goes_on()


def tokenizer(folder: Path) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"vocab_size": 1000, "eos_token_id": 7, "quantization_config": {}}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return str(folder)


@pytest.mark.parametrize("profile", ["gpu", "gpu-8gb", "gpu-16gb", "gpu-80gb"])
def test_the_made_up_llama_holds_what_its_profile_asks_for(tmp_path: Path, profile: str) -> None:
    based = recipes.variant(profile, {"text": {"model": tokenizer(tmp_path / "model")}})
    made = tmp_path / "made"
    made.mkdir()
    text = configuration.load(gpu.dummy(based, made)).text
    config = json.loads((made / "config.json").read_text())
    assert text.model == str(made)
    assert text.args["load_format"] == "dummy"
    assert text.args["max_model_len"] <= config["max_position_embeddings"]
    assert (config["vocab_size"], config["eos_token_id"], config["hidden_size"]) == (1000, 7, 4096)
    assert sorted(file.name for file in made.iterdir()) == ["config.json", "tokenizer.json"]


def test_missing_weights_are_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESIDE_HOME", str(tmp_path))
    with pytest.raises(ServerFailed, match="fireside models prepare --profile gpu"):
        recipes.require_weights("gpu")
    recipes.require_weights("mock")
