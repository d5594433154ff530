"""WS /v1/audio/speech/stream: what holds for whatever is sent to it, over an engine in this process."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from api.speech_stream import StreamSession
from api.stream_messages import server_message
from tests.sessions import VOICES, Client, Engine
from voice.encode import ThreadedEncoder
from voice.schedule import Scheduler
from voice.speak import Flush, SentenceAudio, speak

Message = dict[str, Any]
PIECES = ["Hel", "lo", " there. ", "**Bold** ", "$5 it is! ", "\n\n", "and, ", "so on. ", "😀 ", "One two three. ", "will fail. ", " ", ""]
TEXT = st.sampled_from(PIECES).map(lambda text: {"type": "text", "text": text})
MARK = st.sampled_from([{"type": kind} for kind in ("flush", "end")])
CONFIGURE = st.fixed_dictionaries(
    {"type": st.just("configure")},
    optional={
        "voice": st.just("v"),
        "format": st.sampled_from(["pcm", "mp3", "wav", "flac"]),
        "encoding": st.sampled_from(["binary", "base64"]),
        "words": st.booleans(),
        "speed": st.floats(0.25, 4),
        "seed": st.integers(-(2**63), 2**63 - 1),
    },
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3))
KEYS = st.sampled_from(["type", "text", "utterance", "voice", "speed", "seed", "words", "encoding", "x"])
KINDS = st.sampled_from(["configure", "text", "flush", "end", "cancel", "speak"])
GARBAGE = st.one_of(
    st.binary(max_size=20),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.dictionaries(KEYS, JSON | KINDS, max_size=4).map(json.dumps),
    st.sampled_from(['{"type": "text", "text": "\\ud83d"}', "[" * 2000, "NaN", '{"type": "configure", "speed": 1e999}', "x" * 60000]),
)


class Transcript:
    """The answers, each checked by itself, and what they say of each utterance."""

    def __init__(self) -> None:
        self.events: list[Message] = []
        self.audio: dict[str, bytes] = {}

    async def read(self, client: Client, until: Any) -> Transcript:
        while not until(self):
            frame = await client.message()
            event = json.loads(frame["text"])
            server_message.validate_python(event, strict=True)
            self.events.append(event)
            if event["type"] == "audio":
                data = base64.b64decode(event["audio"]) if "audio" in event else (await client.message())["bytes"]
                self.audio[event["utterance"]] = self.audio.get(event["utterance"], b"") + data
        return self

    def of(self, kind: str, utterance: str | None = None) -> list[Message]:
        return [event for event in self.events if event["type"] == kind and utterance in {None, event["utterance"]}]

    def check(self, utterance: str) -> None:
        """One done at the end; sentences in order, audio without gaps, words in order and inside it."""
        (done,) = self.of("done", utterance)
        mine = [event for event in self.events if event.get("utterance") == utterance]
        assert mine[-1] == done
        position = 0
        for sound in self.of("audio", utterance):
            assert sound["position"] == position
            position += sound["samples"]
        assert position == done["samples"]
        sentences = self.of("sentence.started", utterance)
        assert [sentence["sentence"] for sentence in sentences] == list(range(len(sentences)))
        assert all(one["char_end"] == other["char_start"] for one, other in pairwise(sentences))
        words = [word for sound in self.of("audio", utterance) for word in sound.get("words", ())]
        text = "".join(sentence["text"] for sentence in sentences)
        assert all(text[word["char_start"] : word["char_end"]] == word["word"] for word in words)
        assert all(one["end"] <= other["start"] for one, other in pairwise(words))


def run(scenario: Any) -> None:
    async def alone() -> None:
        await scenario
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(alone())


async def leave(client: Client) -> None:
    client.leave()
    await client.session
    assert (client.scheduler.running, client.scheduler.waiting, client.scheduler._order.owners) == (0, 0, 0)


def utterances(messages: list[Message]) -> Iterator[tuple[Message, list[str | Flush]]]:
    """What each is spoken with, and its pieces. The last is ended in any case."""
    options: Message = {}
    pieces: list[str | Flush] | None = None
    for message in [*messages, {"type": "end"}] if _open(messages) else messages:
        if message["type"] == "configure":
            options = {**options, **message}
        elif message["type"] == "flush":
            if pieces:
                pieces.append(Flush.FLUSH)
        else:
            if pieces is None:
                pieces, mine = [], options
            if message["type"] == "text":
                pieces.append(message["text"])
            else:
                yield mine, pieces
                pieces = None


def _open(messages: list[Message]) -> bool:
    framing = [message["type"] for message in messages if message["type"] in {"text", "end"}]
    return framing[-1:] == ["text"]


async def alone(options: Message, pieces: list[str | Flush]) -> bytes:
    """The same text, spoken by itself."""

    async def source() -> AsyncIterator[str | Flush]:
        for piece in pieces:
            yield piece

    voice = VOICES[0]
    encoder = ThreadedEncoder(options.get("format", "pcm"), voice.rate)
    scheduler, speed = Scheduler(Engine(), 4), options.get("speed", 1.0)
    spoken = speak(source(), owner="alone", voice=voice, scheduler=scheduler, speed=speed, clause_first=True)
    audio = b"".join([await encoder.encode(event.audio) async for event in spoken if isinstance(event, SentenceAudio)])
    return audio + await encoder.close()


@given(messages=st.lists(TEXT | TEXT | MARK | CONFIGURE, max_size=20))
@settings(deadline=None)
def test_every_utterance_is_spoken_as_if_it_were_alone(messages: list[Message]) -> None:
    async def scenario() -> None:
        client = Client(Engine(), StreamSession)
        wanted = list(utterances(messages))
        for message in [*messages, {"type": "end"}] if _open(messages) else messages:
            client.send(json.dumps(message))
        told = await Transcript().read(client, lambda seen: len(seen.of("done")) == len(wanted))
        await leave(client)
        for done, (options, pieces) in zip(told.of("done"), wanted, strict=True):
            told.check(done["utterance"])
            text = "".join(piece for piece in pieces if isinstance(piece, str))
            assert done["characters"] == len(text)
            assert done["status"] == ("failed" if "fail" in text else "completed")
            if done["status"] == "completed":
                assert "".join(sentence["text"] for sentence in told.of("sentence.started", done["utterance"])) == text
                assert told.audio.get(done["utterance"], b"") == await alone(options, pieces)

    run(scenario())


@given(messages=st.lists(TEXT | TEXT | MARK | st.just({"type": "cancel"}) | st.just({"type": "text", "text": "Now wait. "}), max_size=20))
@settings(deadline=None)
def test_a_cancel_leaves_nothing_and_every_utterance_is_done_once(messages: list[Message]) -> None:
    async def scenario() -> None:
        client = Client(Engine(), StreamSession)
        for message in messages:
            client.send(json.dumps(message))
        client.tell("cancel")
        client.tell("configure", seed=7)  # answered after the cancel
        told = await Transcript().read(client, lambda seen: seen.events[-1:] and seen.events[-1].get("seed") == 7)
        assert (client.scheduler.running, client.scheduler.waiting) == (0, 0)
        for utterance in {event["utterance"] for event in told.events if "utterance" in event}:
            told.check(utterance)
        client.tell("text", text="After it.")
        client.tell("end")
        assert (await client.until("done"))["status"] == "completed"
        await leave(client)

    run(scenario())


@given(frames=st.lists(GARBAGE, max_size=10))
@settings(deadline=None)
def test_the_socket_lives_on_whatever_comes(frames: list[str | bytes]) -> None:
    async def scenario() -> None:
        client = Client(Engine(), StreamSession)
        for frame in frames:
            client.send(frame)
        client.tell("cancel")
        client.tell("configure", voice="v", speed=1, format="pcm", words=True, seed=-7)
        told = await Transcript().read(client, lambda seen: seen.events[-1:] and seen.events[-1].get("seed") == -7)
        assert all(event["error"]["message"] for event in told.of("error"))
        client.tell("text", text="Still here.")
        client.tell("end")
        assert (await client.until("done"))["status"] == "completed"
        await leave(client)

    run(scenario())
