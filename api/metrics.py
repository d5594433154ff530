"""Fireside's own Prometheus metrics, for every route and socket, under the field's names. BentoML serves them at /metrics beside vLLM's.

What is known of a request is written into its entry (api/entries.py) by the same hands that count it.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Counts
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from fastapi.routing import APIRoute
from prometheus_client import Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api import entries
from api.entries import Entry, Event
from api.errors import refusal
from api.streaming import CLOSED, GONE, Cancelled, Disconnected, Stream
from models import work
from models.errors import FiresideError

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0)
_LONG = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_WAITS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
# The client is not there any more.
_GONE = (asyncio.CancelledError, GeneratorExit, Disconnected, ClientDisconnect, *GONE)
# Nothing went wrong: nobody wants the rest.
_LEFT = (Cancelled, *_GONE)
_REFUSED = frozenset((401, 403, 429, 503))

requests = Counter(
    "fireside_requests_total", "Requests by route and how they ended: ok, cancelled, or the error's code", ["route", "outcome"]
)
key_requests = Counter(
    "fireside_key_requests_total", "The same by the name of the client's key; empty where none is needed", ["key", "outcome"]
)
refusals = Counter(
    "fireside_refused_total", "Requests that were not let in, by the error's code: no right, too many, not ready", ["route", "reason"]
)
durations = Histogram("fireside_request_seconds", "From a request to the end of its answer, or of an utterance", ["route"], buckets=_LONG)
queued = Histogram("fireside_queue_seconds", "What a request waited for its first turn in an engine", ["engine"], buckets=_WAITS)
tokens = Counter("fireside_tokens_total", "Tokens of text: input was read, output was written by the model", ["direction", "model", "key"])
ttft = Histogram("fireside_ttft_seconds", "Time to first token: from the request to the first text sent", ["route"], buckets=_SECONDS)
itl = Histogram(
    "fireside_itl_seconds", "Inter-token latency: mean gap between the chunks of one streamed answer", ["route"], buckets=_SECONDS
)
ttfa = Histogram(
    "fireside_tts_ttfa_seconds",
    "Time to first audio: from the text, or the end of the user's turn, to the first audio sent",
    ["route"],
    buckets=_SECONDS,
)
heard_seconds = Counter("fireside_heard_seconds_total", "Seconds of audio written down for clients", ["route"])
audio_seconds = Counter("fireside_tts_audio_seconds_total", "Seconds of audio made for clients", ["route"])
stalled_seconds = Counter(
    "fireside_tts_stalled_seconds_total", "Seconds within utterances that who plays them as they are made has nothing to play", ["route"]
)
sockets = Counter("fireside_sockets_total", "Sockets that were opened", ["route"])
open_sockets: Counts[str] = Counts()
"""By route, now."""


@dataclass
class Timeline:
    """When the items of one answer left, for TTFT/TTFA and the gap between items. One clock reading an item: this is on the hot path."""

    began: float = field(default_factory=perf_counter)
    first: float = 0.0
    last: float = 0.0
    items: int = 0

    def item(self) -> None:
        self.last = perf_counter()
        self.items += 1
        if self.items == 1:
            self.first = self.last


@dataclass
class TextTimeline(Timeline):
    status: int = 0
    """Of the answer; 0 before it has begun."""
    error: FiresideError | None = None
    """That was told instead of an answer, or went out in mid-stream."""
    finished: bool = False
    """The whole answer went out."""
    over: bool = False
    """Nobody waits for the rest of it: the client has left, or has waited long enough."""
    early: int = 0
    """Events that were sent before the first item, and are none."""
    sending: bool = False
    """An item is on its way to a client that has not taken it yet."""

    def outcome(self) -> str:
        if self.error is not None:
            return outcome(self.error)
        if self.status >= 400:
            return f"http_{self.status}"
        return "ok" if self.finished else "cancelled"


def outcome(error: BaseException) -> str:
    """How a request ended that ended with this: one of a bounded set of words."""
    if isinstance(error, _LEFT):
        return "cancelled"
    if isinstance(error, HTTPException):
        return f"http_{error.status_code}"
    how = refusal(error)
    return how.code or how.type


def refused(route: str, error: BaseException, event: Event = "message") -> None:
    """Count a request that ended with this error; on an open socket, a message, or the `event` that it would have become."""
    entry = entries.current()
    if entry.on_socket:
        entry = entry.part(event, route)
        _fail(entry, route, error)
        entries.tell(entry)
    else:
        _fail(entry, route, error)


def _fail(entry: Entry, route: str, error: BaseException) -> None:
    end(entry, route, outcome(error))
    entry.gone = isinstance(error, _GONE)
    if not isinstance(error, _LEFT):
        entry.status = entry.status or _status(error)
        if _status(error) in _REFUSED:
            refusals.labels(route, entry.outcome).inc()


def _status(error: BaseException) -> int:
    return error.status_code if isinstance(error, HTTPException) else refusal(error).status


def end(entry: Entry, route: str, how: str) -> None:
    """Count a request that has ended so."""
    entry.route, entry.outcome = route, how
    entry.code = None if how in {"ok", "cancelled"} else how
    requests.labels(route, how).inc()


@contextmanager
def counted(route: str) -> Iterator[None]:
    """Count one request: ok, or by the error that it ends with."""
    entry = entries.current()
    try:
        yield
    except BaseException as error:
        _fail(entry, route, error)
        raise
    end(entry, route, "ok")


@contextmanager
def part(event: Event, route: str) -> Iterator[Entry]:
    """One utterance or answer of a socket, counted and told by itself."""
    entry = entries.current().part(event, route)
    try:
        with work.around(entry), counted(route):
            yield entry
    finally:
        entries.tell(entry)


@contextmanager
def heard(event: Event, route: str) -> Iterator[Entry]:
    """What a socket does that is no request by itself: it is told, and not counted."""
    entry = entries.current().part(event, route)
    entry.outcome = "ok"
    try:
        with work.around(entry):
            yield entry
    except BaseException as error:
        entry.outcome, entry.gone = outcome(error), isinstance(error, _GONE)
        raise
    finally:
        entries.tell(entry)


@contextmanager
def socket(route: str) -> Iterator[None]:
    """A socket is open."""
    entries.current().route = route
    sockets.labels(route).inc()
    open_sockets[route] += 1
    try:
        yield
    finally:
        open_sockets[route] -= 1


class CountedRoute(APIRoute):
    """A route whose requests are counted, those that FastAPI refuses too. A Stream is counted by whoever makes it, at its end."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def counting(request: Request) -> Response:
            try:
                response = await handle(request)
            except (Disconnected, ClientDisconnect) as error:
                refused(self.path, error)
                return Response(status_code=CLOSED)  # to nobody
            except BaseException as error:
                refused(self.path, error)
                raise
            if not isinstance(response, Stream):
                end(entries.current(), self.path, "ok")
            return response

        return counting


