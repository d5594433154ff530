"""What the server says of itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from settings.part import Part


class Logs(Part):
    format: Literal["json", "text"] = "json"
    """json: an object to a line. text: a line for people. Both have the same fields (docs/operations.md)."""
    requests: bool = True
    """A line for each request, and for each utterance, answer and end of a socket."""
    contents: bool = False
    """Write prompts, answers and spoken texts into these lines. Without it no such line has what people say."""


class Traces(Part):
    endpoint: str = Field("", pattern=r"^(https?://.+)?$")
    """Where OpenTelemetry traces go, by OTLP over HTTP: http://127.0.0.1:4318/v1/traces. Empty: there are none, and nothing is sent."""
    sample: float = Field(0.1, ge=0, le=1)
    """Share of the requests that are traced. One that comes with a traceparent is traced if that says so."""
