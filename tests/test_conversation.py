"""Whose turn it is: every state and what leads to it, under a clock that is a number."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.activity import Dismissed, Started, Stopped, Suspected
from voice.conversation import (
    Action,
    Answer,
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
    State,
    Tick,
    Transcribed,
    Unduck,
)


class Talk:
    """A conversation, and what it has said is to be done."""

    def __init__(self, **options: object) -> None:
        self.conversation = Conversation(**options)  # type: ignore[arg-type]
        self.now = 0.0

    def tell(self, *events: Event, after: float = 0.0) -> list[Action]:
        self.now += after
        return [action for event in events for action in self.conversation.tell(event, self.now)]

    @property
    def state(self) -> State:
        return self.conversation.state(self.now)

    def answering(self, seconds: float = 3.0) -> Talk:
        """An answer of so many seconds has begun, and is in the making."""
        self.tell(*SAID)
        self.tell(Sounded(seconds))
        return self


SAID: tuple[Event, ...] = (Suspected(0), Started(0), Stopped(1), Committed(), Transcribed())


def test_a_turn_is_heard_thought_about_and_answered() -> None:
    talk = Talk()
    assert talk.state is State.LISTENING
    assert talk.tell(Suspected(0), Started(0)) == []
    assert talk.state is State.HEARING
    assert talk.tell(Stopped(1), Committed()) == []
    assert talk.tell(Transcribed()) == [Answer()]
    assert talk.state is State.THINKING
    talk.tell(Sounded(2.0))
    assert talk.state is State.SPEAKING
    talk.tell(Made(), after=1.0)
    assert talk.state is State.SPEAKING, "it has been sent, and is still being played"
    talk.now += 1.5
    assert talk.state is State.LISTENING


def test_barge_in_stops_the_answer_and_says_how_much_was_heard() -> None:
    talk = Talk().answering()
    talk.now += 1.2
    assert talk.tell(Suspected(5)) == [Duck()]
    assert talk.state is State.DUCKED
    assert talk.tell(Started(5), after=0.2) == [Interrupt(pytest.approx(1.4), making=True, by_user=True)]
    assert talk.state is State.HEARING
    assert talk.tell(Stopped(6), Committed(), Transcribed()) == [Answer()]


def test_what_was_sent_and_is_still_being_played_is_interrupted_too() -> None:
    talk = Talk().answering(10.0)
    talk.tell(Made())
    assert talk.tell(Suspected(5), Started(5), after=2.0)[-1] == Interrupt(pytest.approx(2.0), making=False, by_user=True)


def test_an_answer_is_heard_behind_the_one_before_it() -> None:
    talk = Talk().answering(3.0)
    talk.tell(Made(), Asked(), Sounded(2.0), Made())
    assert talk.tell(Started(5), after=1.0) == [Interrupt(0.0, making=False, by_user=True, before=(1.0,))]
    talk = Talk().answering(3.0)
    talk.tell(Made(), Asked(), Sounded(2.0), Made())
    assert talk.tell(Started(5), after=4.0) == [Interrupt(1.0, making=False, by_user=True, before=(3.0,))]


def test_an_answer_that_was_heard_is_over_when_the_next_begins() -> None:
    talk = Talk().answering(3.0)
    talk.tell(Made())
    talk.tell(Asked(), Sounded(2.0), after=5.0)
    assert talk.tell(Started(5), after=1.0) == [Interrupt(1.0, making=True, by_user=True)]


def test_a_turn_that_is_committed_while_it_is_only_suspected_lets_go() -> None:
    talk = Talk().answering()
    assert talk.tell(Suspected(5), Committed(answer=False), after=0.5) == [Duck(), Unduck()]


def test_after_the_last_sound_there_is_nothing_to_interrupt() -> None:
    talk = Talk().answering(1.0)
    talk.tell(Made())
    assert talk.tell(Suspected(5), Started(5), after=2.0) == []


def test_a_cough_ducks_and_lets_go() -> None:
    talk = Talk().answering()
    assert talk.tell(Suspected(5), after=0.5) == [Duck()]
    assert talk.tell(Dismissed(5.1), after=0.1) == [Unduck()]
    assert talk.state is State.SPEAKING


def test_a_cough_while_nothing_is_heard_is_nobody_s_business() -> None:
    assert Talk().tell(Suspected(5), Dismissed(5.1)) == []


def test_who_goes_on_before_there_is_a_sound_takes_the_turn_back() -> None:
    talk = Talk()
    talk.tell(*SAID)
    assert talk.tell(Suspected(2), Started(2), after=0.3) == [Interrupt(0.0, making=True, by_user=True)]
    assert talk.tell(Stopped(3), Committed(), Transcribed()) == [Answer()]


def test_who_speaks_on_before_the_transcript_gets_one_answer_to_both() -> None:
    talk = Talk()
    talk.tell(Suspected(0), Started(0), Stopped(1), Committed())
    talk.tell(Suspected(1.2), Started(1.2))
    assert talk.tell(Transcribed()) == []
    assert talk.tell(Stopped(2), Committed()) == []
    assert talk.tell(Transcribed()) == [Answer()]


def test_noise_gets_no_answer() -> None:
    talk = Talk()
    assert talk.tell(Suspected(0), Started(0), Stopped(1), Committed(), Transcribed(words=False)) == []
    assert talk.state is State.LISTENING


def test_words_behind_noise_do() -> None:
    talk = Talk()
    talk.tell(Committed(), Committed(), Transcribed(words=False))
    assert talk.tell(Transcribed()) == [Answer()]


def test_what_was_said_last_is_dropped_and_the_turn_before_it_answered() -> None:
    talk = Talk()
    talk.tell(Committed(), Suspected(1), Started(1), Transcribed())
    assert talk.tell(Cleared()) == [Answer()]


def test_a_turn_that_is_not_to_be_answered_is_not() -> None:
    talk = Talk()
    assert talk.tell(Suspected(0), Started(0), Stopped(1), Committed(answer=False), Transcribed()) == []
    assert talk.tell(Asked()) == [Answer()]


def test_where_nobody_may_interrupt_the_answer_to_the_next_turn_waits() -> None:
    talk = Talk(interruptible=False).answering()
    assert talk.tell(Suspected(5), Started(5), after=0.5) == []
    assert talk.tell(Stopped(6), Committed(), Transcribed(), after=1.0) == []
    assert talk.tell(Made(), after=0.5) == [Answer()]


def test_a_client_cancels() -> None:
    talk = Talk().answering()
    assert talk.tell(Cancelled(), after=1.0) == [Interrupt(pytest.approx(1.0), making=True, by_user=False)]
    assert talk.tell(Cancelled()) == []
    assert talk.state is State.LISTENING


def test_an_answer_that_stalls_is_heard_later() -> None:
    talk = Talk().answering(1.0)
    talk.tell(Sounded(1.0), after=3.0)
    assert talk.tell(Cancelled(), after=0.5) == [Interrupt(pytest.approx(1.5), making=True, by_user=False)]


def test_silence_after_an_answer_is_told_once() -> None:
    talk = Talk(idle=5.0).answering(2.0)
    assert talk.conversation.wakes_at is None
    talk.tell(Made())
    assert talk.conversation.wakes_at == pytest.approx(7.0)
    assert talk.tell(Tick(), after=6.9) == []
    assert talk.tell(Tick(), after=0.2) == [Prompt(), Answer()]
    assert talk.conversation.wakes_at is None


def test_who_is_not_there_is_prompted_once() -> None:
    talk = Talk(idle=5.0).answering(2.0)
    talk.tell(Made())
    talk.tell(Tick(), after=8.0)
    talk.tell(Made())
    assert talk.conversation.wakes_at is None
    talk.tell(*SAID)
    talk.tell(Made())
    assert talk.conversation.wakes_at is not None


def test_an_answer_without_a_sound_is_no_reason_to_prompt_at_once() -> None:
    talk = Talk(idle=5.0)
    talk.tell(*SAID, after=100)
    talk.tell(Made(), after=1.0)
    assert talk.conversation.wakes_at == pytest.approx(106.0)


def test_what_the_client_plays_no_more_is_not_interrupted() -> None:
    talk = Talk(idle=5.0).answering(10.0)
    talk.tell(Made(), after=1.0)
    assert talk.tell(Suspected(2), Silenced(), after=1.0) == [Duck(), Unduck()]
    assert talk.state is State.LISTENING
    assert talk.conversation.wakes_at == pytest.approx(7.0)
    assert talk.tell(Started(2), after=0.1) == []


def test_an_answer_asked_for_while_a_turn_is_transcribed_is_the_answer_to_it() -> None:
    talk = Talk()
    talk.tell(Suspected(0), Started(0), Stopped(1), Committed())
    assert talk.tell(Asked()) == [Answer()]
    assert talk.tell(Transcribed(), Made()) == []


def test_who_speaks_is_not_prompted() -> None:
    talk = Talk(idle=5.0).answering(2.0)
    talk.tell(Made())
    talk.tell(Suspected(3), Started(3), after=3)
    assert talk.conversation.wakes_at is None
    assert talk.tell(Tick(), after=60) == []


EVENTS: list[Event] = [
    *(Suspected(0), Dismissed(0), Started(0), Stopped(0)),
    *(Committed(), Cleared(), Transcribed(), Transcribed(words=False)),
    *(Asked(), Sounded(1.0), Made(), Cancelled(), Silenced(), Tick()),
]


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.floats(0, 5)), max_size=60), st.booleans())
def test_whatever_happens_no_two_answers_are_in_the_making_and_ducks_end(events: list[tuple[Event, float]], interruptible: bool) -> None:
    talk = Talk(interruptible=interruptible, idle=1.0)
    making, ducked, sent = False, False, 0.0
    for event, after in events:
        if isinstance(event, Asked) and making:
            continue  # refused by the session
        if isinstance(event, Sounded):
            if not making:
                continue
            sent += event.seconds
        if isinstance(event, Made):
            making = False
        for action in talk.tell(event, after=after):
            match action:
                case Answer():
                    assert not making
                    making, sent = True, 0.0
                case Interrupt():
                    assert action.making == making
                    assert 0 <= action.heard <= sent
                    assert interruptible or not action.by_user
                    making, ducked = False, False
                case Duck():
                    assert not ducked
                    assert interruptible
                    ducked = True
                case Unduck():
                    assert ducked
                    ducked = False
        assert talk.conversation.making == making


@pytest.mark.parametrize("seed", range(200))
def test_in_two_hundred_conversations_history_is_what_was_heard(seed: int) -> None:
    """Random turns and interruptions: what Interrupt tells is what a player that plays at once has played."""
    chance, talk = random.Random(seed), Talk()
    for _ in range(10):
        talk.tell(*SAID)
        played, at, until = [], talk.now, talk.now
        for _ in range(chance.randrange(6)):
            talk.now += chance.random()
            seconds = chance.random()
            talk.tell(Sounded(seconds))
            begin = max(until, talk.now)
            until = begin + seconds
            played.append((begin, until))
        assert at <= until
        talk.now += chance.random() * 2
        heard = sum(min(end, talk.now) - begin for begin, end in played if begin < talk.now)
        [interrupt] = [action for action in talk.tell(Started(0)) if isinstance(action, Interrupt)]
        assert interrupt.heard == pytest.approx(heard, abs=1e-6)
