"""The exchange in docs/speech-stream.md is what a server with the mock voice says; printed anew if it is not."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.servers import ROOT, Server

pytestmark = pytest.mark.anyio
PAGE = ROOT / "docs" / "speech-stream.md"


def exchange(page: Path) -> str:
    found = re.search(r"```text recorded\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert found, f"{page} has no recorded exchange"
    return found[1]


async def replayed(ws: ClientConnection, lines: list[str]) -> str:
    """The same lines of the client, and as many answers of the server after each of them."""
    told = []
    for line in lines:
        if line.startswith("-> "):
            await ws.send(line.removeprefix("-> "))
            told.append(line)
        else:
            told.append(f"<- {_shown(await asyncio.wait_for(ws.recv(), 30))}")
    return "".join(f"{line}\n" for line in told)


def _shown(frame: str | bytes) -> str:
    return f"({len(frame)} bytes of audio)" if isinstance(frame, bytes) else json.dumps(json.loads(frame), ensure_ascii=False)


async def test_the_exchange_is_a_true_one(server: Server) -> None:
    recorded = exchange(PAGE)
    async with connect(server.url.replace("http", "ws") + "/v1/audio/speech/stream") as ws:
        assert await replayed(ws, recorded.splitlines()) == recorded
