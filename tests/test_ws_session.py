"""What the mock engine cannot show of /ws: a session in this process, over an engine of the test's own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.socket import TextSession
from models.errors import NotReady
from tests.sessions import Client, Engine

pytestmark = pytest.mark.anyio


async def test_a_seed_reaches_the_engine() -> None:
    client = Client(engine := Engine(), TextSession)
    client.send('{"type": "config", "seed": 7, "events": true}')
    client.send("Hello.")
    await client.until("done")
    client.leave()
    await client.session
    assert [job.seed for job in engine.jobs] == [7]


async def test_nothing_is_left_of_a_session_that_has_ended() -> None:
    before = asyncio.all_tasks()
    client = Client(engine := Engine(), TextSession)
    client.send("Please wait. And wait.")
    client.send("Or wait.")
    await engine.begun.wait()
    client.leave()
    await client.session
    assert asyncio.all_tasks() == before


async def test_a_bug_is_told_and_the_socket_closed() -> None:
    client = Client(Engine(), TextSession)
    client.send("A bug.")
    error = (await client.event())["error"]
    assert (error["code"], "secret" in error["message"]) == ("internal_error", False)
    closed = await client.message()
    assert (closed["type"], closed["code"]) == ("websocket.close", 1011)
    await client.session


async def test_a_text_that_was_let_in_is_spoken_though_nothing_new_is() -> None:
    client = Client(Engine(), TextSession)
    known = client.runtime.loaded_speech()
    admitted = iter([known] * 3)  # the socket, its configuration and one text

    def door() -> Any:
        if found := next(admitted, None):
            return found
        raise NotReady("shutting down")

    client.runtime.require_speech = door
    client.send('{"type": "config", "events": true}')
    client.send("One.")
    told = await client.event(), await client.event(), await client.event()
    assert [event["type"] for event in told] == ["sentence.started", "sentence.ended", "done"]
    client.send("Two.")
    assert (await client.event())["error"]["code"] == "not_ready"
    client.leave()
    await client.session
