"""WS /v1/realtime: a spoken conversation as OpenAI's. docs/realtime.md describes the protocol."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from starlette.websockets import WebSocket

from api.accounts import priority
from api.realtime import client_events as events
from api.realtime.answer import Answer, Surroundings
from api.realtime.configuration import Configuration, ServerVad
from api.realtime.connection import Connection
from api.realtime.ear import SHORTEST_TURN, Ear
from api.realtime.faults import Refused
from api.realtime.input_audio import Heard, unpacked, whole
from api.realtime.items import Entry, Items, read
from api.realtime.offer import Offer
from api.realtime.outbox import new_id
from api.realtime.plan import Plan, planned
from api.realtime.transcripts import Transcripts
from api.realtime.writing import Writing
from api.requests import request_id
from api.runtime import Runtime
from api.streaming import cancel
from models.base import LISTENING_RATE
from models.errors import FiresideError, InvalidInput, Overloaded
from voice.activity import Activity, Started, Stopped
from voice.conversation import (
    Action,
    Asked,
    Cancelled,
    Cleared,
    Committed,
    Conversation,
    Duck,
    Event,
    Interrupt,
    Made,
    Prompt,
    Silenced,
    Sounded,
    Tick,
    Transcribed,
    Unduck,
)
from voice.conversation import Answer as Begin
from voice.history import Said

MOST_BESIDE = 8
"""Responses of one session that may be in the making beside the conversation's."""
MOST_UNHEARD = 8
"""Recordings of one session that the client may have transcribed at a time."""
SILENCE = "[silence]"
"""What the model is told of a user who says nothing."""


