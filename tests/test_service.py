"""The composed service on mocks: the OpenAI contract through BentoML, ids, models, metrics, and what mock mode may not import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import openai
import pytest

from tests.contract.suite import OpenAIContract
from tests.servers import ROOT, Server, serve

pytestmark = pytest.mark.anyio
HEAVY = ("torch", "vllm", "TTS", "transformers", "onnx", "faster_whisper", "ctranslate2", "onnxruntime")


@pytest.fixture(scope="module")
def paced() -> Iterator[Server]:
    with serve("mock", FIRESIDE_TEXT__MOCK__MAX_MODEL_LEN="2048", FIRESIDE_TEXT__MOCK__TOKENS_PER_SECOND="200") as running:
        yield running


class TestComposedContract(OpenAIContract):
    @pytest.fixture
    def openai_base_url(self, paced: Server) -> str:
        return f"{paced.url}/v1"

    @pytest.fixture
    def model(self) -> str:
        return "mock-text"

    @pytest.fixture
    def running_count(self, paced: Server) -> Callable[[], int]:
        return lambda: int(paced.metric('fireside_running{engine="text"}'))


def test_every_model_is_listed_and_found_by_its_aliases(server: Server) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none")
    assert {model.id for model in client.models.list()} == {"mock-text", "mock-speech", "mock-listening"}
    assert client.models.retrieve("tts-1").id == "mock-speech"
    assert client.models.retrieve("gpt-transcribe").id == "mock-listening"
    with pytest.raises(openai.NotFoundError, match="gpt-9"):
        client.models.retrieve("gpt-9")


def test_a_default_voice_that_is_not_there_is_logged_and_told() -> None:
    with serve("mock", FIRESIDE_SPEECH__DEFAULT_VOICE="mock-hihg") as running:
        answer = httpx.post(f"{running.url}/v1/audio/speech", json={"model": "tts-1", "input": "Hello."})
        assert answer.status_code == 400
        for told in (answer.json()["error"]["message"], running.tail()):
            assert "speech.default_voice names the voice 'mock-hihg', which is not loaded: expected one of mock-low" in told


@pytest.mark.parametrize("path", ["/v1/models", "/readyz", "/v1/audio/voices"])
def test_a_request_keeps_the_id_its_client_gave_it(server: Server, path: str) -> None:
    assert httpx.get(server.url + path, headers={"x-request-id": "mine-7"}).headers["x-request-id"] == "mine-7"


def test_an_id_that_could_forge_a_log_line_is_replaced(server: Server) -> None:
    answer = httpx.get(f"{server.url}/v1/models", headers={"x-request-id": "a b\tc"})
    assert answer.headers["x-request-id"].isalnum()


def test_an_unknown_route_is_told_as_openai_does(server: Server) -> None:
    answer = server.get("/v1/nothing")
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_our_routes_go_around_bentoml_s_wrappers(server: Server) -> None:
    httpx.post(f"{server.url}/generate", json={"prompt": "Hello.", "max_tokens": 1})
    server.get("/v1/models")
    counted = [line for line in server.get("/metrics").text.splitlines() if line.startswith("bentoml_service_request_total")]
    assert any('endpoint="/generate"' in line for line in counted)
    assert not any('endpoint="/v1' in line for line in counted)


def test_the_lives_of_the_engines_are_in_the_log_and_in_the_status(server: Server) -> None:
    log = server.log.read_text()
    assert "speech: ready" in log
    assert "mock-text: ready" in log
    status = server.get("/v1/status").json()
    assert status["ready"] is True
    told = {(kind, engine["state"], engine["detail"]) for kind, engine in status["engines"].items()}
    assert told == {(kind, "ready", "ready") for kind in ("text", "speech", "listening")}


def test_mock_mode_imports_nothing_heavy() -> None:
    code = f"import service, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip().endswith("[]")


@pytest.mark.parametrize("kind", ["speech", "listening"])
def test_the_workers_of_mock_mode_import_nothing_heavy(kind: str) -> None:
    code = f"import models.{kind}.mock, models.{kind}.worker, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
