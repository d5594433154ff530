"""`bentoml build` works, and what it builds serves from its own folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.servers import Server, free_port

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("bentoml")
    return {**os.environ, "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True", "FIRESIDE_PROFILE": "mock"}


@pytest.fixture(scope="module")
def bento(environment: dict[str, str]) -> Path:
    command = [sys.executable, "-m", "bentoml", "build", "--output", "tag", str(ROOT)]
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    name, version = built.stdout.strip().splitlines()[-1].removeprefix("__tag__:").split(":")
    return Path(environment["BENTOML_HOME"]) / "bentos" / name / version


@contextmanager
def served(bento: Path, environment: dict[str, str]) -> Iterator[Server]:
    """The bento, started in its own folder."""
    port, log = free_port(), bento.parent / "server.log"
    command = [sys.executable, "-P", "-m", "bentoml", "serve", ".", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as sink:
        process = subprocess.Popen(command, cwd=bento, env=environment, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True)
    server = Server(f"http://127.0.0.1:{port}", process, log)
    try:
        server.wait("/readyz", 200, 60)
        yield server
    finally:
        server.stop()


def modules(folder: Path) -> set[str]:
    packages = ["api", "commands", "models", "voice"]
    return {str(path.relative_to(folder)) for package in packages for path in (folder / package).rglob("*.py")}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_bento_holds_the_service_and_nothing_beside_it(bento: Path) -> None:
    # Served from here, a module that the bento lacks would be found in this checkout all the same: so they are compared.
    assert modules(bento / "src") == modules(ROOT)
    assert files(bento / "src" / "web") == files(ROOT / "web")
    held = {path.name for path in (bento / "src").iterdir()}
    assert {"service.py", "settings", "cli.py", "configs"} <= held
    assert not {"tests", "benchmarks", ".venv", ".git", ".fireside"} & held


def test_the_bento_would_install_the_pinned_gpu_list(bento: Path) -> None:
    installed = (bento / "env" / "python" / "requirements.txt").read_text().split()
    assert set((ROOT / "requirements" / "gpu.txt").read_text().split()) <= set(installed)


def test_its_image_starts_from_a_cuda_base_without_root(bento: Path) -> None:
    dockerfile = (bento / "env" / "docker" / "Dockerfile").read_text()
    assert "FROM nvidia/cuda:13" in dockerfile
    assert "USER bentoml" in dockerfile


def test_its_home_belongs_to_who_serves(bento: Path) -> None:
    """So does then a volume that is mounted there for the first time, and `models prepare` and `keys add` can write into it."""
    folder = bento / "env" / "docker"
    dockerfile = (folder / "Dockerfile").read_text()
    (script,) = folder.glob("script__*")
    assert dockerfile.index(f"./env/docker/{script.name}") < dockerfile.index("USER bentoml")
    home = "/home/bentoml/fireside"
    assert f"install -d -o bentoml -g bentoml {home}" in script.read_text()
    assert f"FIRESIDE_HOME={home}" in dockerfile


def test_the_bento_serves_from_its_own_folder(bento: Path, environment: dict[str, str]) -> None:
    with served(bento, environment) as server:
        question = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Are you there?"}]}
        answer = httpx.post(server.url + "/v1/chat/completions", json=question, timeout=30)
        assert answer.status_code == 200, answer.text
        assert json.loads(answer.text)["choices"][0]["message"]["content"]
        speech = httpx.post(server.url + "/v1/audio/speech", json={"model": "tts-1", "input": "I am."}, timeout=30)
        assert speech.headers["content-type"] == "audio/mpeg"
        assert len(speech.content) > 1000
        assert "<title>Fireside</title>" in server.get("/").text
