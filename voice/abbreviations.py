"""Short forms of words and names in English: titles, initials, Roman numbers, saints and streets."""

from __future__ import annotations

import re

from voice import lexicon
from voice.numbers import cardinal, ordinal, roman
from voice.rules import Match, Rules, alternatives

rule = Rules()

MONARCHS = "|".join(lexicon.MONARCHS.split())
SAINTS = frozenset(lexicon.SAINTS.split())
ROMAN = r"(?:X{1,3}(?:IX|IV|V?I{0,3})|IX|IV|VI{0,3}|I{1,3})"


@rule(rf"\b({MONARCHS})\s({ROMAN})\b(?!\.\s?[A-Z]\.|')|\b({MONARCHS})\s({ROMAN})(?='s\b)")
def _monarch(match: Match) -> str:
    name, number = match[1] or match[3], match[2] or match[4]
    crowned = re.search(
        r"\b(?:King|Queen|Pope|Emperor|Empress|Tsar|Czar|Kaiser|Prince|of)\s$", match.string[max(match.start() - 12, 0) : match.start()]
    )
    if len(number) == 1 and number != "V" and not crowned:  # Did Charles or I? Malcolm X
        return match[0]
    return f"{name} the {ordinal(str(roman(number)))}"


# One letter may be another word: the part I like.
@rule(
    rf"\b((?i:{'|'.join(lexicon.NUMBERED.split())}))\s(?=[IVXivx]{{2}})({ROMAN}|{ROMAN.lower()})\b(?![.'][A-Za-z])|"
    r"\b(Chapter|Part|Act|Scene|Volume|Book|Section|Article|Appendix|War|Phase|Stage|Amendment|Canto|Title)\s([IVX])"
    r"(?=$|[.,;:!?)]|\s(?:of|and|was|is|in|to|ended|began|by)\b)"
)
def _roman(match: Match) -> str:
    return f"{match[1] or match[3]} {cardinal(str(roman((match[2] or match[4]).upper())))}"


@rule(
    rf"\b(?!(?:The|An|In|Use|My|His|Her|This|Is|With|And|Or|On|For|By|Of|To)\s)([A-Z][a-z'-]+\s)(?=[IVX]{{2}})({ROMAN})\b(?![.'][A-Za-z])"
)
def _sequel(match: Match) -> str:
    return match[1] + cardinal(str(roman(match[2])))


@rule(r"\be\.\s?g\.,?|\bi\.\s?e\.,?|\bw/o\b|\bw/(?=\s|$)|\ba\.k\.a\.|\bw\.r\.t\.|\bvs\b\.?", re.IGNORECASE)
def _phrase(match: Match) -> str:
    return lexicon.PHRASES[re.sub(r"[\s.,]", "", match[0]).lower()]


@rule(r"\b([Pp]h)\.?\s?[Dd]\b\.?")
def _doctorate(match: Match) -> str:
    return "PhD"


@rule(r"(?<!\w)St\.(\s)(?=([A-Z][a-z]*))")
def _saint_or_street(match: Match) -> str:
    before = match.string[: match.start()].rstrip()[-20:].rpartition(" ")[2]
    is_street = match[2] not in SAINTS and (
        before[:1].isupper() or before[:1].isdigit() or before.endswith(("first", "second", "third", "th"))
    )
    return "Street " if is_street else "Saint "


@rule(r"(?<!\w)St\.(?!\w)")
def _street(match: Match) -> str:
    return "Street"


# Oak Dr. and not Dr. Oak.
@rule(r"(?<=[a-z]\s)\bDr\.(?=,|\s*$|\s[a-z])")
def _drive(match: Match) -> str:
    named = match.string[: match.start()].rstrip()[-20:].rpartition(" ")[2]
    return "Drive" if named[:1].isupper() else "Doctor"


@rule(rf"\b({alternatives(lexicon.ABBREVIATIONS)})\.(?!\w)")
def _abbreviation(match: Match) -> str:
    return lexicon.ABBREVIATIONS[match[1]]


@rule(r"(?<![\w.])(?:(?!I\.\s)[A-Z]\.\s?){1,8}(?=[A-Z][a-z])|(?<![\w.])(?:[A-Za-z]\.){2,8}(?!\w)")
def _initials(match: Match) -> str:
    letters = re.sub(r"[.\s]", "", match[0]).upper()
    # Before a name they are said one by one: J. R. R. Tolkien.
    return " ".join(letters) + " " if match[0][-1].isspace() or match.string[match.end() : match.end() + 1].isalpha() else letters


# AT&T is spelled and not the word at.
@rule(r"(?<![\w&])([A-Z]{1,3})\s?&\s?([A-Z]{1,3})(?![\w&])")
def _and(match: Match) -> str:
    return f"{' '.join(match[1])} and {' '.join(match[2])}"


@rule(r"\b([Hh]e|[Hh]is|[Hh]im|[Hh]imself|[Yy]es|[Tt]rue|[Mm]ale)/(she|hers?|herself|no|false|female)\b|\bs/he\b")
def _or(match: Match) -> str:
    return f"{match[1]} or {match[2]}" if match[1] else "he or she"


@rule(r"\band/or\b")
def _and_or(match: Match) -> str:
    return "and or"


@rule(r"\b(TCP|I|N)/(IP|O|A)\b")
def _pair(match: Match) -> str:
    return f"{match[1]} {match[2]}"


@rule(r"\bA[-–](?=Z\b)")
def _a_to_z(match: Match) -> str:
    return "A to "
