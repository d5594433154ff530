"""The examples as a reader runs them, on the mock profile. Those of heavy libraries need the environment of `make test-examples`."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import wave
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.realtime import house, serving
from tests.servers import ROOT, Server

EXAMPLES = ROOT / "examples"
HEAVY = os.environ.get("EXAMPLES_PYTHON", "")
heavy = pytest.mark.skipif(not HEAVY, reason="needs libraries of its own: make test-examples")
Run = Callable[..., str]


@pytest.fixture
def run(server: Server, tmp_path: Path) -> Run:
    """Runs an example in a folder of its own, and gives what it prints."""

    def run(*command: str) -> str:
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("FIRESIDE_", "OPENAI_", "PYTHON"))}
        env = {**ours, "FIRESIDE_URL": server.url}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def python(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments]


def heavy_python(name: str, *arguments: str) -> list[str]:
    return [HEAVY, str(EXAMPLES / name), *arguments]


@pytest.fixture
def question(server: Server, tmp_path: Path) -> str:
    """A WAV file with sound in it."""
    body = {"model": "tts-1", "input": "What is the capital of France?", "response_format": "pcm"}
    with wave.open(str(tmp_path / "question.wav"), "wb") as file:
        file.setparams((1, 2, 24000, 0, "NONE", ""))
        file.writeframes(httpx.post(f"{server.url}/v1/audio/speech", json=body).content)
    return "question.wav"


def is_heard(path: Path) -> bool:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24000)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return len(samples) > 12000 and bool(samples.any())


def test_chat(run: Run) -> None:
    assert len(run(*python("chat.py", "Hello")).split()) > 3


def test_speech(run: Run, tmp_path: Path) -> None:
    run(*python("speech.py"))
    assert (tmp_path / "speech.mp3").read_bytes()[0] == 0xFF


def test_spoken_chat(run: Run, tmp_path: Path) -> None:
    assert len(run(*python("spoken_chat.py", "Hello")).split()) > 6
    assert is_heard(tmp_path / "answer.wav")


def test_curl(run: Run, tmp_path: Path) -> None:
    told = run("bash", str(EXAMPLES / "curl.sh"))
    for word in ('"mock-text"', '"mock-low"', "[DONE]", '"speech.audio.done"', '"transcript"'):
        assert word in told
    assert (tmp_path / "evening.mp3").read_bytes()[0] == 0xFF


def test_transcription(run: Run, question: str) -> None:
    assert run(*python("transcription.py", question)).strip()


@pytest.mark.anyio
async def test_realtime(question: str, tmp_path: Path) -> None:
    async with house() as home, serving(home) as url:
        home.listener.script.append("What is the capital of France?")
        home.text.enqueue(["It is Paris, as far as I know."])
        env = {**os.environ, "FIRESIDE_URL": url.removesuffix("/v1")}
        process = await asyncio.create_subprocess_exec(*python("realtime.py", question), cwd=tmp_path, env=env, stdout=PIPE, stderr=PIPE)
        told, faults = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, faults
        assert told.decode().startswith("It is Paris, as far as I know.")
        assert home.text.history[-1].messages[-1]["content"] == "What is the capital of France?"
    assert is_heard(tmp_path / "answer.wav")


@heavy
@pytest.mark.parametrize("name", ["pipecat_pipeline.py", "livekit_parts.py"])
def test_a_written_question_is_answered_aloud(run: Run, name: str, tmp_path: Path) -> None:
    assert "written to answer.wav" in run(*heavy_python(name))
    assert is_heard(tmp_path / "answer.wav")


@heavy
@pytest.mark.parametrize("name", ["pipecat_pipeline.py", "livekit_parts.py", "voice_agent.py"])
def test_a_spoken_question_is_answered_aloud(run: Run, name: str, question: str, tmp_path: Path) -> None:
    assert "written to answer.wav" in run(*heavy_python(name, question))
    assert is_heard(tmp_path / "answer.wav")


def test_the_page_lists_all() -> None:
    listed = set(re.findall(r"\]\(([\w.]+)\)", (EXAMPLES / "README.md").read_text()))
    assert listed == {path.name for path in EXAMPLES.iterdir() if path.is_file()} - {"README.md"}
