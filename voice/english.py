"""English as it is read aloud: prices, dates, times, units, addresses and abbreviations in words. One rule is one pattern and one function.

The order matters: what is more specific comes first, and what it makes are words that no later rule takes for something else.
No pattern may run over the same characters again from each of them: runs are bounded, possessive, or begin at a fixed place.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from voice import lexicon
from voice.numbers import MONEY, NUMBER, cardinal, decade, decimal, each, fraction, money, ordinal, year

MONTH = (
    r"(Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|(?:Octo|Novem|Decem)ber|Oct|Nov|Dec)"
)
LONG_UNITS, SHORT_UNITS = (
    "|".join(re.escape(name) for name in sorted(lexicon.UNITS, key=len, reverse=True) if (len(name) > 1) == long) for long in (True, False)
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
    spoken = "".join(f" {lexicon.IN_ADDRESSES[sign]} " if sign in lexicon.IN_ADDRESSES else sign for sign in text)
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


@rule(rf"(?<![\w.@-])(?:[a-zA-Z0-9-]{{1,63}}+\.){{1,5}}(?:{lexicon.TOP_LEVEL})\b(?:/[\w./?=&#%~+-]{{0,500}}[\w/])?")
def _domain(match: Match) -> str:
    return _address(match[0].rstrip("/"))


@rule(r"[½⅓⅔¼¾⅕⅛]")
def _vulgar(match: Match) -> str:
    before = match.string[match.start() - 1 : match.start()]
    return (" and " if before.isdigit() else "") + lexicon.VULGAR[match[0]]


@rule(r"(?<![\d-])(\d{4})-(\d{2})-(\d{2})(?:T(?=\d))?(?![\d-])")
def _iso_date(match: Match) -> str:
    written, month, day = match.groups()
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return match[0]
    return f"{lexicon.MONTHS[int(month) - 1]} {ordinal(day)}, {year(written)}" + (" at " if match[0].endswith("T") else "")


@rule(r"(?<![\d/])(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?![\d/])")
def _slashed_date(match: Match) -> str:
    month, day = int(match[1]), int(match[2])
    if month > 12:
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    written = match[3] if len(match[3]) == 4 else f"20{match[3]}"
    return f"{lexicon.MONTHS[month - 1]} {ordinal(str(day))}, {year(written)}"


@rule(rf"\b{MONTH}\.?\s(\d{{1,2}})(?:st|nd|rd|th)?(?:[-–](\d{{1,2}})(?:st|nd|rd|th)?)?\b(?!:|\.\d)(?:,?\s(\d{{4}})\b)?")
def _month_first(match: Match) -> str:
    return _date(*match.groups())


@rule(rf"(?<![\d.,-])(\d{{1,2}})(?:[-–](\d{{1,2}}))?(?:st|nd|rd|th)?\s(?:of\s)?{MONTH}\b\.?(?:,?\s(\d{{4}})\b)?")
def _day_first(match: Match) -> str:
    first, last, month, written = match.groups()
    return _date(month, first, last, written)


def _date(month: str, first: str, last: str | None, written: str | None) -> str:
    spoken = f"{lexicon.MONTH_NAMES[month[:3].lower()]} {ordinal(first)}" + (f" to {ordinal(last)}" if last else "")
    return f"{spoken}, {year(written)}" if written else spoken


# Before times are words: 9-5pm, 10-11:45.
@rule(r"(?<=\d)[-–—−](?=\d{1,2}(?::[0-5]\d|\s?[AaPp]\.?[Mm]\b))")
def _until(match: Match) -> str:
    return " to "


@rule(r"(?<![\d:.])([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(?![\d:])(?:\s?([AaPp])\.?[Mm]\b\.?)?(\s?[-–—−]\s?(?=\d))?")
def _time(match: Match) -> str:
    hour, minute, second, half, until = match.groups()
    parts = [cardinal(str(int(hour)))]
    if minute != "00" or second:
        parts.append(f"oh {cardinal(minute[1])}" if minute[0] == "0" else cardinal(minute))
    elif not half:
        parts.append("o'clock" if 1 <= int(hour) <= 12 else "hundred hours")
    if second:
        parts.append(f"and {cardinal(str(int(second)))} seconds")
    return " ".join(parts) + (f" {half.upper()}M" if half else "") + (" to " if until else "")


@rule(r"(?<![\d.,])(\d{1,2})\s?([AaPp])\.?[Mm]\b\.?(\s?[-–—−]\s?(?=\d))?")
def _hour(match: Match) -> str:
    return f"{cardinal(match[1])} {match[2].upper()}M" + (" to " if match[3] else "")


@rule(r"(?<![\w.,-])(\d{1,4}d\s)?(\d{1,4}h)(?:\s?(\d{1,2})m?)?(?:\s?(\d{1,2}s))?(?!\w)|(?<![\w.,-])(\d{1,4})m\s?(\d{1,2}s)(?!\w)")
def _duration(match: Match) -> str:
    days, hours, minutes, seconds, *alone = match.groups()
    named = [(days, "day"), (hours, "hour"), (minutes or alone[0], "minute"), (seconds or alone[1], "second")]
    parts = [_counted(part.strip("dhs "), name, f"{name}s") for part, name in named if part]
    return " ".join(parts) if len(parts) > 1 else match[0]


def _counted(digits: str, one: str, many: str) -> str:
    return f"{cardinal(str(int(digits)))} {one if int(digits) == 1 else many}"


@rule(r"(?<![\w.-])(?:\+?(1)[-. ])?\(?(\d{3})\)?[-. ](\d{3})[-.](\d{4})(?![\w-])")
def _phone(match: Match) -> str:
    return ", ".join(each(group) for group in match.groups() if group)


@rule(r"(?<![\d.,+'])(?<!\d\s)([1-9]\d{0,2}(?:[ \u00a0\u202f'_]\d{3}){1,4}+)(?!\s?\d|\w)")
def _thousands(match: Match) -> str:
    return re.sub(r"\D", ",", match[1])


# A V8 is an engine.
@rule(
    r"(?:\b[vV]ersion\s)?(?<![\w.])[vV]?(\d{1,9}(?:\.\d{1,9}){2,5})(?![\d])|"
    r"(?:\b[vV]ersion\s)?(?<![\w.])(?:v(\d{1,9})|[vV](\d{1,9}\.\d{1,9}))\b"
)
def _version(match: Match) -> str:
    parts = (match[1] or match[2] or match[3]).split(".")
    joint = " dot " if len(parts) == 4 else " point "
    return ("version " if match[0][0] in "vV" else "") + joint.join(cardinal(part) for part in parts)


@rule(r"(?<![\d\w-])(\d{1,6})-(?=[$€£]?\d{1,6}(?![\d-]))|(?<=\d)\s?[–—−]\s?(?=[$€£]?\d)|(?<=\d):(?=\d)")
def _range(match: Match) -> str:
    return f"{match[1] or ''} to "


@rule(r"(?<=\d)(?<!\b0)\s?[x×]\s?(?=\d)")
def _by(match: Match) -> str:
    return " by "


@rule(r"(?<![\w)%°])[-−](?=[$€£]?\.?\d)|(?<=\d) [-−] (?=\d)")
def _minus(match: Match) -> str:
    return " minus " if match[0][0] == " " else "minus "


@rule(r"(?<=\d)\s?\*\s?(?=\d)")
def _times(match: Match) -> str:
    return " times "


@rule(r"(?<![\d.,'])(\d{1,3})(?:'|′)(?:\s?(\d{1,2})(?:\"|″))?(?!\w)")
def _feet(match: Match) -> str:
    feet = "foot" if match[1] == "1" or match[2] else "feet"
    return f"{cardinal(match[1])} {feet}" + (f" {cardinal(match[2])}" if match[2] else "")


@rule(
    rf"(?:(?<!\w)({'|'.join(lexicon.DOLLARS)})|(?<!\w))([$€£¥₹₩₽])\s?({NUMBER}|\.\d+)(?:\s?({_alternatives(lexicon.SCALES)})\b)?(-(?=[$€£]))?"
)
def _price(match: Match) -> str:
    country, symbol, amount, scale, until = match.groups()
    amount = amount if amount[0] != "." else f"0{amount}"
    spoken = f"{decimal(amount)} {lexicon.SCALES[scale]} {MONEY[symbol][1]}" if scale else money(amount, symbol)
    if country:
        spoken = spoken.replace("dollar", f"{lexicon.DOLLARS[country]} dollar")
    return _padded(match, spoken) + (" to " if until else "")


@rule(rf"(?<![\w.,])({NUMBER})(?:\s(thousand|million|billion|trillion))?\s?(€|£|₹|\b(?:USD|EUR|GBP|JPY|INR|CHF)\b)")
def _price_behind(match: Match) -> str:
    amount, scale, symbol = match.groups()
    return _padded(match, f"{decimal(amount)} {scale} {MONEY[symbol][1]}" if scale else money(amount, symbol))


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


@rule(r"(?<![\w.,])(?:(10)s(?=\sof\s(?:hundred|thousand|million|billion)s)|(1000?)s(?=\sof\b))")
def _many(match: Match) -> str:
    return {"10": "tens", "100": "hundreds", "1000": "thousands"}[match[1] or match[2]]


@rule(r"(?<![\d.,])(\d{1,3}(?:,\d{3}){0,4}|\d{1,15})(?:st|nd|rd|th)\b")
def _ordinal(match: Match) -> str:
    return _padded(match, ordinal(match[1].replace(",", "")))


@rule(r"(?<![\w.,])(\d{1,2})\s?ft\.?\s?(\d{1,2})\s?in\b\.?")
def _feet_and_inches(match: Match) -> str:
    return f"{_counted(match[1], 'foot', 'feet')} {_counted(match[2], 'inch', 'inches')}"


@rule(rf"(?<![\w.,])({NUMBER})\s?((?i:{LONG_UNITS})|{SHORT_UNITS})(?![\w°%])(-(?=\d))?")
def _quantity(match: Match) -> str:
    number, unit, until = match.groups()
    one, many = lexicon.UNITS.get(unit) or lexicon.UNITS[unit.lower()]
    return _padded(match, f"{decimal(number)} {one if number == '1' else many}") + (" to " if until else "")


# 3M is a company.
@rule(rf"(?<![\w.,])(?!3M\b)({NUMBER})(M|mn|bn|tn)\b(-(?=\d))?")
def _scaled(match: Match) -> str:
    return f"{decimal(match[1])} {lexicon.SCALES[match[2]]}" + (" to " if match[3] else "")


@rule(r"[⁺⁻⁰¹²³⁴-⁹ⁿ]++")
def _power(match: Match) -> str:
    exponent = match[0].translate(lexicon.EXPONENTS)
    if exponent in lexicon.POWERS:
        return f" {lexicon.POWERS[exponent]} "
    return f" to the power of {exponent.replace('-', ' minus ').replace('+', ' plus ')} "


@rule(r"[₀-₉]++")
def _index(match: Match) -> str:
    return match[0].translate(lexicon.EXPONENTS)


@rule(rf"(?<![\w.,])({NUMBER})[eE]([+-]?)(\d{{1,3}})\b")
def _scientific(match: Match) -> str:
    return f"{decimal(match[1])} times ten to the power of {'minus ' if match[2] == '-' else ''}{cardinal(match[3])}"


@rule(r"\b(?:24/7|50/50|9/11)\b")
def _set_phrase(match: Match) -> str:
    return " ".join(cardinal(part) for part in match[0].split("/"))


@rule(r"(?<![\d./])(\d{1,3})/([2-9]|10|100)(?![\d/])")
def _fraction(match: Match) -> str:
    return _padded(match, fraction(match[1], match[2]))


@rule(r"(?<!\w)#(?=\d)|№\s?(?=\d)")
def _hash(match: Match) -> str:
    return "number "


@rule(rf"\b({'|'.join(lexicon.BEFORE_NUMBERS)})\.\s?(?=\d)")
def _numbered(match: Match) -> str:
    return f"{lexicon.BEFORE_NUMBERS[match[1]]} "


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


@rule(rf"\b({_alternatives(lexicon.ABBREVIATIONS)})\.(?!\w)")
def _abbreviation(match: Match) -> str:
    return lexicon.ABBREVIATIONS[match[1]]


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


def _of(match: Match) -> str:
    return f" of {match[1]}"


for _ in range(2):  # from the inside out
    rule(r"(?<=\w)<([\w:.]{1,60}+(?:(?:, ?| of )[\w:.]{1,60}+){0,8})>(?!\w)")(_of)


@rule("|".join(map(re.escape, lexicon.OPERATORS)))
def _operator(match: Match) -> str:
    return f" {lexicon.OPERATORS[match[0]]} "


@rule(rf"[{re.escape(''.join(lexicon.SIGNS))}]")
def _sign(match: Match) -> str:
    return f" {lexicon.SIGNS[match[0]]} "
