"""Dates, times and durations as they are said in English."""

from __future__ import annotations

import re

from voice import lexicon
from voice.numbers import cardinal, decade, ordinal, year
from voice.rules import Match, Rules

rule = Rules()

MONTH = (
    r"(Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|(?:Octo|Novem|Decem)ber|Oct|Nov|Dec)"
)
DAY = r"(Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)"
NAMED = rf"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|{DAY[1:-1]}|{MONTH[1:-1]}"
ZONE = r"(?:Z|[+-]\d\d:?\d\d)"


@rule(rf"(?<![\d-])(\d{{4}})-(\d{{2}})-(\d{{2}})(?:(?:T|,?\s)(?=\d\d:)(\d\d):(\d\d)(?::(\d\d)(?:\.\d{{1,9}})?)?({ZONE})?)?(?![\d-])")
def _iso_date(match: Match) -> str:
    written, month, day, hour, minute, second, zone = match.groups()
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return match[0]
    spoken = f"{lexicon.MONTHS[int(month) - 1]} {ordinal(day)}, {year(written)}"
    return f"{spoken} at {_clock(hour, minute, second)}{_zone(zone)}" if hour else spoken


def _zone(zone: str | None) -> str:
    if not zone:
        return ""
    if zone == "Z" or not zone[1:].strip("0:"):
        return " UTC"
    hours, minutes = zone[1:3], zone[-2:]
    return f" UTC {'plus' if zone[0] == '+' else 'minus'} {cardinal(str(int(hours)))}" + (
        "" if minutes == "00" else f" {cardinal(minutes)}"
    )


@rule(r"(?<![\d/])(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?![\d/])")
def _slashed_date(match: Match) -> str:
    month, day = int(match[1]), int(match[2])
    return _numeric(match, min(month, day) if month > 12 else month, day if month <= 12 else month, match[3])


@rule(r"(?<![\d.])(\d{1,2})\.(\d{1,2})\.((?:19|20)\d\d)(?![\d.])")
def _dotted_date(match: Match) -> str:
    return _numeric(match, int(match[2]), int(match[1]), match[3])


def _numeric(match: Match, month: int, day: int, written: str) -> str:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    return f"{lexicon.MONTHS[month - 1]} {ordinal(str(day))}, {year(_full(written))}"


def _full(written: str) -> str:
    """24 is this century's, 85 the last one's."""
    return written if len(written) == 4 else f"{'20' if written < '50' else '19'}{written}"


@rule(rf"\b{DAY}\b\.?(?=,?\s(?:{MONTH}\b|\d{{1,2}}\b))")
def _day(match: Match) -> str:
    return lexicon.DAYS[match[1][:3]]


@rule(rf"\b({NAMED})\.?[-–]({NAMED})\b(?!\s\d)")
def _from_to(match: Match) -> str:
    first, last = (lexicon.DAYS.get(name[:3]) or lexicon.MONTH_NAMES[name[:3].lower()] for name in match.groups())
    return f"{first} to {last}"


@rule(
    rf"\b{MONTH}\.?\s(\d{{1,2}})(?:st|nd|rd|th)?(?:[-–](\d{{1,2}})(?:st|nd|rd|th)?)?\b(?!:|\.\d)(?:,?\s(\d{{4}})\b)?(\s?[-–]\s?(?={MONTH}\b))?"
)
def _month_first(match: Match) -> str:
    month, first, last, written, until = match.groups()[:5]
    return _date(month, first, last, written) + (" to " if until else "")


@rule(rf"(?<![\d.,-])(\d{{1,2}})(?:st|nd|rd|th)?\sof\s{MONTH}\b\.?(?:,?\s(\d{{4}})\b)?")
def _day_of_month(match: Match) -> str:
    spoken = f"{ordinal(match[1])} of {lexicon.MONTH_NAMES[match[2][:3].lower()]}"
    return f"{spoken}, {year(match[3])}" if match[3] else spoken


@rule(rf"(?<![\d.,-])(\bthe\s)?(\d{{1,2}})(?:[-–](\d{{1,2}}))?(?:st|nd|rd|th)?\s{MONTH}\b\.?(?:,?\s(\d{{4}})\b)?")
def _day_first(match: Match) -> str:
    _, first, last, month, written = match.groups()
    return _date(month, first, last, written)


def _date(month: str, first: str, last: str | None, written: str | None) -> str:
    spoken = f"{lexicon.MONTH_NAMES[month[:3].lower()]} {ordinal(first)}" + (f" to {ordinal(last)}" if last else "")
    return f"{spoken}, {year(written)}" if written else spoken


@rule(rf"\b{MONTH}\.?(?=,?\s(?:19|20)\d\d\b)")
def _month_of_year(match: Match) -> str:
    return lexicon.MONTH_NAMES[match[1][:3].lower()]


