"""A server of realtime sessions in this process, on a real socket: the mock's text, a tone for speech, and a listener by script."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from numpy.typing import NDArray
from openai import AsyncOpenAI
from openai.types.realtime import RealtimeServerEvent
from openai.types.realtime.realtime_session_create_response import RealtimeSessionCreateResponse
from pydantic import BaseModel, TypeAdapter
from starlette.websockets import WebSocket

from api import errors
from api.queue import Queue
from api.realtime.session import RealtimeSession
from api.requests import RequestIds
from models.base import LISTENING_RATE, WINDOW, Audio, Language, ListeningJob, Load, Segment, SpeechJob, Voice, Word
from models.errors import EngineFailed, NotReady
from models.text.mock import MockTextEngine
from settings import MockText, Settings
from tests.servers import free_port
from voice.catalog import Catalog
from voice.schedule import Scheduler

CHARACTER = 0.05
"""Seconds of speech."""
_events = TypeAdapter[Any](RealtimeServerEvent)
_OURS = {"fireside.speech.suspected", "fireside.speech.dismissed"}


class Speaker:
    """A tone in windows of 0.1 s. `pace`: seconds of work per second of audio. A sentence with `fail` fails, one with `wait` never ends."""

    concurrency = 4

    def __init__(self, pace: float = 0.0) -> None:
        self.pace = pace
        self.running = 0

    async def synthesize(self, job: SpeechJob) -> AsyncGenerator[Audio, None]:
        self.running += 1
        try:
            for audio in _tone(job):
                await asyncio.sleep(self.pace * audio.seconds)
                yield audio
            if "fail" in job.text:
                raise EngineFailed("on purpose")
            if "wait" in job.text:
                await asyncio.Event().wait()
        finally:
            self.running -= 1


def _tone(job: SpeechJob) -> Iterator[Audio]:
    samples = np.full(round(CHARACTER * len(job.text) * 24000), 5000, np.int16)
    words, at = [], 0
    for word in job.text.split():
        begin = job.text.index(word, at)
        at = begin + len(word)
        words.append(Word(word, begin * CHARACTER, at * CHARACTER))
    for start in range(0, len(samples), 2400):
        yield Audio(samples[start : start + 2400], 24000, () if start else tuple(words))


class Listener:
    """Hears a loud window as speech, and writes down what the script says; then `Turn 1.`, `Turn 2.`, ..."""

    name = model = "fake-listener"

    def __init__(self) -> None:
        self.script: deque[str | Exception] = deque()
        self.jobs: list[ListeningJob] = []
        self.running = 0
        self.open = 0
        self.hold: asyncio.Event | None = None
        """Nothing is written down before it is set."""
        self.slowness = 0.0
        """Seconds that it takes to look for speech in a second."""

    def load(self) -> Load:
        return Load(self.running)

    async def detector(self) -> Ears:
        return Ears(self)

    async def transcribe(self, job: ListeningJob) -> AsyncGenerator[Language | Segment, None]:
        self.jobs.append(job)
        self.running += 1
        said = self.script.popleft() if self.script else f"Turn {len(self.jobs)}."
        try:
            await (self.hold.wait() if self.hold else asyncio.sleep(0))
            yield Language("en", 1.0)
            if isinstance(said, Exception):
                raise said
            for word in said.split(" ") if said else ():
                yield Segment(f" {word}", 0, 1)
        finally:
            try:
                await asyncio.sleep(0)  # as a real one, it does not end in no time
            finally:
                self.running -= 1


class Ears:
    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._rest = np.zeros(0, np.float32)
        listener.open += 1

    async def feed(self, samples: NDArray[np.float32]) -> list[float]:
        if self._listener.slowness:
            await asyncio.sleep(self._listener.slowness * len(samples) / LISTENING_RATE)
        self._rest = np.concatenate([self._rest, samples])
        whole = len(self._rest) // WINDOW
        windows, self._rest = self._rest[: whole * WINDOW].reshape(whole, WINDOW), self._rest[whole * WINDOW :]
        return [float(abs(window).mean() > 0.05) for window in windows]

    async def close(self) -> None:
        self._listener.open -= 1


class House:
    """All engines, and the runtime that sessions see. `None` for one that there is not."""

    def __init__(self, *, listener: Listener | None, speaker: Speaker | None, **text: Any) -> None:
        self.text = MockTextEngine("mock-text", ("gpt-4o",), MockText(**text))
        self.listener = listener
        self.speaker = speaker
        self.scheduler = Scheduler(speaker, max_waiting=8) if speaker else None
        self.voices = (Voice("v", "m", "en", 24000, word_times=True), Voice("mute", "m", "en", 24000))
        self.sessions: list[RealtimeSession] = []
        self.now: float | None = None
        """A clock that stands still, in the place of the real one."""
        self.runtime: Any = SimpleNamespace(
            settings=Settings(),
            text=self.text,
            speech=speaker,
            listening=listener,
            text_queue=Queue(8, 8, 60, "requests for text"),
            require_text=lambda: self.text,
            require_speech=self._speech,
            require_listening=self._listening,
            loaded_text=lambda: self.text,
            loaded_speech=self._speech,
            loaded_listening=self._listening,
        )

    def _speech(self) -> tuple[Catalog, Scheduler]:
        if self.scheduler is None:
            raise NotReady("this server has no speech engine")
        return Catalog(self.voices, "v", Settings().aliases.voices), self.scheduler

    def _listening(self) -> Listener:
        if self.listener is None:
            raise NotReady("this server has no listening engine")
        return self.listener

    def idle(self) -> bool:
        listening = self.listener.load() if self.listener else Load()
        speaking = self.scheduler.load() if self.scheduler else Load()
        return self.text.load() == listening == speaking == Load() and not (self.speaker and self.speaker.running)

    async def until_idle(self) -> None:
        async with asyncio.timeout(5):
            while not self.idle():
                await asyncio.sleep(0.005)

    def session(self, socket: WebSocket) -> RealtimeSession:
        real = asyncio.get_running_loop().time
        self.sessions.append(RealtimeSession(self.runtime, socket, lambda: real() if self.now is None else self.now))
        return self.sessions[-1]


@asynccontextmanager
async def house(*, listener: Listener | bool | None = True, speaker: Speaker | bool | None = True, **text: Any) -> AsyncIterator[House]:
    made = House(
        listener=Listener() if listener is True else listener or None, speaker=Speaker() if speaker is True else speaker or None, **text
    )
    await made.text.start()
    try:
        yield made
    finally:
        await made.text.stop()


@asynccontextmanager
async def serving(home: House) -> AsyncIterator[str]:
    """The URL of /v1. At the end nothing is left of any session."""
    app = FastAPI()
    errors.install(app)

    @app.websocket("/v1/realtime")
    async def realtime(websocket: WebSocket) -> None:
        await home.session(websocket).run()

    before = asyncio.all_tasks()
    async with online(app) as url:
        yield url
    await home.until_idle()
    assert not {left for left in asyncio.all_tasks() - before if not left.done()}


@asynccontextmanager
async def online(app: FastAPI) -> AsyncIterator[str]:
    """The URL of /v1 of an app on a real socket in this process."""
    port = free_port()
    named: Any = RequestIds(app)
    server = uvicorn.Server(uvicorn.Config(named, port=port, log_level="critical", lifespan="off", ws="websockets-sansio"))
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        await task


class Client:
    """The official SDK's connection, every event of which is held against the SDK's own models."""

    def __init__(self, connection: Any, patience: float = 10) -> None:
        """`patience`: seconds until the next event is there, or never comes."""
        self.connection = connection
        self.patience = patience
        self.events: list[dict[str, Any]] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self.connection.send({"type": kind, **fields})

    async def event(self) -> dict[str, Any]:
        async with asyncio.timeout(self.patience):  # and not wait_for, which may swallow a cancellation
            raw = json.loads(await self.connection.recv_bytes())
        checked(raw)
        self.events.append(raw)
        return raw

    async def until(self, kind: str) -> dict[str, Any]:
        while (event := await self.event())["type"] != kind:
            assert event["type"] != "error" or kind == "error", event
        return event

    async def until_refused(self, name: str) -> None:
        """Until what was wrong with the client's event of this name is told."""
        while (await self.event()).get("error", {}).get("event_id") != name:
            pass

    async def configure(self, **session: Any) -> dict[str, Any]:
        await self.send("session.update", session={"type": "realtime", **session})
        updated: dict[str, Any] = (await self.until("session.updated"))["session"]
        return updated

    async def write(self, text: str, **item: Any) -> None:
        content = [{"type": "input_text", "text": text}]
        await self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content, **item})

    async def refused(self, kind: str, **fields: Any) -> dict[str, Any]:
        """What is said against it. The session goes on."""
        await self.send(kind, event_id="mine", **fields)
        error: dict[str, Any] = (await self.until("error"))["error"]
        assert error.pop("event_id") == "mine"
        return error

    async def item(self, item_id: str) -> dict[str, Any]:
        await self.send("conversation.item.retrieve", item_id=item_id)
        found: dict[str, Any] = (await self.until("conversation.item.retrieved"))["item"]
        return found

    async def status(self, item_id: str) -> str:
        return str((await self.item(item_id))["status"])

    async def transcript(self, item_id: str) -> str:
        """What the history has of an answer."""
        return str((await self.item(item_id))["content"][0]["transcript"])

    async def say(self, seconds: float, *, loud: bool = True) -> None:
        """Speech, or silence."""
        await self.hear(pcm(seconds, loud=loud))

    async def hear(self, data: bytes) -> None:
        """A recording, as a microphone sends it: 100 ms of pcm at a time."""
        for at in range(0, len(data), 4800):
            await self.send("input_audio_buffer.append", audio=base64.b64encode(data[at : at + 4800]).decode())

    def kinds(self, *, deltas: bool = False) -> list[str]:
        """What came, without the events that come as often as they like."""
        return [event["type"] for event in self.events if deltas or not event["type"].endswith(".delta")]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def audio(self) -> bytes:
        return b"".join(base64.b64decode(event["delta"]) for event in self.of("response.output_audio.delta"))


