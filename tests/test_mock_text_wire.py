"""The mock's OpenAI app as an ASGI server drives it: what goes wrong in mid-stream, and clients that leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest

from models.base import Load
from models.errors import EngineFailed
from models.text.mock import MockTextEngine
from settings import Fault, MockText
from tests.contract.shapes import DONE, events

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def started(**settings: Any) -> MockTextEngine:
    engine = MockTextEngine("mock-text", ("gpt-4o-mini",), MockText(**settings))
    await engine.start()
    return engine


async def request(engine: MockTextEngine, path: str = CHAT, method: str = "POST", **more: Any) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": "Say hello."}]} | more
    transport = httpx.ASGITransport(engine.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://mock") as client:
        return await client.request(method, path, json=body)


class Client:
    """A client that sends a request, counts what comes, and leaves when told."""

    def __init__(self, path: str, body: dict[str, Any]) -> None:
        headers = [(b"content-type", b"application/json")]
        self.scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
        self.body = json.dumps(body).encode()
        self.left, self.first = asyncio.Event(), asyncio.Event()
        self.sent: list[MutableMapping[str, Any]] = []

    async def receive(self) -> MutableMapping[str, Any]:
        if self.body:
            body, self.body = self.body, b""
            return {"type": "http.request", "body": body, "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)
        self.first.set()


def hello(**more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Say hello."}], **more}


async def test_an_error_in_mid_stream_is_an_event_and_then_the_end() -> None:
    engine = await started(fault=Fault(kind="mid_stream", after=2))
    *chunks, error, done = events((await request(engine, stream=True)).text)
    assert len(chunks) == 3
    assert error["error"].keys() == {"message", "type", "param", "code"}
    assert (error["error"]["type"], error["error"]["code"], done) == ("InternalServerError", 500, DONE)


async def test_the_same_error_without_a_stream_is_a_500() -> None:
    response = await request(await started(fault=Fault(kind="mid_stream", after=2)))
    assert response.status_code == 500
    assert response.json()["error"]["type"] == "InternalServerError"


async def test_a_dead_engine_is_a_500_before_the_stream() -> None:
    engine = await started()
    engine.crash("lost")
    response = await request(engine, stream=True)
    assert (response.status_code, response.json()["error"]["message"]) == (500, "lost")


@pytest.mark.parametrize("stream", [False, True])
async def test_leaving_before_the_first_token_frees_the_engine(stream: bool) -> None:
    engine, client = await started(ttft=3600), Client(CHAT, hello(stream=stream, n=3))
    serving = asyncio.ensure_future(engine.app(client.scope, client.receive, client.send))
    while engine.load() == Load():
        await asyncio.sleep(0)
    client.left.set()
    await serving
    assert engine.load() == Load()
    assert client.sent[0]["status"] == (200 if stream else 499)  # never nothing: middleware waits for an answer


async def test_leaving_in_mid_stream_sends_no_more() -> None:
    engine, client = await started(), Client(CHAT, hello(stream=True, ignore_eos=True))
    serving = asyncio.ensure_future(engine.app(client.scope, client.receive, client.send))
    await client.first.wait()
    client.left.set()
    await serving
    assert engine.load() == Load()
    assert len(client.sent) < 10


async def test_cancelling_the_server_frees_the_engine() -> None:
    engine, client = await started(ttft=3600), Client(CHAT, hello(stream=True))
    serving = asyncio.ensure_future(engine.app(client.scope, client.receive, client.send))
    await client.first.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert engine.load() == Load()


async def test_every_choice_keeps_its_own_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, loop, naps = await started(ttft=50), asyncio.get_running_loop(), []
    clock = [loop.time()]

    async def nap(seconds: float) -> None:
        naps.append(round(seconds))
        clock[0] += seconds

    monkeypatch.setattr(loop, "time", lambda: clock[0])
    monkeypatch.setattr(engine._life, "sleep", nap)
    await request(engine, n=3, max_tokens=1)
    assert naps == [50]


async def test_an_alias_is_served_under_the_models_own_name() -> None:
    response = await request(await started(), model="gpt-4o-mini")
    assert response.json()["model"] == "mock-text"


async def test_a_request_keeps_the_id_it_came_with() -> None:
    engine = await started()
    transport = httpx.ASGITransport(engine.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://mock", headers={"x-request-id": "abc"}) as client:
        response = await client.post(CHAT, json=hello())
    assert response.json()["id"] == "chatcmpl-abc"
    assert engine.history[-1].request_id == "chatcmpl-abc"


async def test_scripted_arguments_of_a_tool_come_before_made_ones() -> None:
    engine = await started(replies=('{"city": "Paris"}',))
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    response = await request(engine, tools=[tool], tool_choice="required")
    choice = response.json()["choices"][0]
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Paris"}'}
    assert choice["finish_reason"] == "tool_calls"


async def test_ignore_eos_goes_on_to_max_tokens() -> None:
    response = await request(await started(), max_tokens=500, ignore_eos=True)
    assert response.json()["usage"]["completion_tokens"] == 500


async def test_a_scripted_error_is_the_clients_error() -> None:
    engine = await started()
    engine.enqueue([EngineFailed("out of luck")])
    assert (await request(engine)).json()["error"]["message"] == "out of luck"


@pytest.mark.parametrize(("path", "method", "status"), [("/nowhere", "GET", 404), (CHAT, "GET", 405), ("/version", "POST", 405)])
async def test_other_routes_are_refused_as_vllm_does(path: str, method: str, status: int) -> None:
    response = await request(await started(), path, method)
    assert (response.status_code, response.json().keys()) == (status, {"detail"})


async def test_only_json_is_read() -> None:
    transport = httpx.ASGITransport((await started()).app)
    async with httpx.AsyncClient(transport=transport, base_url="http://mock") as client:
        response = await client.post(CHAT, content=b"{}", headers={"content-type": "text/plain"})
    assert (response.status_code, response.json()["error"]["type"]) == (400, "Bad Request")


@pytest.mark.parametrize("body", [b'{"messages": [{"role": "user", "content": "\\ud800"}]}', b'"\xff"'])
async def test_broken_characters_are_refused(body: bytes) -> None:
    transport = httpx.ASGITransport((await started()).app)
    async with httpx.AsyncClient(transport=transport, base_url="http://mock") as client:
        response = await client.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, 400)


async def test_a_body_that_is_nested_without_end_is_refused() -> None:
    engine = await started()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(engine.app), base_url="http://mock") as client:
        answer = await client.post(CHAT, content=b"[" * 100_000, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert "not nested so deeply" in answer.json()["error"]["message"]


async def test_a_part_of_no_kind_at_all_is_refused() -> None:
    answer = await request(await started(), messages=[{"role": "user", "content": [{"type": ["text"]}]}])
    assert answer.status_code == 400


async def test_more_answers_than_openai_gives_are_refused() -> None:
    answer = await request(await started(), n=129)
    assert answer.json()["error"]["message"] == "n must be at most 128, got 129."
