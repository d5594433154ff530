"""What is written, as it is to be said: words, and the punctuation that voices know."""

from __future__ import annotations

import re
import unicodedata

from voice import english, languages, markup, numbers

SPOKEN_NAMES = {"Sm", "Sc"}
"""Unicode categories of signs that have a name worth saying: mathematics and money. Others (emoji, drawings) are not read aloud."""
SILENT = {"So", "Sk", "Cc", "Cf", "Co", "Cn", "Cs"}
JOINERS = "\u200c\u200d"
ENDS = ".!?…。！？｡।॥؟۔"
STOPS = "。！？｡।॥؟۔"

APOSTROPHES = str.maketrans(
    {"’": "'", "‘": "'", "ʼ": "'", "‛": "'", "‚": "'", "\u00ad": None} | dict(zip("ﬀﬁﬂﬃﬄ", ("ff", "fi", "fl", "ffi", "ffl"), strict=True))
)
"""Also the ligatures that books come with, and no soft hyphens."""
QUOTES = re.compile(r"[\"“”„«»‹›「」『』《》〈〉]|(?<!\w)'|'(?!\w)")
# A pause that is written as a dash, a bracket or three dots is a comma to a voice.
PAUSES = re.compile(r"\s*(?:[—–―]|(?<=\s)-{1,3}(?=\s)|--+|[()\[\]{}（）【】])\s*")
TRAILS = re.compile(r"\s*(?:…|\.{2,})+\s*(?=(\w)?)")
BLANKS = re.compile(r"[\s*_~^|\\<>`]+")
"""White space, and signs that mean nothing by now."""
TIDY = [
    (BLANKS, " "),
    (re.compile(r" ++(?=[,.;:!?])"), ""),
    (re.compile(r"(?<![,;:])[,;:]++(?=[.!?])"), ""),
    (re.compile(r"([,;:])(?: ?[,;:])+"), r"\1"),
    (re.compile(r"([.!?])(?: ?[,;:.])+"), r"\1"),
    (re.compile(r"([!?])[!?]+"), r"\1"),
    (re.compile(r"(?<=[^\W\d_])[:;,](?=[^\W\d_])"), ", "),
    (re.compile(r"(?<=[.!?])(?=[^\W\d_])"), " "),
    (re.compile(r"^[ ,.;:!?、，。！？…-]+|(?<![ ,;:-])[ ,;:-]++$"), ""),
]


def normalize(text: str, language: str = "en") -> str:
    """The words of one sentence, in one line; empty if there is nothing to say. `language` is BCP 47.

    English is spelled out in full. In other languages numbers are, where num2words knows the language; markup, emoji and quotes go in all.
    """
    tag = re.split(r"[-_]", language)[0].lower()
    ended = text.rstrip(" \t\n\r\"'”’»)]*_`")[-1:] in ENDS
    said = unicodedata.normalize("NFC", text.translate(APOSTROPHES))
    said = (
        english.words(markup.strip(english.formulas(said))) if tag == "en" else numbers.plain(languages.signs(markup.strip(said), tag), tag)
    )
    return _tidy(_known_signs(said, tag), ended=ended)


def _known_signs(text: str, tag: str) -> str:
    return text if text.isascii() else "".join(_sign(text, place, tag) for place in range(len(text)))


def _sign(text: str, place: int, tag: str) -> str:
    character = text[place]
    if character == "\ufe0f" or (character in JOINERS and not text[place - 1 : place].isalpha()):
        return ""
    kind = unicodedata.category(character)
    if character in JOINERS or (kind not in SILENT and kind not in SPOKEN_NAMES):
        return character
    return f" {unicodedata.name(character, '').lower()} " if tag == "en" and kind in SPOKEN_NAMES else " "


def _tidy(text: str, *, ended: bool) -> str:
    # Blanks first: the patterns after this may begin with one, and would otherwise run over a long stretch of them from each.
    text = QUOTES.sub("", BLANKS.sub(" ", text))
    text = TRAILS.sub(lambda match: ", " if match[1] else ". ", text)
    text = PAUSES.sub(", ", text)
    for pattern, replacement in TIDY:
        text = pattern.sub(replacement, text)
    if not any(character.isalnum() for character in text):
        return ""
    # An abbreviation at the end has taken the sentence's full stop with it.
    return text + "." if ended and text[-1] not in ENDS else text