@asynccontextmanager
async def connected(home: House, model: str = "gpt-realtime", **query: Any) -> AsyncIterator[Client]:
    async with serving(home) as url:
        sdk = AsyncOpenAI(base_url=url, api_key="none")
        async with sdk, sdk.realtime.connect(model=model, extra_query=query) as connection:
            client = Client(connection)
            await client.until("session.created")
            yield client


def checked(raw: dict[str, Any]) -> None:
    """Against the models of the official SDK: nothing is missing, of another type, or unknown to them."""
    if raw["type"] in _OURS:
        return
    told = dict(raw)
    if "session" in raw:  # the SDK's event has a session as it is asked for, and OpenAI's server tells who it is
        _known(RealtimeSessionCreateResponse.model_validate(raw["session"]), raw)
        told["session"] = {name: value for name, value in raw["session"].items() if name not in {"id", "object"}}
    parsed = _events.validate_python(told)
    assert parsed.type == raw["type"], raw
    _known(parsed, raw)


def _known(value: Any, raw: Any) -> None:
    if isinstance(value, BaseModel):
        assert not value.__pydantic_extra__, (value.__pydantic_extra__, raw)
        for name in value.model_fields_set:
            _known(getattr(value, name), raw)
    elif isinstance(value, list):
        for item in value:
            _known(item, raw)


