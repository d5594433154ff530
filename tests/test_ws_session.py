"""What the mock engine cannot show of /ws: a session in this process, over an engine of the test's own."""

from __future__ import annotations

import asyncio

import pytest

from api.socket import TextSession
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