@contextmanager
def text(route: str, timeline: TextTimeline | None = None) -> Iterator[TextTimeline]:
    """Count one text request by what was sent or the error that it ends with and, where it streamed, its TTFT and ITL."""
    timeline, entry = timeline or TextTimeline(), entries.current()
    try:
        yield timeline
    except BaseException as error:
        _fail(entry, route, error)
        raise
    else:
        if timeline.error is not None and timeline.status >= 400:
            _fail(entry, route, timeline.error)
        else:
            end(entry, route, timeline.outcome())
        entry.gone = entry.outcome == "cancelled"
    finally:
        if timeline.items:
            entry.first_token, entry.ttft = timeline.first, timeline.first - timeline.began
            ttft.labels(route).observe(entry.ttft)
        if timeline.items > 1:
            itl.labels(route).observe((timeline.last - timeline.first) / (timeline.items - 1))


@dataclass
class SpokenTimeline(Timeline):
    seconds: float = 0.0
    """Of audio made."""
    stalled: float = 0.0
    """Seconds between its beginning and its end that who plays it as it is made has nothing to play."""
    played_until: float = 0.0

    def made(self, seconds: float) -> None:
        """So much audio, now."""
        now = perf_counter()
        if self.seconds:
            self.stalled += max(0.0, now - self.played_until)
        self.played_until = max(now, self.played_until) + seconds
        self.seconds += seconds


@contextmanager
def speech(route: str, began: float | None = None) -> Iterator[SpokenTimeline]:
    """Observe one utterance: its TTFA, from `began` if somebody waits for it since then, and its seconds of audio."""
    timeline, entry = SpokenTimeline() if began is None else SpokenTimeline(began=began), entries.current()
    try:
        yield timeline
    finally:
        entry.audio_seconds += timeline.seconds
        entry.stalled_seconds += timeline.stalled
        audio_seconds.labels(route).inc(timeline.seconds)
        stalled_seconds.labels(route).inc(timeline.stalled)
        if timeline.items:
            entry.first_audio, entry.ttfa = timeline.first, timeline.first - timeline.began
            ttfa.labels(route).observe(entry.ttfa)


def hear(route: str, seconds: float) -> None:
    """So much audio was written down."""
    entries.current().heard_seconds += seconds
    heard_seconds.labels(route).inc(seconds)


def read(entry: Entry) -> None:
    """What is known only at the end of a request."""
    for engine, stage in entry.stages.items():
        queued.labels(engine).observe(max(0.0, stage.begun - stage.asked))
    for direction, count in (("input", entry.prompt_tokens), ("output", entry.completion_tokens)):
        if count:
            tokens.labels(direction, entry.model, entry.key).inc(count)
    if entry.on_socket or entry.event == "transcript":
        return
    key_requests.labels(entry.key, entry.outcome).inc()
    if entry.event != "message":
        durations.labels(entry.route).observe(entry.seconds)


entries.readers.append(read)
