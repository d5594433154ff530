"""Text to sentences, whole or as it comes from a model: a thin incremental layer over sentencex, which knows the abbreviations.

Every decision rests on the text from the beginning of the sentence to the first character after the place in question, and on nothing that
comes later. So the result does not depend on how the text was cut, and the sentences joined are the text, character for character.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import accumulate

import sentencex

MAX_CHARACTERS = 300
"""A longer sentence is broken at its last clause before this, so that no job is unbounded."""
LOOK = 8
FIRST_CLAUSE, FIRST_WIDE_CLAUSE = 20, 6
"""Characters that a first fragment has at least when it may end at a clause: in spaced scripts, and in scripts written without spaces."""

WIDE_ENDS = "。！？｡"
SPACED_ENDS = ".!?…؟۔։።။។।॥‽"
ENDS = SPACED_ENDS + WIDE_ENDS
CLOSERS = "\"'”’»›)]}」』】》〉）*_`"
SHUT = re.escape(CLOSERS)
WIDE_CLAUSES = "、，；："
CLAUSES = ",;:،؛—–"

# Possessive (*+, ++): a megabyte of blanks must not make the search quadratic.
PLACES = re.compile(
    rf"(?P<paragraph>\n[ \t\r]*+\n)"
    rf"|(?P<wide>[{WIDE_ENDS}])"
    rf"|(?P<end>(?:[{SPACED_ENDS}]++|(?<=[{WIDE_ENDS}])(?=[{SHUT}]))[{SHUT}]*+)(?P<gap>[^\S\n]*+\n?+[^\S\n]*+)(?=\S)"
    rf"|(?P<line>\n[^\S\n]*+)(?=\S)"
    rf"|(?P<clause>[{CLAUSES}]\s++(?=[^\W\d])|[{WIDE_CLAUSES}])"
)
CLAUSE_ENDS = re.compile(rf"\n\s*|[{CLAUSES}][{SHUT}]*\s+|[{WIDE_CLAUSES}]|[{WIDE_ENDS}]+")
BLANKS = re.compile(r"\s+")
LIST_LINE = re.compile(r"\s*(?:#{1,6}\s|[-*+•]\s|\d{1,3}[.)]\s|>|\|)")
LINE_MARKS = "-*+•#>|"
ENUMERATOR = re.compile(r"[\s*_#>-]*(?:\d{1,3}|[A-Za-z])[.)]\s*")
# Abbreviations before a number or a name that sentencex lets end a sentence.
NEVER_LAST = re.compile(r"\b(?:approx|ca|max|min|vol|ed|dept|lt|sgt|capt|col|gen|gov|sen|rep|maj|cmdr)\.\s*$", re.IGNORECASE)
MARKS = re.compile(r"```|[`\"“”„«»()\[\]{}（）「」『』【】《》]")
PAIRS = {")": "(", "]": "[", "}": "{", "）": "（", "」": "「", "』": "『", "】": "【", "》": "《", "»": "«"}


class SentenceSplitter:
    """Feed it text as it comes; it returns the sentences that are complete, each with the blanks that follow it."""

    def __init__(self, language: str = "en", *, clause_first: bool = False) -> None:
        """`language` is BCP 47; `clause_first` lets the first fragment end at a clause, to be spoken sooner."""
        self._language = re.split(r"[-_]", language)[0].lower()
        self._text = ""
        self._start = 0
        self._looked = 0
        self._clause_first = clause_first

    def feed(self, text: str) -> list[str]:
        """The sentences that this text completes."""
        self._text += text
        return self._sentences()

    def flush(self) -> list[str]:
        """The end of the text: what is left. The splitter is as new afterwards, but for `clause_first`."""
        rest = self._sentences() + self._rest()
        self._text = ""
        return rest

    def idle(self) -> list[str]:
        """Nothing has come for a while: the pending text, if it looks complete. The one result that depends on how the text was cut."""
        words = self._text.rstrip()
        if not self._whole(words) or not _closed(words, 0, len(words)) or len(words) not in self._bounds(words + " T"):
            return []
        return self._rest()

    def _whole(self, words: str) -> bool:
        ending = words.rstrip(CLOSERS)
        # "3." may become 3.14 with the next token.
        return ending[-1:] in ENDS and bool(ending) and not ending[-2:-1].isdigit() and speakable(words)

    def _rest(self) -> list[str]:
        rest, self._text, self._looked = self._text, "", 0
        return [rest] if rest else []

    def _sentences(self) -> list[str]:
        found = []
        self._start = 0
        while (end := self._next_end()) is not None:
            found.append(self._text[self._start : end])
            self._start = self._looked = end
            self._clause_first = False
        self._text = self._text[self._start :]
        self._looked -= self._start
        return found

    def _next_end(self) -> int | None:
        limit = self._start + MAX_CHARACTERS + LOOK
        for place in PLACES.finditer(self._text, max(self._looked, self._start), limit):
            if self._is_end(place):
                return place.end()
            self._looked = place.end()
        return self._clause_end() if len(self._text) > limit else None

    def _is_end(self, place: re.Match[str]) -> bool:
        if not speakable(self._text[self._start : place.start() + 1]) or not _closed(self._text, self._start, _after_mark(place)):
            return False
        match place.lastgroup:
            case "paragraph" | "wide":
                return True
            case "line":
                return self._is_line(place.start(), place.end())
            case "clause":
                return self._clause_first and self._is_first_clause(place)
        return self._is_sentence(place)

    def _is_line(self, newline: int, following: int) -> bool:
        """Whether a line break ends a list item, a heading, a row or a lead-in: prose may be wrapped anywhere."""
        line = self._text[max(self._text.rfind("\n", self._start, newline) + 1, self._start) : newline]
        return self._text[following] in LINE_MARKS or bool(LIST_LINE.match(line)) or line.rstrip().endswith((":", "："))

    def _is_first_clause(self, place: re.Match[str]) -> bool:
        least = FIRST_WIDE_CLAUSE if place[0] in WIDE_CLAUSES else FIRST_CLAUSE
        return len(self._text[self._start : place.start()].strip()) >= least

    def _is_sentence(self, place: re.Match[str]) -> bool:
        if "\n" in place["gap"] and self._is_line(place.end("end") + place["gap"].index("\n"), place.end()):
            return True
        if not place["gap"] and self._text[place.start() - 1] not in WIDE_ENDS:
            return False
        said = self._text[self._start : place.end()]
        if ENUMERATOR.fullmatch(said) or NEVER_LAST.search(said[-12:]):
            return False
        first, last = place.start() - self._start, len(said)
        following = self._text[place.end()]
        # An opening quote or bracket would look unbalanced to sentencex: any word may stand for what it opens.
        probe = said + (following if following.isalnum() else "T")
        return any(first <= bound <= last for bound in self._bounds(probe))

    def _bounds(self, text: str) -> Iterator[int]:
        """Where sentencex ends a sentence, the end of the text left out. Blanks belong to the sentence before them."""
        pieces = list(sentencex.segment(self._language, text))
        ends = accumulate(len(piece) for piece in pieces[:-1])
        return (bound for end, piece in zip(ends, pieces, strict=False) for bound in {end, end - len(piece) + len(piece.rstrip())})

    def _clause_end(self) -> int:
        """The best place to break the too long sentence at the front: the end of a sentence inside it, a clause, a blank, or anywhere."""
        text = self._text[self._start : self._start + MAX_CHARACTERS]
        least = MAX_CHARACTERS // 3
        for ends in (self._bounds(text), _ends(CLAUSE_ENDS, text), _ends(BLANKS, text)):
            if best := max((end for end in ends if least < end), default=0):
                return self._start + best
        return self._start + _cut(text)


def split(text: str, language: str = "en") -> list[str]:
    """The sentences of a whole text; joined they are the text."""
    splitter = SentenceSplitter(language)
    return splitter.feed(text) + splitter.flush()


def speakable(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _after_mark(place: re.Match[str]) -> int:
    return place.end("end") if place["end"] else place.start() + 1


def _closed(text: str, start: int, end: int) -> bool:
    """Whether no bracket, quote or code is open at `end`."""
    opened: list[str] = []
    for match in MARKS.finditer(text, start, end):
        mark, before = match[0], text[match.start() - 1] if match.start() > start else " "
        if opened and opened[-1] in {"```", "`"}:
            if mark == opened[-1]:
                opened.pop()
        elif opened and _closes(mark, opened[-1]):
            opened.pop()
        elif _opens(mark, before):
            opened.append(mark)
    return not opened


def _closes(mark: str, opener: str) -> bool:
    if opener == "„":
        return mark in "“”"
    if opener == "“":
        return mark == "”"
    return PAIRS.get(mark, mark) == opener


def _opens(mark: str, before: str) -> bool:
    """A closer that closes nothing is none: a), :-), 5 inches as 5". A smiley's bracket opens nothing."""
    if mark in PAIRS or mark == "”":
        return False
    if mark in '"«':
        return not (before.isalnum() or before in ENDS + CLAUSES)
    return not (mark == "(" and before in ":;=-")


def _ends(pattern: re.Pattern[str], text: str) -> Iterator[int]:
    return (match.end() for match in pattern.finditer(text))


def _cut(text: str) -> int:
    """The end of the text, moved before a character that is drawn in several code points."""
    end = len(text)
    while end > len(text) - LOOK and (unicodedata.combining(text[end - 1]) or text[end - 1] in "\u200d\ufe0f"):
        end -= 1
    return end
