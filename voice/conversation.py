"""Whose turn it is in a spoken conversation: a state machine that is told what happens, and says what is to be done. No I/O, no clock.

listening --Started--> hearing --Committed, Transcribed--> thinking --Sounded--> speaking --(played)--> listening
speaking --Suspected--> ducked --Dismissed--> speaking: a cough
speaking, ducked, thinking --Started--> hearing, with Interrupt: barge-in
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from voice.activity import Activity, Dismissed, Started, Suspected
from voice.playback import Playback


class State(Enum):
    LISTENING = "listening"
    HEARING = "hearing"
    """The user speaks."""
    THINKING = "thinking"
    """An answer is in the making, and nothing of it has been heard."""
    SPEAKING = "speaking"
    """An answer is being heard."""
    DUCKED = "ducked"
    """It is heard, and the user may have begun to speak."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What the user said is a turn of the conversation, and is being transcribed. `answer`: it is to be answered."""

    answer: bool = True


@dataclass(frozen=True, slots=True)
class Cleared:
    """What the user has said since the last turn is dropped."""


@dataclass(frozen=True, slots=True)
class Transcribed:
    """One of the committed turns is transcribed, or could not be. `words`: there is something in it."""

    words: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """The client wants an answer now."""


@dataclass(frozen=True, slots=True)
class Sounded:
    """So many seconds of the answer's audio were sent."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Made:
    """The answer is complete and sent, or has failed."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The client wants no more of the answer."""


@dataclass(frozen=True, slots=True)
class Silenced:
    """The client has stopped playing what it has of the answer."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: `wakes_at` has come."""


Event = Activity | Committed | Cleared | Transcribed | Asked | Sounded | Made | Cancelled | Silenced | Tick


@dataclass(frozen=True, slots=True)
class Duck:
    """Play more softly: this may be an interruption."""


@dataclass(frozen=True, slots=True)
class Unduck:
    """It was none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Begin an answer."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Stop generation, speech and audio at once. `heard` seconds of the answer were heard: that is what was said.

    `making`: it was still in the making.
    """

    heard: float
    making: bool
    by_user: bool
    """By speaking, and not by the client's word."""
    before: tuple[float, ...] = ()
    """As `heard`, of the answers before it that were still being played when it began; the last first."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The user has said nothing for `idle` seconds since the answer was heard. An Answer to that follows."""


Action = Duck | Unduck | Answer | Interrupt | Prompt


@dataclass
class Conversation:
    """`interruptible`: who speaks interrupts. `idle`: seconds of silence after an answer until Prompt; None never."""

    interruptible: bool = True
    idle: float | None = None
    playback: Playback = field(default_factory=Playback)
    """Of the last answer, and what is left of those before it."""
    making: bool = False
    """An answer is in the making."""
    _hearing: bool = False
    _ducked: bool = False
    _unheard: int = 0
    """Turns that are being transcribed."""
    _owed: bool = False
    """A turn with words in it that is to be answered."""
    _wanted: bool = False
    """Of the turns that are being transcribed, one is to be answered."""
    _idle: bool = False
    """Nobody has said anything since the last answer."""
    _prompted: bool = False
    """That answer was to a Prompt: who is not there is not prompted again and again."""
    _made_at: float = 0.0

    def state(self, now: float) -> State:
        if self._hearing:
            return State.HEARING
        if self.playback.audible(now):
            return State.DUCKED if self._ducked else State.SPEAKING
        return State.THINKING if self.making else State.LISTENING

    @property
    def wakes_at(self) -> float | None:
        """When to tell it Tick, if nothing else happens before."""
        waits = self.idle is not None and self._idle and not self.making and not self._hearing
        return max(self.playback.until(), self._made_at) + self.idle if waits and self.idle is not None else None

    def tell(self, event: Event, now: float) -> list[Action]:
        """What is to be done, in order."""
        return list(self._told(event, now))

    def _told(self, event: Event, now: float) -> Iterator[Action]:
        match event:
            case Suspected():
                yield from self._suspect(now)
            case Dismissed():
                yield from self._unduck()
            case Started():
                yield from self._start(now)
            case Cleared():
                self._hearing = False
                yield from self._unduck()
                yield from self._answer_if_owed(now)
            case Committed():
                yield from self._unduck()
                self._hearing = self._idle = self._prompted = False
                self._unheard += 1
                self._wanted |= event.answer
            case Transcribed():
                yield from self._transcribed(event.words, now)
            case Asked():
                # It waits for the turns that are being transcribed, and is the answer to them.
                self._wanted = self._prompted = False
                yield self._answer(now)
            case Sounded():
                self.playback.send(event.seconds, now)
            case Made():
                self.making = False
                self._idle, self._made_at = not self._prompted, now
                yield from self._answer_if_owed(now)
            case Cancelled() if self.making or self.playback.audible(now):
                yield self._interrupt(now, by_user=False)
            case Silenced() if not self.making:
                self.playback.stop(now)
                yield from self._unduck()
            case Tick() if self.wakes_at is not None and now >= self.wakes_at:
                self._prompted = True
                yield Prompt()
                yield self._answer(now)

    def _suspect(self, now: float) -> Iterator[Action]:
        if self.interruptible and self.playback.audible(now) and not self._ducked:
            self._ducked = True
            yield Duck()

    def _unduck(self) -> Iterator[Action]:
        if self._ducked:
            self._ducked = False
            yield Unduck()

    def _start(self, now: float) -> Iterator[Action]:
        self._hearing, self._idle, self._prompted = True, False, False
        if self.interruptible and (self.making or self.playback.audible(now)):
            yield self._interrupt(now, by_user=True)
        self._ducked = False

    def _transcribed(self, words: bool, now: float) -> Iterator[Action]:
        self._unheard = max(0, self._unheard - 1)
        self._owed |= self._wanted and words
        if not self._unheard:
            self._wanted = False
        yield from self._answer_if_owed(now)

    def _answer_if_owed(self, now: float) -> Iterator[Action]:
        """Not while the user goes on speaking: the answer will be to all of it. Nor while another answer is in the making."""
        if self._owed and not (self._hearing or self._unheard or self.making):
            yield self._answer(now)

    def _answer(self, now: float) -> Answer:
        self.making, self._owed, self._idle = True, False, False
        self.playback.begin(now)
        return Answer()

    def _interrupt(self, now: float, *, by_user: bool) -> Interrupt:
        making, (heard, *before) = self.making, self.playback.heard(now)
        self.making = self._ducked = False
        self.playback = Playback()
        return Interrupt(heard, making, by_user, tuple(before))
