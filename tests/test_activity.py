"""From probabilities of speech to turns."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.activity import PAUSE, WINDOW, Activity, Dismissed, Paused, Resumed, Started, Stopped, Suspected, TurnDetector


def told(detector: TurnDetector, *stretches: tuple[float, float]) -> list[Activity]:
    """Stretches of (probability, seconds)."""
    windows = [probability for probability, seconds in stretches for _ in range(round(seconds / WINDOW))]
    return [event for probability in windows for event in detector.feed(probability)]


def kinds(events: list[Activity]) -> list[type[Activity]]:
    return [type(event) for event in events]


def test_a_turn_is_suspected_begins_pauses_and_ends() -> None:
    events = told(TurnDetector(), (0.0, 1.0), (0.9, 1.0), (0.0, 1.0))
    assert kinds(events) == [Suspected, Started, Paused, Stopped]
    began, started, paused, stopped = (event.at for event in events)
    assert began == started == pytest.approx(1.0, abs=WINDOW)
    assert paused == stopped == pytest.approx(2.0, abs=2 * WINDOW)


def test_it_takes_the_patience_asked_for() -> None:
    detector = TurnDetector(patience=1.0)
    assert kinds(told(detector, (0.9, 0.5), (0.0, 0.9))) == [Suspected, Started, Paused]
    assert kinds(told(detector, (0.0, 0.2))) == [Stopped]


def test_patience_can_be_changed_while_it_waits() -> None:
    detector = TurnDetector(patience=8.0)
    told(detector, (0.9, 0.5), (0.0, 0.5))
    detector.patience = 0.4
    assert kinds(told(detector, (0.0, WINDOW))) == [Stopped]


def test_a_pause_is_no_end_if_it_is_shorter() -> None:
    events = told(TurnDetector(), (0.9, 0.5), (0.0, PAUSE + 0.1), (0.9, 0.5), (0.0, 1.0))
    assert kinds(events) == [Suspected, Started, Paused, Resumed, Paused, Stopped]


def test_a_click_is_dismissed() -> None:
    assert kinds(told(TurnDetector(), (0.0, 0.2), (0.9, WINDOW), (0.0, 1.0))) == [Suspected, Dismissed]


def test_a_cough_is_dismissed_where_more_is_asked_for() -> None:
    detector = TurnDetector(sure=0.25)
    assert kinds(told(detector, (0.9, 0.16), (0.0, 1.0))) == [Suspected, Dismissed]
    assert kinds(told(detector, (0.9, 0.32))) == [Suspected, Started]


def test_a_stop_consonant_does_not_break_a_beginning() -> None:
    assert kinds(told(TurnDetector(sure=0.25), (0.9, 0.16), (0.1, WINDOW), (0.9, 0.16))) == [Suspected, Started]


def test_softer_speech_than_began_it_still_is_speech() -> None:
    assert kinds(told(TurnDetector(), (0.6, 0.5), (0.4, 2.0))) == [Suspected, Started]
    assert kinds(told(TurnDetector(), (0.4, 2.0))) == []


def test_what_is_hardly_like_speech_begins_no_turn_unless_it_lasts() -> None:
    assert kinds(told(TurnDetector(), (0.55, 0.25), (0.0, 1.0))) == [Suspected, Dismissed]
    assert kinds(told(TurnDetector(), (0.55, 1.0))) == [Suspected, Started]
    assert kinds(told(TurnDetector(), (1.0, 0.14))) == [Suspected, Started]


@pytest.mark.parametrize("threshold", [0.0, 0.9, 1.0])
def test_certain_speech_begins_a_turn_at_any_threshold(threshold: float) -> None:
    assert kinds(told(TurnDetector(threshold=threshold), (1.0, 0.6))) == [Suspected, Started]


def test_forgetting_a_turn_is_silent_and_keeps_the_clock() -> None:
    detector = TurnDetector()
    told(detector, (0.9, 1.0))
    detector.forget()
    assert not detector.speaking
    assert detector.now == pytest.approx(1.0, abs=WINDOW)
    assert told(detector, (0.0, 1.0)) == []


FOLLOWS = {
    Suspected: {Dismissed, Started},
    Dismissed: {Suspected},
    Started: {Paused, Stopped},
    Paused: {Resumed, Stopped},
    Resumed: {Paused, Stopped},
    Stopped: {Suspected},
}


@given(
    st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.6, 1.0]), max_size=400),
    st.floats(0.1, 2.0),
    st.floats(0.03, 0.4),
)
def test_events_come_in_order_whatever_is_heard(windows: list[float], patience: float, sure: float) -> None:
    detector = TurnDetector(patience=patience, sure=sure)
    events = [event for probability in windows for event in detector.feed(probability)]
    assert not events or isinstance(events[0], Suspected)
    for before, after in pairwise(events):
        assert type(after) in FOLLOWS[type(before)]
        assert after.at >= before.at or isinstance(after, Started)
    assert all(0 <= event.at <= detector.now for event in events)
    assert detector.speaking == (bool(events) and isinstance(events[-1], Started | Paused | Resumed))
