"""What comes fast leaves together, in order and whole; what comes slowly leaves as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.gathering import AT_ONCE, LATEST, MOST, PACE, SHARE, SLOWEST, Gathering
from tests.servers import Server

pytestmark = pytest.mark.anyio
Message = MutableMapping[str, Any]


class Client:
    """What left, and an event for each time; it reads only while it is `open`."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.came = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, message: Message) -> None:
        await self.open.wait()
        self.sent.append(message)
        self.came.set()

    @property
    def bodies(self) -> list[bytes]:
        return [message["body"] for message in self.sent if message["type"] == "http.response.body"]


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def burst(send: Gathering, parts: list[bytes]) -> None:
    for body in parts:
        await send(part(body))


@given(st.lists(st.binary(max_size=3 * MOST // 2), max_size=40), st.binary(max_size=10))
def test_all_that_comes_leaves_in_order_and_ends_once(parts: list[bytes], last: bytes) -> None:
    async def whole() -> None:
        client = Client()
        send = Gathering(client)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await burst(send, parts)
        await send(part(last, more=False))
        send.close()
        assert client.sent[0]["type"] == "http.response.start"
        assert b"".join(client.bodies) == b"".join(parts) + last
        assert [message.get("more_body") for message in client.sent[1:]] == [True] * (len(client.sent) - 2) + [False]

    asyncio.run(whole())


async def test_the_first_leave_as_they_come_and_a_burst_together() -> None:
    client = Client()
    send = Gathering(client)
    await burst(send, [b"%d" % (number % 10) for number in range(AT_ONCE)])
    assert client.bodies == [b"%d" % (number % 10) for number in range(AT_ONCE)]
    await burst(send, [b"x"] * 5)
    assert len(client.bodies) <= AT_ONCE + 1 + 5 // 2  # a slow machine may take PACE for some of them
    client.came.clear()
    if b"".join(client.bodies).count(b"x") < 5:
        await asyncio.wait_for(client.came.wait(), 60)  # by itself: nothing more comes
    assert b"".join(client.bodies).count(b"x") == 5
    send.close()


async def test_each_burst_leaves_by_itself() -> None:
    client = Client()
    send = Gathering(client)
    await burst(send, [b"0"] * AT_ONCE)
    for number in range(1, 6):
        await burst(send, [b"x"] * 3)
        async with asyncio.timeout(10):
            while b"".join(client.bodies).count(b"x") < 3 * number:
                client.came.clear()
                await client.came.wait()
    send.close()


async def test_what_comes_slowly_is_not_held() -> None:
    client = Client()
    send = Gathering(client)
    await burst(send, [b"0"] * AT_ONCE)
    for number in range(1, 4):
        await asyncio.sleep(2 * PACE)  # the pace of the stream itself
        await send(part(b"1"))
        assert len(client.bodies) == AT_ONCE + number
    send.close()


NOW = 100.0


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock by which parts leave stands still."""
    monkeypatch.setattr("api.gathering.perf_counter", lambda: NOW)


@asynccontextmanager
async def streams(amount: int, sent: int) -> AsyncIterator[list[Gathering]]:
    """So many of them, each after so many parts."""
    opened = [Gathering(Client()) for _ in range(amount)]
    for stream in opened:
        await burst(stream, [b"0"] * sent)
    yield opened
    for stream in opened:
        stream.close()


async def check_pace(pace: float) -> None:
    """One more stream holds what comes before `pace` is over, and nothing after it."""
    async with streams(1, AT_ONCE) as (stream,):
        assert stream.holds(b"", NOW + 0.99 * pace)
        assert not stream.holds(b"", NOW + 1.01 * pace)


@pytest.mark.parametrize(("others", "pace"), [(0, PACE), (10, PACE), (39, 40 * SHARE), (300, SLOWEST)])
async def test_with_many_streams_each_is_slower_down_to_the_slowest(still: None, others: int, pace: float) -> None:
    async with streams(others, AT_ONCE):
        await check_pace(pace)
    await check_pace(PACE)  # who is closed is not counted


async def test_a_stream_that_has_sent_little_slows_nobody(still: None) -> None:
    async with streams(300, AT_ONCE - 1):
        await check_pace(PACE)


async def test_who_makes_more_waits_for_who_does_not_read() -> None:
    client = Client()
    send = Gathering(client)
    await burst(send, [b"0"] * AT_ONCE)
    client.open.clear()
    making = asyncio.create_task(burst(send, [b"x" * 1000] * 100))
    done, _ = await asyncio.wait({making}, timeout=20 * LATEST * PACE)
    assert not done
    client.open.set()
    await making
    await send(part(b"", more=False))
    assert b"".join(client.bodies) == b"0" * AT_ONCE + b"x" * 100_000
    send.close()


async def test_nothing_leaves_after_the_close() -> None:
    client = Client()
    send = Gathering(client)
    await burst(send, [b"0"] * (AT_ONCE + 1))
    came = len(client.bodies)
    send.close()
    await asyncio.sleep(2 * LATEST * PACE)
    assert len(client.bodies) == came


def test_a_fast_stream_is_whole_and_comes_in_fewer_pieces(server: Server) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], "stream": True, "max_tokens": 2000, "ignore_eos": True}
    with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=body) as answer:
        pieces = list(answer.iter_raw())
    events = b"".join(pieces).split(b"\n\n")
    assert events[-2:] == [b"data: [DONE]", b""]
    assert len(events) == 2000 + 3  # the role's before them
    assert len(pieces) < len(events) / 2
