"""Where things are and what they are called, in English: mail, web and IP addresses, paths, tags, telephone numbers and codes."""

from __future__ import annotations

import re

from voice import lexicon
from voice.numbers import cardinal, each
from voice.rules import Match, Rules

rule = Rules()


def _spelled(text: str) -> str:
    spoken = "".join(f" {lexicon.IN_ADDRESSES[sign]} " if sign in lexicon.IN_ADDRESSES else sign for sign in text)
    return f" {spoken} "


@rule(r"(?<![\w.+-])[\w.+-]{1,64}+@[\w-]{1,63}+(?:\.[\w-]{1,63}+){1,8}")
def _email(match: Match) -> str:
    return _spelled(match[0])


@rule(r"(?:https?://|\bwww\.)(?=[^\s<>\"“”])[^\s<>\"“”]{1,2000}+", re.IGNORECASE)
def _url(match: Match) -> str:
    address = match[0].rstrip(".,;:!?)']")
    return _spelled(re.sub(r"^(?:https?://)?(?:www\.)?", "", address, flags=re.IGNORECASE).rstrip("/")) + match[0][len(address) :]


@rule(rf"(?<![\w.@-])(?:[a-zA-Z0-9-]{{1,63}}+\.){{1,5}}(?:{lexicon.TOP_LEVEL})\b(?:/[\w./?=&#%~+-]{{0,500}}[\w/])?")
def _domain(match: Match) -> str:
    return _spelled(match[0].rstrip("/"))


@rule(r"(?<![\w.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\w.]\d|\w)(?::(\d{1,5})\b)?(?:/(\d{1,2})\b)?")
def _ip(match: Match) -> str:
    *parts, port, bits = match.groups()
    spoken = " dot ".join(each(part) if len(part) == 3 else cardinal(part) for part in parts)
    return spoken + (f" port {each(port)}" if port else "") + (f" slash {cardinal(bits)}" if bits else "")


@rule(r"(?<![^\s(\"'])~/")
def _home(match: Match) -> str:
    return "tilde slash "


# .NET, .txt
@rule(r"(?<![^\s(/])\.(?=[A-Za-z])")
def _leading_dot(match: Match) -> str:
    return "dot "


@rule(r"(?<![^\s(])#(?=[A-Za-z_])")
def _hashtag(match: Match) -> str:
    return "hashtag "


@rule(r"(?<![\w.-])(1)-(8(?:00|33|44|55|66|77|88)|900)-([A-Z]{3,12})(?![\w-])")
def _vanity_phone(match: Match) -> str:
    return f"{each(match[1])}, {each(match[2])}, {match[3]}"


@rule(r"(?<![\w.-])(?:\+?(1)[-. ])?\(?(\d{3})\)?[-. ](\d{3})[-.](\d{4})(?![\w-])")
def _phone(match: Match) -> str:
    return _groups(match[0])


@rule(r"(?<![\w.])\+\d{1,3}(?:[-. ]\(?\d{1,5}\)?){2,6}(?![\w-])|(?<![\w.,])(?<!\d )0\d{2,4}(?:[ -]\d{3,5}){1,3}(?![\w-])")
def _foreign_phone(match: Match) -> str:
    return ("plus " if match[0][0] == "+" else "") + _groups(match[0])


@rule(
    r"(?<![\d-])555-\d{4}(?![\w-])|"
    r"\b(?:call|dial|phone|telephone|fax|tel\.?|number|number is)(?: us| me| him| her| them)?(?: at| on)?:? \d{3}[- ]\d{4}(?![\w-])",
    re.IGNORECASE,
)
def _local_phone(match: Match) -> str:
    words = match[0].rstrip("0123456789- ")
    return words + (" " if words else "") + _groups(match[0][len(words) :])


# ISBN 978-3-16-148410-0, 123-45-6789; a date of such a form has four digits in front and two in each other group.
@rule(r"(?<![\w.-])(?!\d{4}-\d\d-\d\d(?!\d))\d{1,7}+(?:-\d{1,7}+){2,6}(?:-X)?(?![\w-])")
def _code(match: Match) -> str:
    return _groups(match[0]) + (", X" if match[0].endswith("X") else "")


def _groups(digits: str) -> str:
    return ", ".join(each(group) for group in re.findall(r"\d+", digits))
