"""Text to sentences, whole or as it comes from a model: a thin incremental layer over sentencex, which knows the abbreviations.

Every decision rests on the text from the beginning of the sentence to the first character after the place in question (where that cannot
tell, to the end of the next word), and on nothing that comes later. So the result does not depend on how the text was cut, and the
sentences joined are the text, character for character.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import accumulate

import sentencex

from voice import stops

MAX_CHARACTERS = 300
"""A longer sentence is broken at its last clause before this, so that no job is unbounded."""
LOOK = 8
FIRST_CLAUSE, FIRST_WIDE_CLAUSE = 20, 6
"""Characters that a first fragment has at least when it may end at a clause: in spaced scripts, and in scripts written without spaces."""

WIDE_ENDS = "。！？｡"
SPACED_ENDS = ".!?…؟۔։።။។।॥‽"
ENDS = SPACED_ENDS + WIDE_ENDS
CLOSERS = "\"'“”’‘«»›)]}」』】》〉）*_`"
SHUT = re.escape(CLOSERS)
FRENCH_CLOSER = r"(?:[ \u00a0\u202f]»(?!\w))?+"
FOOTNOTES = r"(?:\[\^?\d{1,3}\])*+(?!\[\^?\d{0,3}\Z)"
WIDE_CLAUSES = "、，；："
CLAUSES = ",;:،؛—–"

# "。" ends at once; "？" may be followed by "！". Possessive (*+, ++): a megabyte of blanks must not make the search quadratic.
PLACES = re.compile(
    rf"(?P<paragraph>\n[ \t\r]*+\n)"
    rf"|(?P<wide>[。｡]|[！？]++(?=[^！？]))"
    rf"|(?P<end>(?:[{SPACED_ENDS}]++|(?<=[{WIDE_ENDS}])(?=[{SHUT}]))[{SHUT}]*+{FRENCH_CLOSER}{FOOTNOTES})(?P<gap>[^\S\n]*+\n?+[^\S\n]*+)(?=\S)"
    rf"|(?P<line>\n[^\S\n]*+)(?=\S)"
    rf"|(?P<clause>[{CLAUSES}][^\S\n]++(?=[^\W\d])|[{WIDE_CLAUSES}])"
)
CLAUSE_ENDS = re.compile(rf"\n\s*|[{CLAUSES}][{SHUT}]*\s+|[{WIDE_CLAUSES}]|[{WIDE_ENDS}]+")
SPOKEN = re.compile(r"[^\W_]")
BLANKS = re.compile(r"\s+")
LIST_LINE = re.compile(r"\s*(?:#{1,6}\s|[-*+•]\s|(?:\d{1,3}|[A-Za-z])[.)]\s|>|\||```)")
FENCE = "```"
LINE_MARKS = "-*+•#>|"
ENUMERATOR = re.compile(r"[\s*_#>-]*(?:\d{1,3}|[A-Za-z])[.)]\s*")
FENCES = re.compile("```")
QUOTED = "とっ"
"""In Japanese they say that the quote before them is part of a sentence."""
MARKS = re.compile(r"```|[`\"“”„«»()\[\]{}（）「」『』【】《》]")
PAIRS = {")": "(", "]": "[", "}": "{", "）": "（", "」": "「", "』": "『", "】": "【", "》": "《", "»": "«"}
REVERSED = {"“": "”", "»": "«"}


class SentenceSplitter:
    """Feed it text as it comes; it returns the sentences that are complete, each with the blanks that follow it."""

    def __init__(self, language: str = "en", *, clause_first: bool = False) -> None:
        """`language` is BCP 47; `clause_first` lets the first fragment end at a clause, to be spoken sooner."""
        self._language = re.split(r"[-_]", language)[0].lower()
        self._clause_first = clause_first
        self._clear()

    def _clear(self) -> None:
        self._text = ""
        self._start = self._looked = 0
        self._fenced = self._whole = False

    def feed(self, text: str) -> list[str]:
        """The sentences that this text completes."""
        self._text += text
        return self._sentences()

    def flush(self) -> list[str]:
        """The end of the text: what is left. The splitter is as new afterwards, but for `clause_first`."""
        self._whole = True
        found = self._sentences()
        found += [self._text] if self._text else []
        self._clear()
        return found

    def idle(self) -> list[str]:
        """Nothing has come for a while: the pending text, if it looks complete. The one result that depends on how the text was cut."""
        words = self._text.rstrip()
        if not self._complete(words):
            return []
        pending, self._text, self._looked = self._text, "", 0
        return [pending]

    def _complete(self, words: str) -> bool:
        ending = words.rstrip(CLOSERS)
        # "3." may become 3.14 with the next token.
        if ending[-1:] not in ENDS or not ending or ending[-2:-1].isdigit() or not speakable(words):
            return False
        return self._closed(len(words), MARKS) and (ending[-1] != "." or stops.ends(words, "T", self._language, whole=False) is True)

    def _sentences(self) -> list[str]:
        found = []
        self._start = 0
        while (end := self._next_end()) is not None:
            found.append(self._text[self._start : end])
            self._fenced ^= found[-1].count(FENCE) % 2 == 1
            self._start = self._looked = end
            self._clause_first = False
        self._text = self._text[self._start :]
        self._looked -= self._start
        return found

    def _next_end(self) -> int | None:
        limit = self._start + MAX_CHARACTERS + LOOK
        for place in PLACES.finditer(self._text, max(self._looked, self._start), limit):
            ended = self._is_end(place)
            if ended is None and not self._whole:
                return None
            if ended:
                return place.end()
            self._looked = place.end()
        return self._clause_end() if len(self._text) > limit else None

    def _is_end(self, place: re.Match[str]) -> bool | None:
        """None while what follows is not there to tell."""
        if self._is_inside(place) or not SPOKEN.search(self._text, self._start, place.start() + 1):
            return False
        # A quote or a bracket that is open at the end of a paragraph will not be closed.
        if not self._closed(_after_mark(place), FENCES if place.lastgroup in {"paragraph", "line"} else MARKS):
            return False
        match place.lastgroup:
            case "paragraph" | "wide":
                return True
            case "line":
                return self._is_line(place.start(), place.end())
            case "clause":
                return self._is_clause(place)
        return self._is_sentence(place)

    def _is_inside(self, place: re.Match[str]) -> bool:
        """Whether it is a stop without a blank after it, in a script with blanks: 3.14, a.b."""
        return place["gap"] == "" and self._text[place.start() - 1] not in WIDE_ENDS

    def _closed(self, end: int, marks: re.Pattern[str]) -> bool:
        return _closed(self._text, self._start, end, marks, fenced=self._fenced)

    def _is_line(self, newline: int, following: int) -> bool | None:
        """Whether a line break ends a list item, a heading, a row or a lead-in: prose may be wrapped anywhere."""
        line = self._text[max(self._text.rfind("\n", self._start, newline) + 1, self._start) : newline]
        if self._text[following] in LINE_MARKS or LIST_LINE.match(line) or line.rstrip().endswith((":", "：")):
            return True
        ahead = self._text[following : following + len(FENCE)]
        return True if ahead == FENCE else None if FENCE.startswith(ahead) else False

    def _is_clause(self, place: re.Match[str]) -> bool:
        if place[0][0] == ";" and self._language == "el":  # the Greek question mark
            return True
        least = FIRST_WIDE_CLAUSE if place[0] in WIDE_CLAUSES else FIRST_CLAUSE
        return self._clause_first and len(self._text[self._start : place.start()].strip()) >= least

    def _is_sentence(self, place: re.Match[str]) -> bool | None:
        if "\n" in place["gap"] and (line := self._is_line(place.end("end") + place["gap"].index("\n"), place.end())) is not False:
            return line
        said, following = self._text[self._start : place.end("end")], self._text[place.end() : place.end() + stops.WORD + 1]
        if self._text[place.start() - 1] in WIDE_ENDS:
            return following[0] not in QUOTED
        return not ENUMERATOR.fullmatch(said) and stops.ends(said, following, self._language, whole=self._whole)

    def _clause_end(self) -> int:
        """The best place to break the too long sentence at the front: the end of a sentence inside it, a clause, a blank, or anywhere."""
        text = self._text[self._start : self._start + MAX_CHARACTERS]
        least = MAX_CHARACTERS // 3
        for ends in ([] if self._fenced or FENCE in text else self._bounds(text), _ends(CLAUSE_ENDS, text), _ends(BLANKS, text)):
            if best := max((end for end in ends if least < end), default=0):
                return self._start + best
        return self._start + _cut(text)

    def _bounds(self, text: str) -> Iterator[int]:
        """Where sentencex ends a sentence, the end of the text left out. Blanks belong to the sentence before them."""
        return accumulate(len(piece) for piece in sentencex.segment(self._language, text)[:-1])


def split(text: str, language: str = "en") -> list[str]:
    """The sentences of a whole text; joined they are the text."""
    splitter = SentenceSplitter(language)
    return splitter.feed(text) + splitter.flush()


def speakable(text: str) -> bool:
    return SPOKEN.search(text) is not None


def _after_mark(place: re.Match[str]) -> int:
    return place.end("end") if place["end"] else place.start() + 1


def _closed(text: str, start: int, end: int, marks: re.Pattern[str], *, fenced: bool) -> bool:
    """Whether none of the brackets, quotes or code marks is open at `end`."""
    opened = [FENCE] if fenced else []
    for match in marks.finditer(text, start, end):
        mark, before = match[0], text[match.start() - 1] if match.start() > start else " "
        if opened and opened[-1] in {FENCE, "`"}:
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
    if opener in REVERSED:
        return mark == REVERSED[opener]
    return PAIRS.get(mark, mark) == opener


def _opens(mark: str, before: str) -> bool:
    """A closer that closes nothing is none: a), :-), 5 inches as 5". A smiley's bracket opens nothing."""
    if mark == "»":
        return before.isspace()
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
