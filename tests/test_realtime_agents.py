"""WS /v1/realtime with the openai-agents SDK's own realtime session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from models.text.mock_replies import Called
from tests.realtime import House, Speaker, house, pcm, serving

agents = pytest.importorskip("agents", reason="openai-agents is not installed")
realtime = pytest.importorskip("agents.realtime")

pytestmark = pytest.mark.anyio


class Talk:
    def __init__(self, session: Any) -> None:
        self.session = session
        self.events: list[Any] = []
        self.audio = b""

    async def until(self, kind: str) -> Any:
        async with asyncio.timeout(10):
            async for event in self.session:
                self.events.append(event)
                assert event.type != "error", event
                if event.type == "audio":
                    self.audio += event.audio.data
                if event.type == kind:
                    return event
        raise AssertionError

    async def say(self, seconds: float, *, loud: bool = True) -> None:
        data = pcm(seconds, loud=loud)
        for at in range(0, len(data), 4800):
            await self.session.send_audio(data[at : at + 4800])

    def texts(self) -> list[tuple[str, str]]:
        """The history as the SDK has it."""
        return [(item.role, _text(item)) for item in self.session._history if item.type == "message"]


def _text(item: Any) -> str:
    return " ".join(getattr(part, "text", None) or getattr(part, "transcript", None) or "" for part in item.content)


@asynccontextmanager
async def talking(home: House, **agent: Any) -> AsyncIterator[Talk]:
    async with serving(home) as url:
        runner = realtime.RealtimeRunner(realtime.RealtimeAgent(name="Ada", instructions="Be brief.", **agent))
        config = {"url": f"ws{url[4:]}/realtime?model=gpt-realtime", "api_key": "none"}
        async with await runner.run(model_config=config) as session:
            yield Talk(session)


async def test_a_text_is_answered() -> None:
    async with house() as home, talking(home) as talk:
        home.text.enqueue(["It is late."])
        await talk.session.send_message("What time is it?")
        await talk.until("audio_end")
        await talk.until("agent_end")
        assert talk.audio
        assert talk.texts() == [("user", "What time is it?"), ("assistant", "It is late.")]
        assert home.text.history[-1].messages[0]["content"] == "Be brief."


async def test_speech_is_answered() -> None:
    async with house() as home, talking(home) as talk:
        assert home.listener
        home.listener.script.append("What time is it?")
        home.text.enqueue(["It is late."])
        await talk.say(0.6)
        await talk.say(1.2, loud=False)
        await talk.until("agent_end")
        assert talk.audio
        assert ("assistant", "It is late.") in talk.texts()
        assert ("user", "What time is it?") in talk.texts()


async def test_a_tool_is_called() -> None:
    @agents.function_tool  # type: ignore[untyped-decorator]
    def clock() -> str:
        """The time."""
        return "22:00"

    async with house() as home, talking(home, tools=[clock]) as talk:
        home.text.enqueue([Called("clock"), "It is ten."])
        await talk.session.send_message("What time is it?")
        assert (await talk.until("tool_end")).output == "22:00"
        await talk.until("audio_end")
        assert home.text.history[-1].messages[-1]["content"] == "22:00"


async def test_who_speaks_interrupts() -> None:
    async with house(speaker=Speaker(pace=0.3)) as home, talking(home) as talk:
        home.text.enqueue(["One two three four five six seven eight nine ten. Eleven twelve. Thirteen."])
        await talk.session.send_message("Count.")
        await talk.until("audio")
        await talk.say(0.5)
        await talk.until("audio_interrupted")
        await talk.until("agent_end")
        await talk.say(1.2, loud=False)
        await talk.until("agent_end")
        [said, *_] = [message["content"] for message in home.text.history[-1].messages if message["role"] == "assistant"] or [""]
        assert "Thirteen" not in said