# Before times are words: 9-5pm, 10-11:45.
@rule(r"(?<=\d)[-–—−](?=\d{1,2}(?::[0-5]\d|\s?[AaPp]\.?[Mm]\b))")
def _until(match: Match) -> str:
    return " to "


@rule(
    r"(?<![\d:.])([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(?![\d:])(?:\s?([AaPp])\.?[Mm]\b\.?)?(\s?[-–—−]\s?(?=\d))?|"
    r"(?<![\d:.])(1?\d)\.([0-5]\d)\s?([AaPp])\.?[Mm]\b\.?()"
)
def _time(match: Match) -> str:
    hour, minute, second, half, until = match.groups()[:5]
    if match[6]:
        hour, minute, half = match[6], match[7], match[8]
    exact = minute == "00" and not second
    hours = "" if not exact or half else " o'clock" if 1 <= int(hour) <= 12 else " hundred hours"
    return _clock(hour, minute, second) + hours + (f" {half.upper()}M" if half else "") + (" to " if until else "")


def _clock(hour: str, minute: str, second: str | None) -> str:
    parts = [cardinal(str(int(hour)))]
    if minute != "00" or second not in {None, "00"}:
        parts.append(f"oh {cardinal(minute[1])}" if minute[0] == "0" else cardinal(minute))
    if second and second != "00":
        parts.append(f"and {cardinal(str(int(second)))} seconds")
    return " ".join(parts)


@rule(r"(?<![\d.,])(\d{1,2})\s?([AaPp])\.?[Mm]\b\.?(\s?[-–—−]\s?(?=\d))?")
def _hour(match: Match) -> str:
    return f"{cardinal(match[1])} {match[2].upper()}M" + (" to " if match[3] else "")


@rule(r"(?<![\w.,-])(\d{1,4}d\s)?(\d{1,4}h)(?:\s?(\d{1,2})m?)?(?:\s?(\d{1,2}s))?(?!\w)|(?<![\w.,-])(\d{1,4})m\s?(\d{1,2}s)(?!\w)")
def _duration(match: Match) -> str:
    days, hours, minutes, seconds, *alone = match.groups()
    named = [(days, "day"), (hours, "hour"), (minutes or alone[0], "minute"), (seconds or alone[1], "second")]
    parts = [_counted(part.strip("dhs "), name) for part, name in named if part]
    return " ".join(parts) if len(parts) > 1 else match[0]


def _counted(digits: str, name: str) -> str:
    return f"{cardinal(str(int(digits)))} {name}{'' if int(digits) == 1 else 's'}"


# 30s alone are seconds: years have four digits, an apostrophe, or a word with them that tells.
@rule(
    r"(?<!\w)'?(?:((?:1\d|20)\d0)'?|(?<=')(\d0)|(\d0)'(?=s)|(\d0)(?=s\s(?:music|pop|rock|songs?|hits|films?|movies?|shows?|kids?|fashion|style)\b))s\b"
)
def _decade(match: Match) -> str:
    return decade(next(filter(None, match.groups())))


@rule(
    r"\b(?:the|his|her|their|my|your|our|early|mid|late)[\s-]'?[2-9]0s\b(?!\s(?:timeout|timer|delay|limit|mark|window|interval|pause|wait))"
    r"(?:(?:,|,?\s(?:and|or|to))\s(?:early\s|mid-|late\s)?'?[2-9]0s\b)*+",
    re.IGNORECASE,
)
def _decades(match: Match) -> str:
    return re.sub(r"'?([2-9]0)s\b", lambda found: decade(found[1]), match[0])


@rule(r"(?<=\bFY)(20\d\d)\b|(?<![\w.,])(1\d\d\d|[1-9]\d\d)(?=\s?(?:AD|BC|BCE|CE|A\.D\.|B\.C\.))|(?<=\bAD\s)(\d{3,4})\b")
def _era(match: Match) -> str:
    written = next(filter(None, match.groups()))
    return (" " if match[1] else "") + (year(written) if len(written) == 4 else cardinal(written))


# What follows tells a year from an amount: in 1066 the king, in 1200 cases.
@rule(
    r"\b((?:[Ii]n|[Bb]y)\s)(1[0-4]\d\d)(?=$|[,.;:!?)](?!\d)|\s(?:the|he|she|it|they|we|and|when|after|before|by|at|for|to|a|an|as|was|is)\b)|"
    r"\b((?:[Ss]ince|[Uu]ntil|circa|year)\s)(1[0-4]\d\d)(?![\w%]|[.,]\d)"
)
def _old_year(match: Match) -> str:
    return (match[1] or match[3]) + year(match[2] or match[4])
