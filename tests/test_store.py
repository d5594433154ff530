"""The store: whole or not at all, found broken, safe between processes."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from models import loader
from models.errors import WeightsError
from models.manifest import MANIFEST, Card, Progress
from models.store import Builder, Store, coqui_slug, name_of
from settings import Hub, Settings


class Writes(Builder):
    """A builder of one file; `act` runs before it is written."""

    def __init__(self, content: str = "weights", act: Callable[[Path], None] = lambda folder: None) -> None:
        self.content, self.act, self.source = content, act, "path:/models/my model"

    def __call__(self, folder: Path, progress: Progress) -> Card:
        self.act(folder)
        (folder / "sub").mkdir()
        (folder / "sub" / "model.bin").write_text(self.content)
        return Card(kind="text", format="transformers", source=self.source, revision="7", licence="MIT", details={"a": 1})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models")


def test_what_was_added_is_found_again_with_everything_known_about_it(store: Store) -> None:
    store.add("small", Writes())
    (model,) = Store(store.root).list()
    assert (model.name, model.kind, model.revision, model.licence, model.details) == ("small", "text", "7", "MIT", {"a": 1})
    assert [(file.path, file.size) for file in model.files] == [("sub/model.bin", 7)]
    assert store.path("small") == store.root / "small"
    assert store.verify("small", deep=True).size == 7


def test_adding_again_keeps_what_is_there_unless_told_to_replace(store: Store) -> None:
    store.add("small", Writes("first"))
    assert store.add("small", Writes("second!")).size == 5
    assert store.add("small", Writes("second!"), replace=True).size == 7


def test_a_name_is_not_taken_over_by_another_source(store: Store) -> None:
    store.add("small", Writes())
    other = Writes("other")
    other.source = "hub:me/other"
    with pytest.raises(WeightsError, match="there already, from path:/models/my model"):
        store.add("small", other)
    assert store.add("small", other, replace=True).source == "hub:me/other"


def test_a_failed_import_leaves_nothing_and_keeps_the_old_model(store: Store) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise WeightsError("no")

    store.add("small", Writes())
    with pytest.raises(WeightsError, match="no"):
        store.add("small", Writes(act=fail), replace=True)
    assert store.verify("small", deep=True).size == 7
    assert not store.broken()


def kill(folder: Path) -> None:
    (folder / "half").write_text("x")
    os.kill(os.getpid(), signal.SIGKILL)


def add(root: Path, build: Builder, replace: bool = False) -> None:
    Store(root).add("small", build, replace=replace)


def add_and_be_killed(root: Path, replace: bool = False) -> None:
    process = multiprocessing.get_context("fork").Process(target=add, args=(root, Writes(act=kill), replace))
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL


def test_a_killed_import_is_named_with_its_mend_and_never_loaded(store: Store) -> None:
    add_and_be_killed(store.root)
    ((name, why),) = store.broken()
    assert name == "small"
    assert "half-written" in why
    assert "fireside models import '/models/my model' --name small" in why
    with pytest.raises(WeightsError, match="half-written"):
        store.path("small")
    assert store.list() == ()
    assert store.add("small", Writes()).size == 7
    assert not (store.root / "small" / "half").exists()


def test_a_killed_replacement_is_named_while_the_old_model_is_used(store: Store) -> None:
    store.add("small", Writes())
    add_and_be_killed(store.root, replace=True)
    assert [model.name for model in store.list()] == ["small"]
    ((name, why),) = store.broken()
    assert name == "small"
    assert "a new model small is half-written" in why
    assert "fireside models import '/models/my model' --name small --replace" in why
    store.add("small", Writes(), replace=True)
    assert store.broken() == ()


def test_remove_takes_what_a_killed_replacement_had_set_aside(store: Store) -> None:
    store.add("small", Writes()).folder.rename(store.root / ".partial" / ".small.old")
    store.remove("small")
    assert list((store.root / ".partial").iterdir()) == []


def test_a_library_that_is_not_here_is_told_with_the_environment_that_has_it(store: Store) -> None:
    def need(folder: Path) -> None:
        import nothing_of_that_name  # type: ignore[import-not-found]  # noqa: F401

    with pytest.raises(WeightsError, match=r"No module named 'nothing_of_that_name'.*\.venv/cpu/bin/fireside"):
        store.add("small", Writes(act=need))
    assert store.broken() == ()


def test_the_licence_is_the_profiles_or_what_the_import_recorded(store: Store) -> None:
    store.add("small", Writes())
    told = {"small": Hub(hub="me/small"), "other": Hub(hub="me/other", licence="CC0-1.0")}
    settings = Settings(home=store.root.parent, weights=told)
    licences = [loader.licence(settings, model) for model in ("small", "other", str(store.root.parent))]
    assert licences == ["MIT", "CC0-1.0", "unknown"]


def test_two_processes_that_import_the_same_model_make_it_once(store: Store, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    build = Writes(act=lambda folder: (made / str(os.getpid())).touch())
    processes = [multiprocessing.get_context("fork").Process(target=add, args=(store.root, build)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(list(made.iterdir())) == 1


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (lambda folder: (folder / "sub/model.bin").unlink(), "sub/model.bin is missing"),
        (lambda folder: (folder / "sub/model.bin").write_text("we"), "has 2 bytes instead of 7"),
        (lambda folder: (folder / MANIFEST).unlink(), "it is not whole"),
        (lambda folder: (folder / MANIFEST).write_text('{"kind": "text"'), "cannot be read"),
        (lambda folder: (folder / MANIFEST).write_text('{"kind": "cake"}'), "cannot be read"),
    ],
)
def test_a_broken_model_is_named_with_what_is_broken_and_not_loaded(store: Store, harm: Callable[[Path], None], word: str) -> None:
    harm(store.add("small", Writes()).folder)
    with pytest.raises(WeightsError, match=word) as error:
        store.get("small")
    assert "run `fireside models" in str(error.value)
    assert [broken.name for broken in store.broken()] == ["small"]
    assert store.list() == ()
    assert store.add("small", Writes()).size == 7


def test_changed_content_of_the_same_size_is_found_by_the_deep_check_alone(store: Store) -> None:
    (store.add("small", Writes()).folder / "sub/model.bin").write_text("WEIGHTS")
    store.verify("small")
    with pytest.raises(WeightsError, match=r"content of sub/model\.bin has changed.*--replace"):
        store.verify("small", deep=True)


def test_a_manifest_cannot_reach_out_of_its_folder(store: Store) -> None:
    path = store.add("small", Writes()).folder / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["files"][0]["path"] = "../../secret"
    path.write_text(json.dumps(manifest))
    with pytest.raises(WeightsError, match="must lie inside its folder"):
        store.get("small")


@pytest.mark.parametrize("name", ["../up", "/etc", "", ".hidden", "a/b", "a\0", "ö", "a" * 101, "a\n"])
def test_names_that_could_leave_the_store_are_refused(store: Store, name: str) -> None:
    for call in (store.get, store.remove, lambda name: store.add(name, Writes())):
        with pytest.raises(WeightsError, match="cannot name a model"):
            call(name)


def test_remove_forgets_the_model_and_names_one_that_is_not_there(store: Store) -> None:
    store.add("small", Writes())
    store.remove("small")
    assert store.list() == ()
    assert store.broken() == ()
    with pytest.raises(WeightsError, match="fireside models pull small"):
        store.get("small")
    with pytest.raises(WeightsError, match="not in"):
        store.remove("small")


def test_a_path_is_a_folder_on_disk_or_a_clear_error(store: Store, tmp_path: Path) -> None:
    assert store.path(str(tmp_path)) == tmp_path
    with pytest.raises(WeightsError, match=r"no model folder at .*fireside models pull Qwen/Qwen3-8B"):
        store.path("Qwen/Qwen3-8B")


def test_a_coqui_name_is_found_in_the_store_or_in_coquis_own_folder(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "tts_models/en/vctk/vits"
    monkeypatch.setenv("TTS_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=f"fireside models pull {name}"):
        store.path(name)
    folder = tmp_path / "tts" / "tts_models--en--vctk--vits"
    folder.mkdir(parents=True)
    for half in ("vits.zip", "config.json", "model_file.pth"):
        (folder / half).touch()
        with pytest.raises(WeightsError, match=f"fireside models pull {name}"):
            store.path(name)
    (folder / "vits.zip").unlink()
    assert store.path(name) == folder
    assert store.path(str(store.add(str(coqui_slug(name)), Writes()).name)) == store.path(name)


def test_what_a_model_is_called() -> None:
    assert [name_of(model) for model in ("joe", "tts_models/en/vctk/vits", "/models/joe/")] == ["joe", "tts_models--en--vctk--vits", "joe"]
    assert coqui_slug("tts_models/../vctk/vits") is None


def test_progress_is_told_in_bytes(store: Store) -> None:
    told: list[tuple[str, int, int]] = []
    store.add("small", Writes(), progress=lambda *step: told.append(step))
    assert told[-1] == ("checksums", 7, 7)