def pcm(seconds: float, *, loud: bool = True, rate: int = 24000) -> bytes:
    at = np.arange(round(seconds * rate)) / rate
    return bytes((12000 * loud * np.sin(2 * np.pi * 220 * at)).astype("<i2").tobytes())


class Local:
    """A connection without a network, as fast as it can be; used as the SDK's."""

    def __init__(self) -> None:
        self._there: asyncio.Queue[Any] = asyncio.Queue()
        self._back: asyncio.Queue[Any] = asyncio.Queue(1)
        self._there.put_nowait({"type": "websocket.connect"})
        scope = {"type": "websocket", "fireside.request_id": "id", "query_string": b"", "headers": []}
        self.socket = WebSocket(scope, self._there.get, self._back.put)

    async def send(self, event: dict[str, Any]) -> None:
        await self.send_raw(json.dumps(event))

    async def send_raw(self, frame: str | bytes) -> None:
        self._there.put_nowait({"type": "websocket.receive", "text" if isinstance(frame, str) else "bytes": frame})

    async def recv_bytes(self) -> bytes:
        while "text" not in (message := await self._back.get()):
            pass
        return bytes(message["text"].encode())

    def leave(self) -> None:
        self._there.put_nowait({"type": "websocket.disconnect", "code": 1000})


@asynccontextmanager
async def local(home: House) -> AsyncIterator[Client]:
    """At the end nothing is left of the session."""
    connection, before = Local(), asyncio.all_tasks()
    task = asyncio.create_task(home.session(connection.socket).run())
    client = Client(connection)
    await client.until("session.created")
    yield client
    connection.leave()
    await asyncio.wait_for(task, 60)
    assert home.idle()
    assert not home.listener or home.listener.open == 0
    assert not (left := asyncio.all_tasks() - before), left
