"""OpenTelemetry traces of what entries tell: a request, what it waited for, and what engines did for it.

All spans of a request are made when it is over, from the times that were noted anyway: while it is served, a trace costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, format_trace_id, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from api import entries
from api.entries import Entry
from api.release import VERSION
from settings import Traces

CLOSING = 2000
"""Milliseconds that the last spans have to reach the collector."""
_BILLION = 1_000_000_000


class Spans:
    """`read` is a reader of entries."""

    def __init__(self, exporter: SpanExporter, sample: float) -> None:
        resource = Resource.create({"service.name": "fireside", "service.version": VERSION})
        self._provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(sample)), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer: Tracer = self._provider.get_tracer("fireside", VERSION)
        self._parents = TraceContextTextMapPropagator()

    def read(self, entry: Entry) -> None:
        if entry.event in {"socket", "message"}:
            return
        moments = _Moments(entry)
        name = f"{entry.method} {entry.route}" if entry.event == "request" else f"{entry.event} {entry.route}"
        span = self._tracer.start_span(
            name, self._parent(entry), SpanKind.SERVER, attributes=dict(_attributes(entry)), start_time=moments.at(entry.began)
        )
        if not span.is_recording():
            return
        entry.trace_id = format_trace_id(span.get_span_context().trace_id)
        self._stages(entry, span, moments)
        if entry.code:
            span.set_status(StatusCode.ERROR, entry.code)
        span.end(moments.at(entry.finished))

    def close(self) -> None:
        """Blocks for CLOSING at most."""
        self._provider.force_flush(CLOSING)
        self._provider.shutdown()

    def _parent(self, entry: Entry) -> Context:
        """What the client says of its own trace, or nothing."""
        told = {name.decode("latin-1"): value.decode("latin-1") for name, value in entry.headers if name in {b"traceparent", b"tracestate"}}
        return self._parents.extract(told, Context())

    def _stages(self, entry: Entry, span: Span, moments: _Moments) -> None:
        inside = set_span_in_context(span, Context())
        for kind, stage in entry.stages.items():
            queue = self._tracer.start_span(f"{kind} queue", inside, start_time=moments.at(stage.asked))
            queue.end(moments.at(stage.begun))
            engine = self._tracer.start_span(f"{kind} engine", inside, start_time=moments.at(stage.begun))
            engine.end(moments.at(stage.ended or entry.finished))
        for name, moment in (("first token", entry.first_token), ("first audio", entry.first_audio)):
            if moment:
                span.add_event(name, timestamp=moments.at(moment))


class _Moments:
    """From the clock that times are taken by to the wall's, in nanoseconds."""

    def __init__(self, entry: Entry) -> None:
        self._origin = entry.began_at - entry.began

    def at(self, moment: float) -> int:
        return int((self._origin + moment) * _BILLION)


def _attributes(entry: Entry) -> Iterator[tuple[str, Any]]:
    """Under OpenTelemetry's names, where there are some."""
    yield "http.request.method", entry.method
    yield "http.route", entry.route
    yield "http.response.status_code", entry.status
    yield "fireside.request_id", entry.request_id
    yield "fireside.key", entry.key
    yield "fireside.outcome", entry.outcome
    if entry.code:
        yield "error.type", entry.code
    if entry.model:
        yield "gen_ai.request.model", entry.model
    if entry.prompt_tokens:
        yield "gen_ai.usage.input_tokens", entry.prompt_tokens
        yield "gen_ai.usage.output_tokens", entry.completion_tokens
    if entry.audio_seconds:
        yield "fireside.voice", entry.voice
        yield "fireside.audio_seconds", entry.audio_seconds


def install(wanted: Traces) -> Spans | None:
    """None where no traces are wanted: then nothing of it is even imported."""
    if not wanted.endpoint:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    spans = Spans(OTLPSpanExporter(wanted.endpoint, timeout=5), wanted.sample)
    entries.readers.append(spans.read)
    return spans
