"""Whether somebody who has paused is done, by what was said so far: cheaply, from the transcript alone."""

from __future__ import annotations

import re
from typing import Literal

Eagerness = Literal["low", "medium", "high", "auto"]

LONGEST = {"low": 8.0, "medium": 4.0, "high": 2.0, "auto": 4.0}
"""Seconds of silence that end any turn, by eagerness; as OpenAI's semantic_vad."""
SHORTEST = {"low": 0.8, "medium": 0.4, "high": 0.25, "auto": 0.4}
"""Seconds of silence that end a finished sentence."""

# Words that nobody ends on: what they join, belong to or fill in for is still to come. Not prepositions: "Turn it on."
_LEADING_ON = {
    "en": "a an the my your our their every and or but nor because although though unless until whether than i'm you're um uh uhm erm",
    "de": "der das dem des ein eine einen einem einer mein meine dein deine und oder aber denn weil dass obwohl äh ähm öhm",
    "fr": "le la les un une des du mon ma mes ton ta tes et ou mais car parce puisque euh heu",
    "es": "el la los las un una unos unas mi tu su y o pero porque aunque eh em",
    "it": "il lo la gli le un uno una e o ma perché mentre ehm",
    "pt": "o a os as um uma meu minha e ou mas porque enquanto hum",
    "nl": "de het een mijn jouw en of maar want omdat hoewel eh uhm",
}
_ASKED = frozenset({"or", "oder", "ou", "o", "of"})
"""Of these, what a question may end on."""
_LEADING = {language: frozenset(words.split()) for language, words in _LEADING_ON.items()}
_ENDS = (".", "!", "?", "。", "！", "？", "؟", "।", "።", "…")
_TRAILING_OFF = ("...", "…", ",", "、", "，", "،", ";", ":", "-", "–", "—")
_CLOSERS = "\"'”’»)]」』"
_LAST_WORD = re.compile(r"[\w'’]+(?=\W*$)")


def finished(text: str, language: str = "en") -> bool:
    """A transcriber ends nearly all it hears with a sign, half a question too: the last word counts for more than what is behind it."""
    said = text.strip().rstrip(_CLOSERS).rstrip()
    if not said or said.endswith(_TRAILING_OFF):
        return False
    last = _LAST_WORD.search(said)
    if last is None:
        return False
    word = last.group().lower().replace("’", "'")
    leading_on = word in _LEADING.get(language.partition("-")[0].lower(), ())
    return said.endswith(_ENDS) and (not leading_on or (word in _ASKED and said.endswith("?")))


def patience(text: str, eagerness: Eagerness, language: str = "en") -> float:
    """Seconds of silence after which whoever has said this is taken to be done."""
    return SHORTEST[eagerness] if finished(text, language) else LONGEST[eagerness]
