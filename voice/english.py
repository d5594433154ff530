"""English as it is read aloud: prices, dates, times, units, addresses and abbreviations in words. One rule is one pattern and one function.

The order matters: what is more specific comes first, and what it makes are words that no later rule takes for something else.
No pattern may run over the same characters again from each of them: runs are bounded, possessive, or begin at a fixed place.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from voice.lexicon import (
    ABBREVIATIONS,
    BEFORE_NUMBERS,
    IN_ADDRESSES,
    MONTH_NAMES,
    MONTHS,
    SCALES,
    SIGNS,
    TOP_LEVEL,
    UNITS,
    VULGAR,
)
from voice.numbers import MONEY, NUMBER, cardinal, decade, decimal, each, fraction, money, ordinal, year

MONTH = (
    r"(Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|(?:Octo|Novem|Decem)ber|Oct|Nov|Dec)"
)
Match = re.Match[str]
Rule = tuple[re.Pattern[str], Callable[[Match], str]]
RULES: list[Rule] = []


def rule(pattern: str, flags: int = 0) -> Callable[[Callable[[Match], str]], Callable[[Match], str]]:
    def add(function: Callable[[Match], str]) -> Callable[[Match], str]:
        RULES.append((re.compile(pattern, flags), function))
        return function

    return add


def words(text: str) -> str:
    """The text with everything that is not a word put into words."""
    for pattern, say in RULES:
        text = pattern.sub(say, text)
    return text


def _address(text: str) -> str:
    spoken = "".join(f" {IN_ADDRESSES[sign]} " if sign in IN_ADDRESSES else sign for sign in text)
    return f" {spoken} "


def _alternatives(names: dict[str, str] | dict[str, tuple[str, str]]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


def _padded(match: Match, spoken: str) -> str:
    """Words do not stick to the letters that the digits stuck to: mp3, 3D."""
    before, after = match.string[match.start() - 1 : match.start()], match.string[match.end() : match.end() + 1]
    return (" " if before.isalpha() else "") + spoken + (" " if after.isalpha() else "")


@rule(r"(?<![\w.+-])[\w.+-]{1,64}+@[\w-]{1,63}+(?:\.[\w-]{1,63}+){1,8}")
def _email(match: Match) -> str:
    return _address(match[0])


@rule(r"(?:https?://|\bwww\.)[^\s<>\"“”]{1,2000}?(?=[.,;:!?)'\]]*(?:[\s<>\"“”]|$))", re.IGNORECASE)
def _url(match: Match) -> str:
    return _address(re.sub(r"^(?:https?://)?(?:www\.)?", "", match[0], flags=re.IGNORECASE).rstrip("/"))


@rule(rf"(?<![\w.@-])(?:[a-zA-Z0-9-]{{1,63}}+\.){{1,5}}(?:{TOP_LEVEL})\b(?:/[\w./?=&#%~+-]{{0,500}}[\w/])?")
def _domain(match: Match) -> str:
    return _address(match[0].rstrip("/"))


@rule(r"[½⅓⅔¼¾⅕⅛]")
def _vulgar(match: Match) -> str:
    before = match.string[match.start() - 1 : match.start()]
    return (" and " if before.isdigit() else "") + VULGAR[match[0]]


@rule(r"(?<![\d-])(\d{4})-(\d{2})-(\d{2})(?:T(?=\d))?(?![\d-])")
def _iso_date(match: Match) -> str:
    written, month, day = match.groups()
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return match[0]
    return f"{MONTHS[int(month) - 1]} {ordinal(day)}, {year(written)}" + (" at " if match[0].endswith("T") else "")


@rule(r"(?<![\d/])(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?![\d/])")
def _slashed_date(match: Match) -> str:
    month, day = int(match[1]), int(match[2])
    if month > 12:
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    written = match[3] if len(match[3]) == 4 else f"20{match[3]}"
    return f"{MONTHS[month - 1]} {ordinal(str(day))}, {year(written)}"


@rule(rf"\b{MONTH}\.?\s(\d{{1,2}})(?:st|nd|rd|th)?\b(?!:|\.\d)(?:,?\s(\d{{4}})\b)?")
def _month_first(match: Match) -> str:
    spoken = f"{MONTH_NAMES[match[1][:3].lower()]} {ordinal(match[2])}"
    return f"{spoken}, {year(match[3])}" if match[3] else spoken


@rule(rf"(?<![\d.,])(\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?{MONTH}\b\.?(?:,?\s(\d{{4}})\b)?")
def _day_first(match: Match) -> str:
    spoken = f"{MONTH_NAMES[match[2][:3].lower()]} {ordinal(match[1])}"
    return f"{spoken}, {year(match[3])}" if match[3] else spoken


@rule(r"(?<![\d:.])([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(?![\d:])(?:\s?([AaPp])\.?[Mm]\b\.?)?")
def _time(match: Match) -> str:
    hour, minute, second, half = match.groups()
    parts = [cardinal(str(int(hour)))]
    if minute != "00" or second:
        parts.append(f"oh {cardinal(minute[1])}" if minute[0] == "0" else cardinal(minute))
    elif not half:
        parts.append("o'clock" if 1 <= int(hour) <= 12 else "hundred hours")
    if second:
        parts.append(f"and {cardinal(str(int(second)))} seconds")
    return " ".join(parts) + (f" {half.upper()}M" if half else "")


@rule(r"(?<![\d.,])(\d{1,2})\s?([AaPp])\.?[Mm]\b\.?")
def _hour(match: Match) -> str:
    return f"{cardinal(match[1])} {match[2].upper()}M"


@rule(r"(?<![\w.-])(?:\+?1[-. ])?\(?(\d{3})\)?[-. ](\d{3})[-.](\d{4})(?![\w-])")
def _phone(match: Match) -> str:
    return ", ".join(each(group) for group in match.groups())


@rule(r"(?<![\w.])[vV]?(\d{1,9}(?:\.\d{1,9}){2,5})(?![\d])|(?<![\w.])[vV](\d{1,9}(?:\.\d{1,9})?)\b")
def _version(match: Match) -> str:
    parts = (match[1] or match[2]).split(".")
    joint = " dot " if len(parts) == 4 else " point "
    return ("version " if match[0][0] in "vV" else "") + joint.join(cardinal(part) for part in parts)


@rule(r"(?<![\d\w-])(\d{1,6})-(?=\d{1,6}(?![\d-]))|(?<=\d)\s?[–—−]\s?(?=[$€£]?\d)|(?<=\d):(?=\d)")
def _range(match: Match) -> str:
    return f"{match[1] or ''} to "


@rule(r"(?<=\d)\s?[x×]\s?(?=\d)")
def _by(match: Match) -> str:
    return " by "


@rule(r"(?<![\w)])[-−](?=[$€£]?\.?\d)|(?<=\d) [-−] (?=\d)")
def _minus(match: Match) -> str:
    return " minus " if match[0][0] == " " else "minus "


@rule(r"(?<=\d)\s?\*\s?(?=\d)")
def _times(match: Match) -> str:
    return " times "


@rule(r"(?<![\d.,'])(\d{1,3})(?:'|′)(?:\s?(\d{1,2})(?:\"|″))?(?!\w)")
def _feet(match: Match) -> str:
    feet = "foot" if match[1] == "1" or match[2] else "feet"
    return f"{cardinal(match[1])} {feet}" + (f" {cardinal(match[2])}" if match[2] else "")


@rule(rf"(?:US|CA|AU|(?<!\w))([$€£¥₹₩₽])\s?({NUMBER})(?:\s?({_alternatives(SCALES)})\b)?")
def _price(match: Match) -> str:
    symbol, amount, scale = match.groups()
    return _padded(match, f"{decimal(amount)} {SCALES[scale]} {MONEY[symbol][1]}" if scale else money(amount, symbol))


@rule(rf"(?<![\w.,])({NUMBER})(?:\s(thousand|million|billion|trillion))?\s?(€|£|₹|\b(?:USD|EUR|GBP|JPY|INR|CHF)\b)")
def _price_behind(match: Match) -> str:
    amount, scale, symbol = match.groups()
    return _padded(match, f"{decimal(amount)} {scale} {MONEY[symbol][1]}" if scale else money(amount, symbol))


@rule(r"(?<!\w)'?((?:1\d|20)?\d0)'?s\b")
def _decade(match: Match) -> str:
    return decade(match[1])


@rule(r"(?<![\d.,])(\d{1,3}(?:,\d{3}){0,4}|\d{1,15})(?:st|nd|rd|th)\b")
def _ordinal(match: Match) -> str:
    return _padded(match, ordinal(match[1].replace(",", "")))


@rule(rf"(?<![\d.,])({NUMBER})\s?({_alternatives(UNITS)})(?![\w°%])")
def _quantity(match: Match) -> str:
    one, many = UNITS[match[2]]
    return _padded(match, f"{decimal(match[1])} {one if match[1] == '1' else many}")


@rule(r"\b24/7\b")
def _always(match: Match) -> str:
    return "twenty-four seven"


@rule(r"(?<![\d./])(\d{1,3})/([2-9]|10|100)(?![\d/])")
def _fraction(match: Match) -> str:
    return _padded(match, fraction(match[1], match[2]))


@rule(r"(?<!\w)#(?=\d)|№\s?(?=\d)")
def _hash(match: Match) -> str:
    return "number "


@rule(rf"\b({'|'.join(BEFORE_NUMBERS)})\.\s?(?=\d)")
def _numbered(match: Match) -> str:
    return f"{BEFORE_NUMBERS[match[1]]} "


@rule(r"(?<![\d.,\w])(1[5-9]\d\d|20\d\d)(?![\w%°]|[.,]\d)")
def _year(match: Match) -> str:
    return year(match[1])


@rule(r"(?<=[A-Za-z])-(?=\d)")
def _joined(match: Match) -> str:
    return " "


@rule(r"(?<![\w.])~\s?(?=\d)")
def _about(match: Match) -> str:
    return "about "


@rule(rf"{NUMBER}|\.\d+")
def _number(match: Match) -> str:
    number = match[0]
    if number[0] == ".":
        return f" point {each(number[1:])}"
    return _padded(match, decimal(number))


@rule(r"\be\.\s?g\.,?|\bi\.\s?e\.,?|\bw/o\b|\bw/(?=\s)", re.IGNORECASE)
def _latin(match: Match) -> str:
    short = match[0][:3].lower()
    return {"e.g": "for example,", "e. ": "for example,", "i.e": "that is,", "i. ": "that is,", "w/o": "without"}.get(short, "with")


@rule(r"\b([Pp]h)\.?\s?[Dd]\b\.?")
def _doctorate(match: Match) -> str:
    return "PhD"


@rule(r"(?<!\w)St\.(\s)(?=[A-Z])")
def _saint_or_street(match: Match) -> str:
    before = match.string[: match.start()].rstrip()[-20:].rpartition(" ")[2]
    return "Street " if before[:1].isupper() or before[:1].isdigit() else "Saint "


@rule(r"(?<!\w)St\.(?!\w)")
def _street(match: Match) -> str:
    return "Street"


@rule(rf"\b({_alternatives(ABBREVIATIONS)})\.(?!\w)")
def _abbreviation(match: Match) -> str:
    return ABBREVIATIONS[match[1]]


@rule(r"(?<![\w.])(?:(?!I\.\s)[A-Z]\.\s?){1,8}(?=[A-Z][a-z])|(?<![\w.])(?:[A-Za-z]\.){2,8}(?!\w)")
def _initials(match: Match) -> str:
    letters = re.sub(r"[.\s]", "", match[0]).upper()
    # Before a name they are said one by one: J. R. R. Tolkien.
    return " ".join(letters) + " " if match[0][-1].isspace() or match.string[match.end() : match.end() + 1].isalpha() else letters


@rule(r"(?<=\w)\.(?=\w)")
def _dot(match: Match) -> str:
    return " dot "


@rule(r"\band/or\b")
def _and_or(match: Match) -> str:
    return "and or"


@rule(r"\b([CF])#(?!\w)")
def _sharp(match: Match) -> str:
    return f"{match[1]} sharp"


@rule(r"(?<=\w)/(?=\w)")
def _slash(match: Match) -> str:
    return " slash "


@rule(rf"[{re.escape(''.join(SIGNS))}]")
def _sign(match: Match) -> str:
    return f" {SIGNS[match[0]]} "
