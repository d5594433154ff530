"""Segments as subtitles, and the names of languages."""

from __future__ import annotations

import pytest

from models.base import Segment
from models.errors import InvalidInput
from voice.heard_languages import NAMES, language_of
from voice.subtitles import srt, vtt

SEGMENTS = (Segment(" Hello\n\nthere.", 0.0, 1.2345), Segment(" a --> b", 3599.9996, 3723.5))


def test_srt_numbers_its_entries_and_has_commas() -> None:
    assert srt(SEGMENTS) == "1\n00:00:00,000 --> 00:00:01,234\nHello there.\n\n2\n01:00:00,000 --> 01:02:03,500\na -> b\n\n"


def test_vtt_has_points() -> None:
    assert vtt(SEGMENTS).startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.234\nHello there.\n\n01:00:00.000 --> ")
    assert vtt(()) == "WEBVTT\n\n"


@pytest.mark.parametrize(
    ("tag", "code"), [("", ""), ("en", "en"), ("de-AT", "de"), ("PT_br", "pt"), ("Haitian Creole", "ht"), ("yue", "yue")]
)
def test_languages_are_known_by_tag_and_by_name(tag: str, code: str) -> None:
    assert language_of(tag) == code


def test_an_unknown_language_is_refused() -> None:
    assert len(NAMES) == 100
    with pytest.raises(InvalidInput, match="expected one of af, am"):
        language_of("xx")
