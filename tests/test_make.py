"""The Makefile's verbs and scripts/environment.sh, without a network: nothing is installed here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
Run = Callable[..., subprocess.CompletedProcess[str]]


def make(*arguments: str) -> str:
    """What `make` prints; the make that runs these tests hands nothing down."""
    own = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PROFILE", "STACK", "PORT", "ARGS"}
    environment = {name: value for name, value in os.environ.items() if name not in own}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def test_bare_make_lists_every_verb() -> None:
    verbs = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"serve", "test", "check", "bench"} <= set(verbs)
    listed = make()
    assert listed == make("help")
    for verb in verbs:
        assert re.search(rf"^{verb} +\w", listed, re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "stack", "lists"),
    [
        (("PROFILE=mock",), "mock", "mock"),
        (("PROFILE=cpu",), "cpu", "cpu weights"),
        (("PROFILE=gpu-8gb",), "gpu", "gpu"),
        (("PROFILE=mine.yaml", "STACK=gpu"), "gpu", "gpu"),
    ],
)
def test_serve_installs_prepares_and_serves_the_profile_in_its_environment(options: tuple[str, ...], stack: str, lists: str) -> None:
    plan, profile = make("-n", "serve", "PORT=4321", *options), options[0].removeprefix("PROFILE=")
    assert re.search(rf"environment\.sh {stack} {lists} *$", plan, re.MULTILINE)
    assert f".venv/{stack}/bin/fireside models prepare --profile {profile}" in plan
    assert f".venv/{stack}/bin/python -m scripts.when_ready {profile} 4321 &" in plan
    assert f"exec .venv/{stack}/bin/fireside serve --profile {profile} --port 4321" in plan


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout whose environment `mine` is made."""
    for folder in ("scripts", "requirements", ".venv/mine/bin"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "environment.sh", tmp_path / "scripts")
    for file in ("requirements/uv.txt", "requirements/light.txt", "pyproject.toml"):
        (tmp_path / file).write_text(f"{file}\n")
    (tmp_path / ".venv/mine/bin/python").symlink_to(sys.executable)
    digest = "{ pwd; cat requirements/uv.txt requirements/light.txt pyproject.toml; } | sha256sum"
    stamp = subprocess.run(["bash", "-c", digest], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    (tmp_path / ".venv/mine/.stamp-light").write_text(stamp)
    return tmp_path


@pytest.fixture
def environment(project: Path) -> Run:
    def run(**variables: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "scripts/environment.sh", "mine", "light"]
        return subprocess.run(command, cwd=project, env={**os.environ, **variables}, capture_output=True, text=True, check=False)

    return run


def test_an_environment_that_is_made_already_is_left_at_once(environment: Run) -> None:
    again = environment(PYTHON="/nowhere/python")  # looked for only if there is something to make
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


@pytest.mark.parametrize("changed", ["requirements/light.txt", "requirements/uv.txt", "pyproject.toml"])
def test_an_environment_is_made_anew_for_other_pins_and_an_absent_python_is_told(environment: Run, project: Path, changed: str) -> None:
    (project / changed).write_text("other\n")
    told = environment(PYTHON="/nowhere/python")
    assert told.returncode != 0
    assert "no Python 3.11 or 3.12 (tried: /nowhere/python)" in told.stderr
    assert "make PYTHON=/path/to/python3.12" in told.stderr


def test_a_python_of_another_version_is_told(environment: Run, project: Path) -> None:
    (project / "pyproject.toml").write_text("other\n")
    old = project / "python3.9"
    old.write_text("#!/bin/sh\n# exits as a Python whose version is refused\nexit 1\n")
    old.chmod(0o755)
    told = environment(PYTHON=str(old))
    assert told.returncode != 0
    assert f"no Python 3.11 or 3.12 (tried: {old})" in told.stderr


def test_a_python_that_makes_no_environments_is_told_what_to_install(environment: Run, project: Path) -> None:
    (project / "pyproject.toml").write_text("other\n")
    bare = project / "bare"
    bare.write_text(f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; *executable*) echo "$0";; *) exec {sys.executable} "$@";; esac\n')
    bare.chmod(0o755)
    told = environment(PYTHON=str(bare))
    assert told.returncode != 0
    assert f"{bare} cannot make virtual environments: run 'make apt'" in told.stderr
