"""When each written word is heard: the words that an engine was given, found again in the text as it was written.

"$42.50" is one written word and five spoken ones; "$5 million" is told as one word too, for its dollars are said last. Both sides are cut
into units, those that are read as expected hold the two together, and what lies between belongs together in order. In a script without
blanks a character is a unit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from models.base import Word
from voice.lexicon import SIGNS

# Kana, Han and the scripts of Thailand, Laos, Burma and Cambodia.
UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u0e01-\u0edf\u1000-\u109f\u1780-\u17dd"
UNITS = re.compile(rf"[{UNSPACED}]|(?:(?!--)[^\s{UNSPACED}—–―…])+")
UNSAID = re.compile(
    r"^[ \t]*```[^\n`]{0,40}$"
    r"|(?<=\])\([^()\s]{0,2000}(?:\s\"[^\"\n]{0,300}\")?\)"
    r"|</?[a-zA-Z][\w-]{0,40}(?:\s[^<>\n]{0,200})?/?>",
    re.MULTILINE,
)
"""The fence of a block of code, a link's target, and a tag. What <T> is in code is told with the word before it."""
SAID_SIGNS = frozenset(SIGNS) - frozenset("|~\\^<>")
"""Signs that are a part of the word they stand at, and by themselves a word. The others may be markup."""


@dataclass(frozen=True, slots=True)
class WrittenWord:
    """`text` stands at character `at` of what was written. It is heard from `start` to `end`: seconds from the beginning of the audio."""

    text: str
    at: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Unit:
    start: int
    end: int
    form: str
    """What is left of it when case and signs do not count."""


Place = tuple[int, int]
"""The first and the last of some units."""


@dataclass(slots=True)
class Group:
    """Units `first` to `last` of the text, and when they are heard together."""

    first: int
    last: int
    start: float
    end: float


class WordTimes:
    """The words of one sentence. Tell it what the engine tells, and it tells the written words that this completes."""

    def __init__(self, text: str, spoken: str, say: Callable[[str], str], at: int = 0) -> None:
        """`spoken` is what `say` makes of the sentence `text`, which stands at character `at` of the whole."""
        self._text = text
        self._spoken = spoken
        self._at = at
        self._written = list(_written_units(text))
        self._said = list(_units(spoken))
        heard = [_heard(text, unit, say) for unit in self._written]
        self._places = _joined(_aligned(self._said, heard), self._written, heard)
        self._position = 0
        self._open: Group | None = None

    def tell(self, words: Iterable[Word]) -> tuple[WrittenWord, ...]:
        """In order, each with the span of all the spoken words that it is read as."""
        return tuple(map(self._named, self._complete(words)))

    def _complete(self, words: Iterable[Word]) -> Iterator[Group]:
        for word in words:
            if (place := self._place(word)) is None:
                continue
            if self._open and place[0] <= self._open.last:
                self._open.last, self._open.end = max(place[1], self._open.last), word.end
                continue
            if self._open:
                yield self._open
            self._open = Group(*place, word.start, word.end)
        if self._open and not self._goes_on(self._open):
            yield self._open
            self._open = None

    def _place(self, word: Word) -> Place | None:
        """The written units that an engine's word is a part of."""
        heard = self._heard_in(word.text.strip()) if _form(word.text) else []
        places = [place for unit in heard if (place := self._places[unit])]
        return (places[0][0], places[-1][1]) if places else None

    def _goes_on(self, group: Group) -> bool:
        """Whether a spoken word that is still to come belongs to it."""
        parts = zip(self._said, self._places, strict=True)
        return any(place[0] <= group.last for unit, place in parts if place and unit.end > self._position)

    def _heard_in(self, word: str) -> list[int]:
        """The spoken units that the engine's word covers. One that is not found is the next: an engine may spell it in its own way."""
        start = self._find(word)
        if start is None:
            start, end = next(((unit.start, unit.end) for unit in self._said if unit.end > self._position), (0, 0))
        else:
            end = start + len(word)
        self._position = max(self._position, end)
        return [index for index, unit in enumerate(self._said) if unit.start < end and unit.end > start]

    def _find(self, word: str) -> int | None:
        """As what comes next, or else as a whole word further on."""
        start = self._spoken.find(word, self._position)
        if start >= 0 and not _form(self._spoken[self._position : start]):
            return start
        found = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)").search(self._spoken, self._position)
        return found.start() if found else None

    def _named(self, group: Group) -> WrittenWord:
        start, end = self._written[group.first].start, self._written[group.last].end
        return WrittenWord(self._text[start:end], self._at + start, group.start, group.end)


def _written_units(text: str) -> Iterator[Unit]:
    return _units(UNSAID.sub(lambda match: " " * len(match[0]), text))


def _units(text: str) -> Iterator[Unit]:
    for match in UNITS.finditer(text):
        start, end = match.span()
        while start < end and not _opens_word(text, start, end):
            start += 1
        while start < end and not _in_word(text[end - 1]):
            end -= 1
        if start < end:
            yield Unit(start, end, _form(text[start:end]))


def _opens_word(text: str, place: int, end: int) -> bool:
    # -5, .5
    return _in_word(text[place]) or (text[place] in "-−." and place + 1 < end and (text[place + 1].isdigit() or text[place + 1] in "$€£"))


def _in_word(character: str) -> bool:
    kind = unicodedata.category(character)
    return kind[0] in "LNM" or (kind in {"Sc", "Sm"} and character not in "~|^<>") or character in SAID_SIGNS


def _form(text: str) -> str:
    return "".join(character for character in unicodedata.normalize("NFKC", text).casefold() if character.isalnum())


def _heard(text: str, unit: Unit, say: Callable[[str], str]) -> list[str]:
    """The forms that a unit is probably read as. Most words are read as they are written, and saying is not for nothing."""
    word = text[unit.start : unit.end]
    if word.replace("'", "").replace("’", "").isalpha():
        return [unit.form]
    return [heard.form for heard in _units(say(word))]


def _aligned(said: list[Unit], heard: list[list[str]]) -> list[Place | None]:
    """For each spoken unit the written ones that it is a part of; None where nothing at all is written."""
    forms = [(index, form) for index, group in enumerate(heard) for form in group]
    matcher = SequenceMatcher(None, [form for _, form in forms], [unit.form for unit in said], autojunk=False)
    places: list[Place | None] = []
    for _, first, last, begin, end in matcher.get_opcodes():
        owners = [owner for owner, _ in forms[first:last]]
        if not owners:  # more is said than was expected: it goes with the word before it
            owners = [owner for owner, _ in forms[max(first - 1, 0) : max(first, 1)]]
        places += _shared(owners, end - begin)
    return places


def _shared(owners: list[int], count: int) -> Iterator[Place | None]:
    """Spread in order over so many spoken units, evenly."""
    for number in range(count):
        first = number * len(owners) // count
        last = max(first, (number + 1) * len(owners) // count - 1)
        yield (owners[first], owners[last]) if owners else None


def _joined(places: list[Place | None], written: list[Unit], heard: list[list[str]]) -> list[Place | None]:
    """A word that is nowhere in what is said belongs to a number beside it: version v1.2, $5 million."""
    told = {unit for place in places if place for unit in range(place[0], place[1] + 1)}
    for unit in range(len(written)):
        if unit not in told and written[unit].form:
            beside = next((near for near in (unit - 1, unit + 1) if near in told and heard[near] != [written[near].form]), None)
            places = [_with(place, unit) if place and beside in place else place for place in places]
    return places


def _with(place: Place, unit: int) -> Place:
    return min(place[0], unit), max(place[1], unit)
