"""Segments as subtitles: SubRip (.srt) and WebVTT (.vtt)."""

from __future__ import annotations

from collections.abc import Iterable

from models.base import Segment


def srt(segments: Iterable[Segment]) -> str:
    return "".join(f"{number}\n{_span(segment, ',')}\n{_text(segment)}\n\n" for number, segment in enumerate(segments, 1))


def vtt(segments: Iterable[Segment]) -> str:
    return "WEBVTT\n\n" + "".join(f"{_span(segment, '.')}\n{_text(segment)}\n\n" for segment in segments)


def _text(segment: Segment) -> str:
    """An arrow would be taken for times, and an empty line for the end."""
    return " ".join(segment.text.split()).replace("-->", "->")


def _span(segment: Segment, mark: str) -> str:
    return f"{_time(segment.start, mark)} --> {_time(segment.end, mark)}"


def _time(seconds: float, mark: str) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}{mark}{whole % 1000:03}"
