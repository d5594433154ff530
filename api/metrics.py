"""Fireside's own Prometheus metrics, for every route and socket, under the field's names. BentoML serves them at /metrics beside vLLM's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api.errors import refusal
from api.streaming import GONE, Cancelled, Stream
from models.base import Audio, SpeechJob
from voice.schedule import Synthesizer

if TYPE_CHECKING:
    from api.runtime import Runtime

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0)
# Nothing went wrong: nobody wants the rest.
_LEFT = (asyncio.CancelledError, GeneratorExit, Cancelled, ClientDisconnect, *GONE)
_RATIOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)

requests = Counter(
    "fireside_requests_total", "Requests by route and how they ended: ok, cancelled, or the error's code", ["route", "outcome"]
)
ttft = Histogram("fireside_ttft_seconds", "Time to first token: from the request to the first text sent", ["route"], buckets=_SECONDS)
itl = Histogram(
    "fireside_itl_seconds", "Inter-token latency: mean gap between the chunks of one streamed answer", ["route"], buckets=_SECONDS
)
ttfa = Histogram(
    "fireside_ttfa_seconds",
    "Time to first audio: from the text, or the end of the user's turn, to the first audio sent",
    ["route"],
    buckets=_SECONDS,
)
rtf = Histogram(
    "fireside_rtf", "Real-time factor: a sentence's share of the speech engine's time, in seconds per second of its audio", buckets=_RATIOS
)
heard_seconds = Counter("fireside_heard_seconds_total", "Seconds of audio written down for clients", ["route"])
audio_seconds = Counter("fireside_audio_seconds_total", "Seconds of audio made for clients", ["route"])


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
    status: int = 200
    failed: bool = False
    """An error event went out in mid-stream."""
    finished: bool = False
    """The whole answer went out."""
    sending: bool = False
    """An item is on its way to a client that has not taken it yet."""

    def outcome(self) -> str:
        if self.status >= 400:
            return f"http_{self.status}"
        if self.failed:
            return "engine_failed"
        return "ok" if self.finished else "cancelled"


def outcome(error: BaseException) -> str:
    """How a request ended that ended with this: one of a bounded set of words."""
    if isinstance(error, _LEFT):
        return "cancelled"
    if isinstance(error, HTTPException):
        return f"http_{error.status_code}"
    how = refusal(error)
    return how.code or how.type


def refused(route: str, error: BaseException) -> None:
    """Count a request that ended with this error."""
    requests.labels(route, outcome(error)).inc()


@contextmanager
def counted(route: str) -> Iterator[None]:
    """Count one request: ok, or by the error that it ends with."""
    try:
        yield
    except BaseException as error:
        refused(route, error)
        raise
    requests.labels(route, "ok").inc()


class CountedRoute(APIRoute):
    """A route whose requests are counted, those that FastAPI refuses too. A Stream is counted by whoever makes it, at its end."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def counting(request: Request) -> Response:
            try:
                response = await handle(request)
            except BaseException as error:
                refused(self.path, error)
                raise
            if not isinstance(response, Stream):
                requests.labels(self.path, "ok").inc()
            return response

        return counting


@contextmanager
def text(route: str, timeline: TextTimeline | None = None) -> Iterator[TextTimeline]:
    """Count one text request by what was sent or the error that it ends with and, where it streamed, its TTFT and ITL."""
    timeline = timeline or TextTimeline()
    try:
        yield timeline
    except BaseException as error:
        refused(route, error)
        raise
    else:
        requests.labels(route, timeline.outcome()).inc()
    finally:
        if timeline.items:
            ttft.labels(route).observe(timeline.first - timeline.began)
        if timeline.items > 1:
            itl.labels(route).observe((timeline.last - timeline.first) / (timeline.items - 1))


@dataclass
class SpokenTimeline(Timeline):
    seconds: float = 0.0
    """Of audio made."""


@contextmanager
def speech(route: str, began: float | None = None) -> Iterator[SpokenTimeline]:
    """Observe one utterance: its TTFA, from `began` if somebody waits for it since then, and its seconds of audio."""
    timeline = SpokenTimeline() if began is None else SpokenTimeline(began=began)
    try:
        yield timeline
    finally:
        audio_seconds.labels(route).inc(timeline.seconds)
        if timeline.items:
            ttfa.labels(route).observe(timeline.first - timeline.began)


class MeasuredEngine:
    """A speech engine whose RTF is observed, sentence by sentence.

    The sentences inside it share its time, and each is charged its share: many at once do not make the engine look slow.
    """

    def __init__(self, engine: Synthesizer, clock: Callable[[], float] = perf_counter) -> None:
        self._engine = engine
        self._clock = clock
        self._inside = 0
        self._work = 0.0
        self._at = clock()

    @property
    def concurrency(self) -> int:
        return self._engine.concurrency

    async def synthesize(self, job: SpeechJob) -> AsyncGenerator[Audio, None]:
        began, seconds = self._enter(1), 0.0
        try:
            async with aclosing(self._engine.synthesize(job)) as made:
                async for audio in made:
                    seconds += audio.seconds
                    yield audio
        finally:
            work = self._enter(-1) - began
        if seconds:
            rtf.observe(work / seconds)

    def _enter(self, jobs: int) -> float:
        """Seconds of work up to now for a job that has been inside from the first moment. Then so many more (or less) are inside."""
        now = self._clock()
        self._work += (now - self._at) / max(self._inside, 1)
        self._at = now
        self._inside += jobs
        return self._work


class EngineGauges(Collector):
    """What the engines are doing at the moment of the scrape."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def collect(self) -> Iterator[GaugeMetricFamily]:
        ready = GaugeMetricFamily("fireside_engine_ready", "1 when the engine is loaded, warm and alive", labels=["engine"])
        running = GaugeMetricFamily(
            "fireside_running", "Requests (text), sentences (speech) or recordings (listening) in the engine", labels=["engine"]
        )
        waiting = GaugeMetricFamily(
            "fireside_waiting", "Requests (text), sentences (speech) or recordings (listening) that wait for it", labels=["engine"]
        )
        for kind, is_ready, load in self.runtime.loads():
            ready.add_metric([kind], float(is_ready))
            running.add_metric([kind], load.running)
            waiting.add_metric([kind], load.waiting)
        yield from (ready, running, waiting)


def gauges(runtime: Runtime) -> str:
    """The gauges in Prometheus' text format, read now: BentoML's multi-process metrics only know what was set before."""
    registry = CollectorRegistry()
    registry.register(EngineGauges(runtime))
    return generate_latest(registry).decode()
