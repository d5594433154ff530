"""Transcripts of earlier answers: for an hour, and no more of them than fit."""

from __future__ import annotations

import time

from api.past_audio import SECONDS, PastAudio, new_id


def test_an_answer_is_known_for_an_hour() -> None:
    now = 1000.5
    past = PastAudio(clock=lambda: now)
    before = int(time.time())
    assert before + SECONDS <= past.add("a", "Hello.") <= time.time() + SECONDS
    assert past.find("a") == "Hello."
    now += SECONDS
    assert past.find("a") is None


def test_the_oldest_go_where_there_are_too_many() -> None:
    past = PastAudio(answers=2)
    for name in "abc":
        past.add(name, name)
    assert [past.find(name) for name in "abc"] == [None, "b", "c"]


def test_the_oldest_go_where_they_are_too_long() -> None:
    past = PastAudio(characters=10)
    for name in "abc":
        past.add(name, name * 5)
    assert [past.find(name) for name in "abc"] == [None, "bbbbb", "ccccc"]


def test_what_is_added_again_counts_once() -> None:
    past = PastAudio(characters=10)
    for _ in range(5):
        past.add("a", "aaaaa")
    past.add("b", "bbbbb")
    assert [past.find(name) for name in "ab"] == ["aaaaa", "bbbbb"]


def test_ids_cannot_be_guessed() -> None:
    assert len({new_id() for _ in range(100)}) == 100
    assert len(new_id()) > 32
