"""One response in the making: the model's words, spoken sentence by sentence as they come, and its calls of tools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np

from api import errors, metrics, turns
from api.accounts import entering, priority
from api.chat_stream import Delta, ToolDelta
from api.realtime.input_audio import LAWS, RATES
from api.realtime.items import Items
from api.realtime.outbox import Outbox, new_id
from api.realtime.output import Call, Message, Place
from api.realtime.plan import Plan
from api.requests import request_id
from api.runtime import Runtime
from api.sound import Sound, encoded
from api.streaming import Cancelled, Disconnected
from api.utterance import Delivery, utter
from models.base import Scope
from models.errors import ContextTooLong, FiresideError
from voice import g711
from voice.encode import ThreadedEncoder
from voice.speak import SentenceStarted, SpeechEvent
from voice.spoken import Spoken

ROUTE = "/v1/realtime"


@dataclass(frozen=True)
class Surroundings:
    """What an answer needs of its session."""

    runtime: Runtime
    scope: Scope
    outbox: Outbox
    items: Items
    conversation_id: str
    understood: Callable[[], Awaitable[None]]
    """Returns when all that was said is written down."""
    sounded: Callable[[float], None]
    """So many seconds of an answer of the conversation were sent."""
    made: Callable[[Answer], None]
    """It is complete, or has failed."""


class Answer:
    def __init__(self, around: Surroundings, plan: Plan, since: float) -> None:
        """`since`: when the user's turn ended, or the client asked for it, by the metrics' clock."""
        self.id = new_id("resp")
        self.plan = plan
        self.message: Message | None = None
        self._around = around
        self._since = since
        self._place = Place(self._say, around.items if plan.conversing else None, [])
        self._spoken = Spoken() if plan.speaks else None
        self._calls: dict[int, list[ToolDelta]] = {}
        self._call: tuple[int, Call] | None = None
        self._usage: dict[str, Any] | None = None
        self._cut_short = False
        self._begun = self._over = self._ended = False
        self._refusal = _refusal(around.runtime)  # at its door: from SIGTERM on none is let in, but this one, once it was told, is
        self._say("response.created", of_response=False, response=self._described("in_progress"))
        self.task = asyncio.create_task(self._run())
        self.task.add_done_callback(self._count_unbegun)

    def interrupt(self, reason: str) -> None:
        """At once: nothing is said of it any more but that it is over."""
        self.task.cancel()
        self._end("cancelled", {"type": "cancelled", "reason": reason})

    def cut(self, seconds: float) -> None:
        """So much of its audio was heard: the history has no more of it."""
        if self.message and self._spoken:
            self.message.said.cut(seconds)

    async def _run(self) -> None:
        self._begun = True
        try:
            with metrics.part("response", ROUTE), entering(self._around.scope):
                await self._make()
        except Exception as error:
            self.cut(self._spoken.seconds if self._spoken else 0)
            self._end("failed", {"type": "failed", "error": _told(error)})
        else:
            cut = {"type": "incomplete", "reason": "max_output_tokens"}
            self._end(*(("incomplete", cut) if self._cut_short else ("completed", None)))
        self._around.made(self)

    def _count_unbegun(self, _: asyncio.Task[None]) -> None:
        """Of a task that is cancelled before its first step nothing runs, and so nobody else counts it."""
        if not self._begun:
            metrics.refused(ROUTE, Cancelled() if self._over else Disconnected(), "response")

    async def _make(self) -> None:
        if self._refusal:
            raise self._refusal
        if self.plan.unheard:
            await self._around.understood()
        if self._spoken:
            await self._speak(self._spoken)
        else:
            async with aclosing(self._words()) as words:
                async for text in words:
                    await self._around.outbox.room()
                    self._opened().write(text)
        self._close_message("incomplete" if self._cut_short else "completed")
        self._tell_calls()

    async def _speak(self, spoken: Spoken) -> None:
        runtime, output = self._around.runtime, self.plan.configuration.audio.output
        voice = runtime.loaded_speech()[0].find(output.voice)
        kind = output.format.type
        with metrics.speech(ROUTE, self._since) as timeline:
            delivery = Delivery(speed=output.speed)
            made = utter(runtime, self._words(), voice, delivery, self._around.scope, timeline, words=voice.word_times)
            encoder = ThreadedEncoder("pcm", voice.rate, output_rate=RATES[kind])
            async with aclosing(encoded(_told_to(spoken, made), encoder)) as events:
                async for event in events:
                    await self._around.outbox.room()
                    if isinstance(event, SentenceStarted):
                        self._opened().write(event.text)
                    elif isinstance(event, Sound) and event.data:
                        timeline.item()
                        self._opened().sound(_packed(event.data, kind))
                        self._sounded(len(event.data) / 2 / RATES[kind])

    def _sounded(self, seconds: float) -> None:
        if self.plan.conversing:
            self._around.sounded(seconds)

    async def _words(self) -> AsyncGenerator[str, None]:
        """The text, from its first letter on. Calls of tools are told as they come, if no text came before them."""
        blank = True
        async with aclosing(self._deltas()) as deltas:
            async for delta in deltas:
                if self._over:
                    return
                self._take(delta)
                text = delta.text.lstrip() if blank else delta.text
                if text:
                    blank = False
                    self._opened()
                    yield text

    async def _deltas(self) -> AsyncGenerator[Delta, None]:
        """If the conversation has become too long for the model, its beginning is left out, unless the session wants to be told."""
        runtime = self._around.runtime
        messages = self._messages()
        while True:
            try:
                body = self.plan.body(runtime.loaded_text().name, messages)
                name = f"{request_id(self._around.scope)}.{self.id}"
                async with aclosing(turns.chat(runtime, body, name, priority(self._around.scope))) as deltas:
                    async for delta in deltas:
                        yield delta
                return
            except ContextTooLong:
                less = None if self.plan.configuration.truncation == "disabled" or self._place.begun else shorter(messages)
                if less is None:
                    raise
                messages = less

    def _messages(self) -> list[dict[str, Any]]:
        history = self._around.items.history if self.plan.input is None else self.plan.input
        return history.messages(self.plan.configuration.instructions)

    def _take(self, delta: Delta) -> None:
        self._usage = delta.usage or self._usage
        self._cut_short |= delta.finish_reason == "length"
        for tool in delta.tools:
            self._calls.setdefault(tool.index, []).append(tool)
        if self.message is None:
            self._tell_calls(to_the_end=False)

    def _tell_calls(self, *, to_the_end: bool = True) -> None:
        """All of them but the last are whole."""
        for index in sorted(self._calls):
            if self._call is None or self._call[0] != index:
                self._close_call("completed")
                first = self._calls[index][0]
                self._call = index, Call(self._place, first.call_id, first.name)
            for tool in self._calls.pop(index):
                if tool.arguments:
                    self._call[1].write(tool.arguments)
        if to_the_end:
            self._close_call("incomplete" if self._cut_short else "completed")

    def _opened(self) -> Message:
        if self.message is None:
            self.message = Message(self._place, spoken=self._spoken)
        return self.message

    def _close_message(self, status: str) -> None:
        if self.message and not self._ended:
            self._ended = True
            self.message.end(status)

    def _close_call(self, status: str) -> None:
        if self._call:
            self._call[1].end(status)
            self._call = None

    def _end(self, status: str, details: dict[str, Any] | None) -> None:
        if self._over:
            return
        self._close_message("incomplete")
        self._close_call("incomplete")
        self._say("response.done", of_response=False, response=self._described(status) | {"status_details": details})
        self._over = True

    def _say(self, kind: str, *, of_response: bool = True, **fields: Any) -> None:
        if not self._over:
            named = {"response_id": self.id} if of_response else {}
            self._around.outbox.say(kind, **named, **fields)

    def _described(self, status: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "realtime.response",
            "status": status,
            "status_details": None,
            "output": list(self._place.output),
            "conversation_id": self._around.conversation_id if self.plan.conversing else None,
            "usage": _usage(self._usage),
            **self.plan.described(),
        }


async def _told_to(spoken: Spoken, events: AsyncGenerator[SpeechEvent, None]) -> AsyncGenerator[SpeechEvent, None]:
    async with aclosing(events):
        async for event in events:
            spoken.tell(event)
            yield event


def _packed(data: bytes, kind: str) -> bytes:
    law = LAWS.get(kind)
    return g711.encode(np.frombuffer(data, np.int16), law) if law else data


def shorter(messages: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Without the older half, beginning with what the user said, so that no call of a tool loses its result; None if all are needed.

    What the system said at the beginning stays.
    """
    kept = list(takewhile(lambda message: message["role"] == "system", messages))
    rest = messages[len(kept) :]
    begins = [place for place, message in enumerate(rest) if place and message["role"] == "user"]
    begins = begins or [place for place, message in enumerate(rest) if place and message["role"] != "tool"]
    if not begins:
        return None
    begin = next((place for place in begins if place >= len(rest) // 2), begins[-1])
    return kept + rest[begin:]


def _told(error: BaseException) -> dict[str, Any]:
    told = errors.body(error)["error"]
    return {"type": told["type"], "code": told["code"], "message": told["message"]}


def _usage(told: dict[str, Any] | None) -> dict[str, Any] | None:
    """The text model's tokens: audio is no tokens here. None before it has told them."""
    if told is None:
        return None
    read, written = told.get("prompt_tokens") or 0, told.get("completion_tokens") or 0
    return {
        "total_tokens": read + written,
        "input_tokens": read,
        "output_tokens": written,
        "input_token_details": {"text_tokens": read, "audio_tokens": 0, "cached_tokens": 0},
        "output_token_details": {"text_tokens": written, "audio_tokens": 0},
    }


def _refusal(runtime: Runtime) -> FiresideError | None:
    try:
        runtime.require_text()
    except FiresideError as error:
        return error
    return None
