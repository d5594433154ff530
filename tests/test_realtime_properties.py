"""Whatever a client does, the session lives on and leaves nothing behind; and the history is what was heard."""

from __future__ import annotations

import asyncio
import base64
import random
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import EngineFailed
from models.text.mock_replies import Called
from tests.realtime import CHARACTER, Client, House, Speaker, house, local, pcm
from voice.history import Said

LOUD, QUIET = (base64.b64encode(pcm(0.4, loud=loud)).decode() for loud in (True, False))
IDS = st.sampled_from(["a", "b", "c", "root", "nobody"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
VAD = st.sampled_from(
    [
        None,
        {"type": "server_vad"},
        {"type": "server_vad", "silence_duration_ms": 100, "interrupt_response": False},
        {"type": "server_vad", "idle_timeout_ms": 100, "create_response": False},
        {"type": "semantic_vad", "eagerness": "high"},
    ]
)
TOOLS = [{"type": "function", "name": "clock"}]
CONTENT = st.sampled_from(
    [
        {"type": "input_text", "text": "Hello"},
        {"type": "input_audio", "audio": LOUD},
        {"type": "input_audio", "transcript": "Hi"},
        {"type": "output_text", "text": "Yes."},
        {"type": "input_image"},
    ]
)
MESSAGES = st.fixed_dictionaries(
    {"type": st.just("message"), "role": st.sampled_from(["user", "assistant", "system"]), "content": st.lists(CONTENT, max_size=2)},
    optional={"id": IDS},
)
ITEMS = MESSAGES | st.fixed_dictionaries({"type": st.just("function_call_output"), "call_id": IDS, "output": st.text(max_size=5)})
RESPONSES = st.fixed_dictionaries(
    {},
    optional={
        "output_modalities": st.sampled_from([["text"], ["audio"], []]),
        "conversation": st.sampled_from(["auto", "none"]),
        "input": st.lists(ITEMS | st.fixed_dictionaries({"type": st.just("item_reference"), "id": IDS}), max_size=2),
        "tools": st.just(TOOLS),
        "max_output_tokens": st.sampled_from([1, 5, "inf"]),
    },
)


def event(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.just(kind), **fields})


EVENTS = st.one_of(
    event("input_audio_buffer.append", audio=st.sampled_from([LOUD, QUIET, LOUD, QUIET, "AAA", "!"])),
    event("input_audio_buffer.append", audio=st.sampled_from([LOUD, QUIET])),
    event("input_audio_buffer.commit"),
    event("input_audio_buffer.clear"),
    event(
        "session.update",
        session=st.fixed_dictionaries({"audio": st.fixed_dictionaries({"input": st.fixed_dictionaries({"turn_detection": VAD})})}),
    ),
    event("session.update", session=st.dictionaries(st.sampled_from(["tools", "audio", "instructions", "x"]), ANYTHING, max_size=2)),
    event("conversation.item.create", item=ITEMS),
    event("conversation.item.create", item=ITEMS, previous_item_id=IDS),
    event("conversation.item.retrieve", item_id=IDS),
    event("conversation.item.delete", item_id=IDS),
    event("conversation.item.truncate", item_id=IDS, content_index=st.just(0), audio_end_ms=st.integers(-1, 2000)),
    event("response.create"),
    event("response.create", response=RESPONSES),
    event("response.cancel"),
    st.dictionaries(st.sampled_from(["type", "event_id", "item"]), ANYTHING, max_size=3),
)


async def talked(events: list[dict[str, Any]], replies: list[Any]) -> None:
    async with house(speaker=Speaker(pace=0.001)) as home:
        home.text.enqueue(replies)
        async with local(home) as client:
            reading = asyncio.create_task(client.until_refused("last"))
            for number, told in enumerate(events):
                await client.connection.send(told)
                if number % 3 == 0:
                    await asyncio.sleep(0.001)
            await client.send("nobody", event_id="last")
            await reading


@given(st.lists(EVENTS, max_size=25), st.lists(st.sampled_from(["Yes. No.", "Wait.", Called("clock"), EngineFailed("no")]), max_size=4))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_a_client_does_the_session_lives_on_and_leaves_nothing_behind(events: list[dict[str, Any]], replies: list[Any]) -> None:
    asyncio.run(talked(events, replies))


WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def written(chance: random.Random) -> str:
    sentences = (" ".join(chance.choices(WORDS, k=chance.randint(3, 9))).capitalize() + "." for _ in range(chance.randint(1, 4)))
    return " ".join(sentences)


def heard(text: str, seconds: float) -> str:
    """Words whose end has been heard, by what the tests' voice takes for a character, and 0.3 s between sentences."""
    kept, clock = 0, 0.0
    for match in re.finditer(r"\S[^.]*\.", text):
        ends = [word.end() for word in re.finditer(r"\S+", match[0])]
        kept = max([kept, *(match.start() + end for end in ends if clock + end * CHARACTER <= seconds)])
        clock += len(match[0]) * CHARACTER + 0.3
    return text[:kept]


class Person:
    """Talks with the server, by a clock that moves only while an answer is listened to."""

    def __init__(self, home: House, client: Client, chance: random.Random) -> None:
        self.home, self.client, self.chance = home, client, chance
        self.speaking = False
        self.heard: list[str] = []

    async def turn(self) -> None:
        text = written(self.chance)
        self.home.text.enqueue([text])
        await self._ask()
        await self.client.until("response.output_audio.delta")
        item = str(self.client.of("response.output_item.added")[-1]["item"]["id"])
        for _ in range(self.chance.randint(0, 9)):
            if (await self.client.event())["type"] == "response.done":
                break
        self.heard.append(await self._listen(text, item))
        assert self._kept(item).text == self.heard[-1]

    async def _ask(self) -> None:
        if not self.speaking and self.chance.random() < 0.5:
            await self.client.write("Go on.")
            await self.client.send("response.create")
            return
        if not self.speaking:
            await self.client.say(0.4)
        self.speaking = False
        await self.client.say(0.6, loud=False)

    async def _listen(self, text: str, item: str) -> str:
        """What was heard of it."""
        assert self.home.now is not None
        conversation, seconds = self.home.sessions[-1].conversation, self.chance.uniform(0, 8)
        if seconds >= conversation.playback.sent:
            await self._to_its_end(item)
            return text
        self.home.now += seconds
        if conversation.making and self.chance.random() < 0.3:
            await self.client.send("response.cancel")
            await self._to_its_end(item)
        else:
            self.speaking = True
            await self.client.say(0.5)
            await self.client.until("input_audio_buffer.speech_started")
            await self._to_its_end(item)
        return await self._corrected(text, item) if self.chance.random() < 0.3 else heard(text, seconds)

    async def _to_its_end(self, item: str) -> None:
        while not any(done["item"]["id"] == item for done in self.client.of("response.output_item.done")):
            await self.client.event()
        while self.client.events[-1]["type"] != "response.done":
            if any(item == out["id"] for done in self.client.of("response.done") for out in done["response"]["output"]):
                return
            await self.client.event()

    async def _corrected(self, text: str, item: str) -> str:
        spoken = self._kept(item).spoken
        assert spoken
        told = 50 * self.chance.randrange(max(1, int(spoken.seconds * 20) - 1)) + 25
        await self.client.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=told)
        await self.client.until("conversation.item.truncated")
        return heard(text, told / 1000)

    def _kept(self, item: str) -> Said:
        kept = self.home.sessions[-1].items.history.get(item)
        assert isinstance(kept, Said)
        return kept


async def conversed(seed: int) -> None:
    async with house(speaker=Speaker()) as home:
        home.now = 1000.0
        async with local(home) as client:
            person = Person(home, client, random.Random(seed))
            for _ in range(4):
                await person.turn()
                home.now += 60
            said = [message["content"] for message in home.sessions[-1].items.history.messages() if message["role"] == "assistant"]
            assert " ".join(said) == " ".join(text for text in person.heard if text)


@pytest.mark.parametrize("seed", range(200))
def test_in_two_hundred_conversations_the_history_is_what_was_heard(seed: int) -> None:
    asyncio.run(conversed(seed))
