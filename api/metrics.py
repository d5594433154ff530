"""Fireside's own Prometheus metrics, for every route and socket, under the field's names. BentoML serves them at /metrics beside vLLM's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from api.errors import refusal
from api.streaming import Disconnected

if TYPE_CHECKING:
    from api.runtime import Runtime

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0)
_RATIOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)

requests = Counter(
    "fireside_requests_total", "Requests by route and how they ended: ok, cancelled, or the error's code", ["route", "outcome"]
)
ttft = Histogram("fireside_ttft_seconds", "Time to first token: from the request to the first text sent", ["route"], buckets=_SECONDS)
itl = Histogram(
    "fireside_itl_seconds", "Inter-token latency: mean gap between the chunks of one streamed answer", ["route"], buckets=_SECONDS
)
ttfa = Histogram("fireside_ttfa_seconds", "Time to first audio: from the text to the first audio sent", ["route"], buckets=_SECONDS)
rtf = Histogram(
    "fireside_rtf", "Real-time factor: seconds of work per second of audio, one observation an utterance", ["route"], buckets=_RATIOS
)
audio_seconds = Counter("fireside_audio_seconds_total", "Seconds of audio sent", ["route"])


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

    def outcome(self) -> str:
        if self.status >= 400:
            return f"http_{self.status}"
        if self.failed:
            return "engine_failed"
        return "ok" if self.finished else "cancelled"


@contextmanager
def text(route: str) -> Iterator[TextTimeline]:
    """Count one text request by what was sent and, where it streamed, its TTFT and ITL."""
    timeline = TextTimeline()
    try:
        yield timeline
    finally:
        requests.labels(route, timeline.outcome()).inc()
        if timeline.items:
            ttft.labels(route).observe(timeline.first - timeline.began)
        if timeline.items > 1:
            itl.labels(route).observe((timeline.last - timeline.first) / (timeline.items - 1))


@dataclass
class SpokenTimeline(Timeline):
    seconds: float = 0.0
    """Of audio sent."""


@contextmanager
def speech(route: str) -> Iterator[SpokenTimeline]:
    """Count one utterance: its TTFA, its RTF and its seconds of audio."""
    with _outcome(route):
        timeline = SpokenTimeline()
        try:
            yield timeline
        finally:
            audio_seconds.labels(route).inc(timeline.seconds)
        if timeline.items:
            ttfa.labels(route).observe(timeline.first - timeline.began)
        if timeline.seconds:
            rtf.labels(route).observe((timeline.last - timeline.began) / timeline.seconds)


@contextmanager
def _outcome(route: str) -> Iterator[None]:
    try:
        yield
    except (asyncio.CancelledError, GeneratorExit, Disconnected):
        requests.labels(route, "cancelled").inc()
        raise
    except Exception as error:
        requests.labels(route, refusal(error).code or refusal(error).type).inc()
        raise
    requests.labels(route, "ok").inc()


class EngineGauges(Collector):
    """What the engines are doing at the moment of the scrape."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def collect(self) -> Iterator[GaugeMetricFamily]:
        ready = GaugeMetricFamily("fireside_engine_ready", "1 when the engine is loaded, warm and alive", labels=["engine"])
        running = GaugeMetricFamily("fireside_running", "Requests (text) or sentences (speech) in the engine", labels=["engine"])
        waiting = GaugeMetricFamily("fireside_waiting", "Requests (text) or sentences (speech) waiting for the engine", labels=["engine"])
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