class RealtimeSession(Connection):
    """What happens is told to the state machine, and what that says is done, at once and in one go: `_tell`."""

    def __init__(self, runtime: Runtime, socket: WebSocket, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(socket, runtime.settings.limits)
        self.runtime = runtime
        self.items = Items(lambda item_id: self.outbox.say("conversation.item.deleted", item_id=item_id))
        self.conversation = Conversation()
        self.configuration = Configuration()
        self._offer = Offer(runtime)
        self._clock = clock
        self._id = new_id("sess")
        self._ducking = socket.query_params.get("ducking", "").lower() in {"true", "1"}
        self._transcripts = Transcripts(self.outbox, lambda words: self._tell(Transcribed(words)))
        self._ear = Ear(
            request_id(socket.scope),
            runtime.loaded_listening,
            lambda: self.conversation.playback.audible(clock()),
            priority(socket.scope),
        )
        self._around = Surroundings(
            runtime,
            socket.scope,
            self.outbox,
            self.items,
            new_id("conv"),
            self._transcripts.understood,
            lambda seconds: self._tell(Sounded(seconds)),
            self._made,
        )
        self._deaf: type[FiresideError] | None = None
        """Why nothing can be heard now, as the client was told."""
        self._turn = ""
        """The id that the item of the turn which is being heard will have."""
        self._since = 0.0
        """When the user's turn ended, or the client asked for an answer."""
        self._plan: Plan | None = None
        """Of the answer that the client has asked for."""
        self._last: Answer | None = None
        """The conversation's: it is in the making, or being heard."""
        self._playing: list[Answer] = []
        """It, behind those that were still being heard when it began."""
        self._answers: dict[str, Answer] = {}
        """All that are in the making."""
        self._ending: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self.configuration = self._offer.beginning(self.socket.query_params.get("model"))
        self.outbox.say("session.created", session=self._described())

    async def finished(self) -> None:
        while self._answers:
            await asyncio.wait({answer.task for answer in self._answers.values()})

    async def close(self) -> None:
        if self._alarm:
            self._alarm.cancel()
        await cancel(*(answer.task for answer in self._answers.values()), *self._transcripts.tasks())
        await asyncio.gather(*self._ending, return_exceptions=True)
        await self._ear.close()

    async def obey(self, event: events.ClientEvent) -> None:
        match event:
            case events.SessionUpdate():
                await self._configure(event.session)
            case events.Append():
                await self._append(event.audio)
            case events.Commit():
                self._commit_all()
            case events.Clear():
                self._ear.clear()
                self.outbox.say("input_audio_buffer.cleared")
                self._tell(Cleared())
            case events.ItemCreate():
                await self._create(event)
            case events.ItemRetrieve():
                self.outbox.say("conversation.item.retrieved", item=self.items.get(event.item_id).described())
            case events.ItemDelete():
                self.items.remove(event.item_id)
                self.outbox.say("conversation.item.deleted", item_id=event.item_id)
            case events.ItemTruncate():
                self._truncate(event)
            case events.ResponseCreate():
                self._ask(event.response)
            case events.ResponseCancel():
                self._cancel(event.response_id)

    # What the client configures

    async def _configure(self, change: dict[str, Any]) -> None:
        before, changed = self.configuration, self.configuration.changed(change)
        self._offer.check(changed, before)
        self.configuration = changed
        if changed.hears.turn_detection != before.hears.turn_detection:  # a turn that is going on will have no end
            self._tell(Cleared())
        await self._ear.configure(changed.hears)
        vad = changed.hears.turn_detection
        self.conversation.interruptible = bool(vad and vad.interrupt_response)
        idle = vad.idle_timeout_ms if isinstance(vad, ServerVad) else None
        self.conversation.idle = idle / 1000 if idle else None
        self.outbox.say("session.updated", session=self._described())
        self._wait_for_silence()

    def _described(self) -> dict[str, Any]:
        return {"id": self._id, "object": "realtime.session", **self.configuration.model_dump()}

    # What is heard

    async def _append(self, audio: str) -> None:
        """That an engine is down is told once, and not fifty times a second."""
        data = unpacked(audio)
        try:
            await self._hear(data)
            self._deaf = None
        except InvalidInput:
            raise
        except FiresideError as error:
            told, self._deaf = self._deaf, type(error)
            if told is not self._deaf:
                raise

    async def _hear(self, data: bytes) -> None:
        self.runtime.require_listening()
        self._ear.check_room(len(data))
        try:
            async with aclosing(self._ear.hear(data)) as activities:
                async for activity in activities:
                    if isinstance(activity, Stopped):
                        await self._transcripts.room(MOST_UNHEARD)
                    self._follow(activity)
        except FiresideError:  # its detector is lost, and with it the turn
            await self._ear.close()
            self._tell(Cleared())
            raise

    def _follow(self, activity: Activity) -> None:
        if isinstance(activity, Started):
            self._turn = new_id("item")
            self.outbox.say("input_audio_buffer.speech_started", audio_start_ms=_ms(self._ear.begin), item_id=self._turn)
        self._tell(activity)
        if isinstance(activity, Stopped):
            self._since = time.perf_counter()
            self.outbox.say("input_audio_buffer.speech_stopped", audio_end_ms=_ms(self._ear.told), item_id=self._turn)
            vad = self.configuration.hears.turn_detection
            self._commit(self._ear.turn(), self._ear.take_guess(), answer=bool(vad and vad.create_response))

    def _commit_all(self) -> None:
        self.runtime.require_listening()
        self._check_place()
        if not self._ear.speaking:
            self._turn = ""
        samples = self._ear.all()
        if len(samples) < SHORTEST_TURN * LISTENING_RATE:
            self._tell(Cleared())
            came = 1000 * len(samples) / LISTENING_RATE
            told = f"the input audio buffer has {came:.0f} ms of audio: at least {1000 * SHORTEST_TURN:.0f} ms make a turn."
            raise Refused("input_audio_buffer_commit_empty", told)
        self._commit(samples, None, answer=False)

    def _commit(self, samples: Heard, guess: Writing | None, *, answer: bool) -> None:
        entry = Entry(Said(self._turn or new_id("item"), "user"), [{"type": "input_audio", "transcript": None}], {0})
        self._turn = ""
        previous = self.items.add(entry)
        self.outbox.say("input_audio_buffer.committed", previous_item_id=previous, item_id=entry.item.id)
        self._tell_item(entry, previous)
        self._tell(Committed(answer))
        self._write_down(entry, 0, samples, guess)

    def _write_down(self, entry: Entry, place: int, samples: Heard, guess: Writing | None = None) -> None:
        try:
            writing = guess or self._ear.write_down(samples)
        except FiresideError:
            self._tell(Transcribed(False))
            raise
        self._transcripts.begin(entry, place, writing, told=self.configuration.hears.transcription is not None)

    def _check_place(self, wanted: int = 1) -> None:
        if len(self._transcripts) + wanted > MOST_UNHEARD:
            raise Overloaded(f"at most {MOST_UNHEARD} recordings of a session are transcribed at a time: wait for one of them.")

    # The conversation's items

    async def _create(self, event: events.ItemCreate) -> None:
        entry, kind = read(event.item, "item"), self.configuration.hears.format.type
        if entry.sounds:
            self.runtime.require_listening()
            self._check_place(len(entry.sounds))
        heard = {
            place: await asyncio.to_thread(whole, entry.take_audio(place), kind, f"item.content.{place}.audio")
            for place in sorted(entry.sounds)
        }
        previous = self.items.add(entry, event.previous_item_id)
        self._tell_item(entry, previous)
        for place, samples in heard.items():
            self._tell(Committed(answer=False))
            self._write_down(entry, place, samples)

    def _tell_item(self, entry: Entry, previous: str | None) -> None:
        for kind in ("added", "done"):
            self.outbox.say(f"conversation.item.{kind}", previous_item_id=previous, item=entry.described())

    def _truncate(self, event: events.ItemTruncate) -> None:
        item = self.items.get(event.item_id).item
        if not isinstance(item, Said) or item.spoken is None:
            raise Refused("invalid_value", f"item {event.item_id!r} is no answer that was spoken: it has no audio to cut.", param="item_id")
        made = 1000 * item.spoken.seconds
        if event.audio_end_ms > made + 1:
            told = f"audio_end_ms is {event.audio_end_ms}: item {event.item_id!r} has {made:.0f} ms of audio."
            raise Refused("invalid_value", told, param="audio_end_ms")
        item.cut(event.audio_end_ms / 1000, told=True)
        self.outbox.say(
            "conversation.item.truncated", item_id=event.item_id, content_index=event.content_index, audio_end_ms=event.audio_end_ms
        )
        if self._last and self._last.message and self._last.message.said is item:
            self._tell(Silenced())

    # Answers

    def _ask(self, wanted: events.ResponseOptions | None) -> None:
        self._since = time.perf_counter()
        plan = planned(self.configuration, wanted, self.items)
        self._offer.check(plan.configuration, self.configuration, "response")
        if not plan.conversing:
            if sum(not answer.plan.conversing for answer in self._answers.values()) >= MOST_BESIDE:
                raise Overloaded(f"{MOST_BESIDE} responses are in the making: wait until one of them is done.")
            self._begin(plan)
            return
        if self.conversation.making and self._last:
            told = f"the conversation has a response in the making, {self._last.id}: wait until it is done, or cancel it."
            raise Refused("conversation_already_has_active_response", told)
        self._plan = plan
        self._tell(Asked())

    def can_cancel(self, event: events.ResponseCancel) -> bool:
        return self._meant(event.response_id) is not None

    def _meant(self, response_id: str | None) -> Answer | None:
        return self._answers.get(response_id) if response_id else self._last if self.conversation.making else None

    def _cancel(self, response_id: str | None) -> None:
        named = self._meant(response_id)
        if named is None:
            what = f"response {response_id!r} is not" if response_id else "there is no response"
            raise Refused("response_cancel_not_active", f"{what} in the making.", param="response_id" if response_id else None)
        if named.plan.conversing:
            self._tell(Cancelled())
        else:
            self._stop(named, "client_cancelled")

    def _begin(self, plan: Plan) -> Answer:
        answer = Answer(self._around, plan, self._since)
        self._answers[answer.id] = answer
        return answer

    def _stop(self, answer: Answer, reason: str) -> None:
        self._answers.pop(answer.id, None)
        self._ending.add(answer.task)
        answer.task.add_done_callback(self._ending.discard)
        answer.interrupt(reason)

    def _made(self, answer: Answer) -> None:
        self._answers.pop(answer.id, None)
        if answer.plan.conversing:
            self._tell(Made())

    # Whose turn it is

    def _tell(self, event: Event) -> None:
        for action in self.conversation.tell(event, self._clock()):
            self._act(action)
        self._wait_for_silence()

    def _act(self, action: Action) -> None:
        match action:
            case Begin():
                plan, self._plan = self._plan or Plan(self.configuration), None
                self._last = self._begin(plan)
                self._playing = [*self._playing, self._last][-self.conversation.playback.answers :]
            case Interrupt() if self._last:
                if action.making:
                    self._stop(self._last, "turn_detected" if action.by_user else "client_cancelled")
                for answer, seconds in zip(reversed(self._playing), (action.heard, *action.before), strict=False):
                    answer.cut(seconds)
            case Duck() if self._ducking:
                self.outbox.say("fireside.speech.suspected", audio_start_ms=_ms(self._ear.begin))
            case Unduck() if self._ducking:
                self.outbox.say("fireside.speech.dismissed", audio_end_ms=_ms(self._ear.told))
            case Prompt():
                self._prompt()

    def _prompt(self) -> None:
        """The silence is an item of its own, so that the model knows what it is to answer."""
        self._since = time.perf_counter()
        entry = Entry(Said(new_id("item"), "user", SILENCE), [{"type": "input_audio", "transcript": None}])
        idle = self.conversation.idle or 0.0
        end = self._ear.now
        self.outbox.say(
            "input_audio_buffer.timeout_triggered",
            item_id=entry.item.id,
            audio_start_ms=_ms(max(0.0, end - idle)),
            audio_end_ms=_ms(end),
        )
        previous = self.items.add(entry)
        self.outbox.say("input_audio_buffer.committed", previous_item_id=previous, item_id=entry.item.id)
        self._tell_item(entry, previous)

    def _wait_for_silence(self) -> None:
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None
        if (at := self.conversation.wakes_at) is not None:
            delay = max(0.0, at - self._clock())
            self._alarm = asyncio.get_running_loop().call_later(delay, self._tell, Tick())


def _ms(seconds: float) -> int:
    return round(1000 * seconds)
