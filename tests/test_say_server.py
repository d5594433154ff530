"""`fireside say --server`: a running server speaks, and what comes is what an engine of one's own would make."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import numpy as np
import pytest

from commands.remote import Remote, connected
from models.base import SpeechJob
from models.errors import EngineFailed
from settings import load
from tests.sayings import refused, run, samples, say
from tests.servers import Server, free_port, serve
from voice.wav import header

# More than one request takes (speech.max_chars), with what a server alone would refuse: nothing to say.
TEXT = "# One evening\n\nThe fire is lit, at 9:30 p.m. “Sit down,” she said.\n\n![](fire.png)\n\n***\n\nNobody spoke for 2 hours.\n\n" * 60


def test_it_is_what_an_engine_of_ones_own_makes(server: Server, tmp_path: Path) -> None:
    (tmp_path / "book.md").write_text(TEXT)
    assert len(TEXT) > 4096
    for name, where in (("ours.wav", ()), ("theirs.wav", ("--server", server.url))):
        done = say("-f", "book.md", "-o", name, "--voice", "mock-high", "--speed", 2, *where, folder=tmp_path)
        assert done.returncode == 0, done.stderr
    ours, theirs = ((tmp_path / name).read_bytes() for name in ("ours.wav", "theirs.wav"))
    assert ours == theirs


def test_its_own_defaults_and_the_text_as_it_comes(server: Server) -> None:
    assert samples(say("--server", f"{server.url}/v1/", "-o", "-", stdin=b"Room 12. Now.").stdout).any()


def test_its_refusals_are_told_in_its_words(server: Server) -> None:
    refused(run("Hi.", "--server", server.url, "-o", "-", "--voice", "nobody"), "unknown voice 'nobody': expected one of mock-low")
    refused(run("Hi.", "--server", server.url, "-o", "-", "--model", "tts-9"), "The model `tts-9` does not exist")


def test_an_engine_that_fails_there_is_told(tmp_path: Path) -> None:
    fault = {"FIRESIDE_SPEECH__MOCK__FAULT__KIND": "mid_stream", "FIRESIDE_SPEECH__MOCK__FAULT__MATCH": "fire"}
    with serve("mock", **fault) as server:
        done = say("It is lit. The fire is lit.", "--server", server.url, "-o", tmp_path / "a.wav")
    assert done.returncode == 1
    assert b"sentence 2 of the text could not be spoken: " in done.stderr
    assert b"broke off" in done.stderr
    assert b"0:00:00 of speech are kept" in done.stderr.splitlines()[0]


def test_where_nobody_answers() -> None:
    refused(
        run("Hi.", "--server", f"http://127.0.0.1:{free_port()}", "-o", "-"), "no server answers at http://127.0.0.1:", "fireside serve"
    )
    for url in ("localhost:3000", "http://", "ftp://here"):
        refused(run("Hi.", "--server", url, "-o", "-"), "expected an address such as http://127.0.0.1:3000")


class Guarded(BaseHTTPRequestHandler):
    """Knows one key, and says so as OpenAI does."""

    def do_GET(self) -> None:  # the handler's name for it
        known = self.headers["Authorization"] == "Bearer sesame"
        refusal = {
            "error": {"message": "That key opens nothing.", "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
        }
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"models": []} if known else refusal).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def guarded() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_key_is_sent_and_is_no_setting(guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hello = ("Hi.", "--server", guarded, "-o", "-")
    refused(run(*hello), "error: That key opens nothing.")
    refused(run(*hello, "--api-key", "sesame"), "did not answer with a list of voices: is a Fireside server there?")
    monkeypatch.setenv("FIRESIDE_API_KEY", "sesame")
    refused(run(*hello), "did not answer with a list of voices")
    assert load("mock").speech.engine == "mock"


@pytest.mark.anyio
@pytest.mark.parametrize(("host", "through"), [("127.0.0.1", False), ("localhost", False), ("[::1]", False), ("fire.example", True)])
async def test_a_proxy_learns_nothing_that_is_said_to_this_machine(
    guarded: str, monkeypatch: pytest.MonkeyPatch, host: str, through: bool
) -> None:
    monkeypatch.setenv("http_proxy", guarded)
    monkeypatch.setenv("no_proxy", "")
    async with connected(f"http://{host}:{free_port()}", "sesame") as client:
        with nullcontext() if through else pytest.raises(httpx.ConnectError):
            assert (await client.get("/v1/models")).json() == {"models": []}


@pytest.mark.anyio
async def test_a_server_that_is_busy_is_asked_again() -> None:
    answers = [
        httpx.Response(503, headers={"Retry-After": "1"}, json={"error": {"message": "256 clients already wait"}}),
        httpx.Response(200, content=header(8000, 3) + np.array([1, 2, 3], "<i2").tobytes()),
    ]
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answers.pop(0)), base_url="http://server") as client:
        remote = Remote(client, "", "", "en", normalize=True)
        made = [audio async for audio in remote.synthesize(SpeechJob("ann", 0, "Hi.", ""))]
    assert np.concatenate([audio.samples for audio in made]).tolist() == [1, 2, 3]


@pytest.mark.anyio
async def test_a_server_that_does_not_say_when_to_come_back_is_not() -> None:
    busy = httpx.Response(503, json={"error": {"message": "the speech engine has failed"}})
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: busy), base_url="http://server") as client:
        with pytest.raises(EngineFailed, match="the speech engine has failed"):
            await anext(Remote(client, "", "", "en", normalize=True).synthesize(SpeechJob("ann", 0, "Hi.", "")))
