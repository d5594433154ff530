"""Numbers and what they count, in English: prices, units, fractions, ranges, powers, years and plain numbers."""

from __future__ import annotations

import re

from voice import lexicon
from voice.numbers import MONEY, NUMBER, cardinal, decimal, each, fraction, money, ordinal, pairs, year
from voice.rules import Match, Rules, after, alternatives, before, padded

rule = Rules()

LONG_UNITS, SHORT_UNITS = (alternatives(name for name in lexicon.UNITS if (len(name) > 1) == long) for long in (True, False))
PER = alternatives(lexicon.PER)
SCALE = alternatives(lexicon.SCALES)
SYMBOLS, CODES = (alternatives(name for name in MONEY if name.isalpha() == is_code) for is_code in (False, True))

ATTRIBUTES, MEASURED, NO_NOUNS = (frozenset(words.split()) for words in (lexicon.ATTRIBUTES, lexicon.MEASURED, lexicon.NO_NOUNS))
ARTICLE, WORD = re.compile(r"\b(an?|the|this|that|another|each|every)\s$", re.IGNORECASE), re.compile(r"\s([a-z]+)")
OPENING_QUOTE, CLOSING_QUOTE = re.compile(r'(?<![^\s(\[])"'), re.compile(r'(?<=[^\s\d(\[])"')


@rule(r"(?:(?<=\d) )?[½⅓⅔¼¾⅕⅛]")
def _vulgar(match: Match) -> str:
    return (" and " if before(match).isdigit() or match[0][0] == " " else "") + lexicon.VULGAR[match[0][-1]]


@rule(r"(?<![\d./,])(\d{1,4}) ((?:[1-9]|1\d)/(?:[2-9]|1\d|32|64))(?![\d/])")
def _mixed(match: Match) -> str:
    above, below = match[2].split("/")
    return f"{match[1]} and {match[2]}" if int(above) < int(below) else match[0]


# m^2 is m²; of other powers the sign says enough.
@rule(r"(?<=[\w)])\^(?:\{([23])\}|([23]))(?![\d.\w])")
def _caret(match: Match) -> str:
    return {"2": "²", "3": "³"}[match[1] or match[2]]


@rule(r"(?<=\d)\s?×\s?(?=10[\^⁻⁰¹²³⁴-⁹])|(?<=\d)\s?[x×]\s?(?=\d[\d.]{0,12}\s?=)|(?<=\d)\s?\*\s?(?=\d)")
def _times(match: Match) -> str:
    return " times "


@rule(
    r"(?<![\w.])(\d{1,4})\s?[x×](?=\s(?:faster|slower|more|less|fewer|better|worse|larger|smaller|bigger|as|the|cheaper|higher|lower|longer|shorter)\b)"
)
def _times_more(match: Match) -> str:
    return f"{cardinal(match[1])} times"


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
    return ("version " if match[0][0] in "vV" else "") + " point ".join(cardinal(part) for part in parts)


@rule(rf"\b((?:[1-3]\s)?(?:{'|'.join(lexicon.BIBLE.split())}))\s(\d{{1,3}}):(\d{{1,3}})(?:[-–](\d{{1,3}}))?(?!\d)")
def _verse(match: Match) -> str:
    book, chapter, first, last = match.groups()
    if book[0].isdigit():
        book = ordinal(book[0]).capitalize() + book[1:]
    return f"{book} {cardinal(chapter)} {cardinal(first)}" + (f" to {cardinal(last)}" if last else "")


@rule(rf"\b({'|'.join(lexicon.ROOMS.split())})\s(\d{{3,4}})(?![\w.,]\d|\w)")
def _room(match: Match) -> str:
    return f"{match[1]} {pairs(match[2])}"


@rule(r"(?<![\w.])(480|720|1080|1440|2160)([pi])\b")
def _resolution(match: Match) -> str:
    return f"{pairs(match[1])} {match[2]}"


@rule(r"(?<![\w./-])(?:24/7|(?:50|20|9)/(?:50|20|11)|50-50)(?![\w/-]|[.,]\d)")
def _set_phrase(match: Match) -> str:
    return " ".join(cardinal(part) for part in re.split("[/-]", match[0]))


@rule(r"(?<![\w.,])(\d\d)ers\b")
def _team(match: Match) -> str:
    return f"{cardinal(match[1])}ers".replace("eers", "ers")


@rule(r"(?<![\w.,])(\d{1,6})[-–](\d{1,6})(?=\s?=)")
def _difference(match: Match) -> str:
    return f"{match[1]} minus {match[2]}"


# The dollars are said once: $5-10 is five to ten dollars.
@rule(rf"(?<!\w)([$€£])({NUMBER})\s?[-–—]\s?({NUMBER})(?:\s?({SCALE})\b)?(?![\w-])")
def _price_range(match: Match) -> str:
    symbol, first, last, scale = match.groups()
    spoken = f"{decimal(last)} {lexicon.SCALES[scale]} {MONEY[symbol][1]}" if scale else money(last, symbol)
    return f"{decimal(first)} to {spoken}"


@rule(r"(?<![\d\w-])(\d{1,6}(?:\.\d{1,3})?)-(?=[$€£]?\d{1,6}(?![\d-]))|(?<=\d)\s?[–—−]\s?(?=[$€£]?\d)|(?<=\d):(?=\d)|(?<=\d)-to-(?=\d)")
def _range(match: Match) -> str:
    return f"{match[1] or ''} to "


@rule(r"(?<=\d)(?<!\b0)(['′\"″]|\s?(?:ft|in|yd|cm|mm|m)\b\.?)?\s?[x×]\s?(?=\d)")
def _by(match: Match) -> str:
    return f"{match[1] or ''} by "


@rule(r"(?<![\w)%°])[-−](?=[$€£]?\.?\d)|(?<=\d) [-−] (?=\d)")
def _minus(match: Match) -> str:
    return " minus " if match[0][0] == " " else "minus "


@rule(r"(?<![\d.,'])(\d{1,3})(?:'|′)(?:\s?(\d{1,2})(?:\"|″)?)?(?!\w)")
def _feet(match: Match) -> str:
    feet = "foot" if match[1] == "1" or match[2] else "feet"
    return f"{cardinal(match[1])} {feet}" + (f" {cardinal(match[2])}" if match[2] else "")


# Where no quote is open, 5" is in inches.
@rule(rf"(?<![\w.,])({NUMBER})[\"″](?=(\s[a-z])|[\s.,;:!?)]|$)")
def _inches(match: Match) -> str:
    said = match.string[max(match.start() - 1000, 0) : match.start()]
    if len(OPENING_QUOTE.findall(said)) > len(CLOSING_QUOTE.findall(said)):
        return match[0]
    return f"{decimal(match[1])} {'inch' if match[2] or match[1] == '1' else 'inches'}"


@rule(
    rf"(?:(?<!\w)({alternatives(lexicon.DOLLARS)})|(?<!\w))({SYMBOLS})\s?({NUMBER}|\.\d+)(?:\s?({SCALE})\b)?(?:\s?/\s?({PER})\b)?(-(?=[$€£]))?"
)
def _price(match: Match) -> str:
    country, symbol, amount, scale, per, until = match.groups()
    spoken = _amount(amount if amount[0] != "." else f"0{amount}", scale, symbol)
    if not per and _before_a_noun(match):  # a five dollar bill
        spoken = spoken.replace(MONEY[symbol][1], MONEY[symbol][0])
    if country:
        spoken = spoken.replace("dollar", f"{lexicon.DOLLARS[country]} dollar")
    return padded(match, spoken) + _per(per) + (" to " if until else "")


@rule(rf"\b({CODES})\s?({NUMBER})(?:\s?({SCALE})\b)?")
def _coded_price(match: Match) -> str:
    return _amount(match[2], match[3], match[1])


@rule(
    rf"(?<![\w.,])(?:(\d{{1,6}}),(\d\d)(?=\s?€)|({NUMBER}))(?:\s(thousand|million|billion|trillion))?\s?(€|£|₹|\b(?:{CODES})\b)(?:\s?/\s?({PER})\b)?"
)
def _price_behind(match: Match) -> str:
    whole, cents, amount, scale, symbol, per = match.groups()
    return padded(match, _amount(amount or f"{whole}.{cents}", scale, symbol)) + _per(per)


def _before_a_noun(match: Match) -> bool:
    """Whether it says of what kind the next word is: a 5 km walk, the 100 m race."""
    article, noun = ARTICLE.search(match.string, max(match.start() - 10, 0), match.start()), WORD.match(match.string, match.end())
    if not article or not noun or noun[1] in NO_NOUNS:
        return False
    return article[1].lower() != "the" or noun[1].rstrip("s") in MEASURED


def _amount(amount: str, scale: str | None, symbol: str) -> str:
    return f"{decimal(amount)} {lexicon.SCALES[scale]} {MONEY[symbol][1]}" if scale else money(amount, symbol)


def _per(unit: str | None) -> str:
    return f" per {lexicon.PER[unit]}" if unit else ""


@rule(r"(?<![\w.,])(?:(10)s(?=\sof\s(?:hundred|thousand|million|billion)s)|(1000?)s(?=\sof\b))")
def _many(match: Match) -> str:
    return {"10": "tens", "100": "hundreds", "1000": "thousands"}[match[1] or match[2]]


@rule(r"(?<![\d.,])(\d{1,3}(?:,\d{3}){0,4}|\d{1,15})(?:st|nd|rd|th)\b([-–](?=\d{1,4}(?:st|nd|rd|th)\b))?")
def _ordinal(match: Match) -> str:
    return padded(match, ordinal(match[1].replace(",", ""))) + (" to " if match[2] else "")


@rule(r"(?<![\w.,])(\d{1,2})\s?ft\.?\s?(\d{1,2})\s?in\b\.?")
def _feet_and_inches(match: Match) -> str:
    return f"{_counted(match[1], 'foot', 'feet')} {_counted(match[2], 'inch', 'inches')}"


def _counted(digits: str, one: str, many: str) -> str:
    return f"{cardinal(str(int(digits)))} {one if int(digits) == 1 else many}"


@rule(rf"(?<![\w.,])({NUMBER})\s?in(?:\.(?=[,;:)]|\s[a-z(])|([²³]))")
def _in(match: Match) -> str:
    power = {"²": "square ", "³": "cubic "}.get(match[2] or "", "")
    return f"{decimal(match[1])} {power}{'inch' if match[1] == '1' else 'inches'}"


@rule(
    rf"(?<![\w.,])({NUMBER})(?=[-\s]?[A-Za-zµμΩ°%¢])(-|\s?)(?:({alternatives(lexicon.LENGTHS)})([²³])|((?i:{LONG_UNITS})|{SHORT_UNITS}))(?![\w°%])"
    rf"(?:\s?/\s?({PER})([²³])?(?!\w)|(?<=\w)\.(?=[,;:)]|\s[a-z(]))?(-(?=\d))?"
)
def _quantity(match: Match) -> str:
    number, joint, length, power, name, per, per_power, until = match.groups()
    if joint == "-" and (name or "") not in ATTRIBUTES:
        return match[0]
    unit = length or name
    one, many = lexicon.UNITS.get(unit) or lexicon.UNITS[unit.lower()]
    spoken = one if number == "1" or joint == "-" or _before_a_noun(match) else many
    parts = [decimal(number), {"²": "square", "³": "cubic"}.get(power or "", ""), spoken, _per(per).strip()]
    parts.append({"²": "squared", "³": "cubed"}.get(per_power or "", "") if per != "m" else "")
    said = " ".join(part for part in parts if part)
    if per_power and per == "m":
        said = said.replace("per meter", f"per {'square' if per_power == '²' else 'cubic'} meter")
    return padded(match, said) + (" to " if until else "")


# Without a number: in km/h.
@rule(r"(?<![\w/])(km|m|mi)/(h|s)(?![\w/])")
def _speed(match: Match) -> str:
    return f"{lexicon.UNITS[match[1]][1]} per {lexicon.PER[match[2]]}"


# 3M is a company, a 10k a run, 4k a screen.
@rule(
    rf"(?<![\w.,])(?!3M\b)({NUMBER})(M|mn|bn|tn|k(?!\s(?:run|race|tv|video|monitor|display|screen|resolution)s?\b))\b(-(?=\d))?",
)
def _scaled(match: Match) -> str:
    return f"{decimal(match[1])} {lexicon.SCALES[match[2]]}" + (" to " if match[3] else "")


@rule(r"[⁺⁻⁰¹²³⁴-⁹ⁿ]++")
def _power(match: Match) -> str:
    exponent = match[0].translate(lexicon.EXPONENTS)
    if exponent in lexicon.POWERS:
        return f" {lexicon.POWERS[exponent]} "
    return f" to the power of {exponent.replace('-', ' minus ').replace('+', ' plus ')} "


@rule(r"(?<=\w)\^\{?([-−+]?)\(?(\w{1,60})\)?\}?")
def _to_the_power(match: Match) -> str:
    return f" to the power of {'minus ' if match[1] in {'-', '−'} else ''}{match[2]} "


@rule(r"[₀-₉]++")
def _index(match: Match) -> str:
    return match[0].translate(lexicon.EXPONENTS)


@rule(rf"(?<![\w.,])({NUMBER})[eE]([+-]?)(\d{{1,3}})\b")
def _scientific(match: Match) -> str:
    return f"{decimal(match[1])} times ten to the power of {'minus ' if match[2] == '-' else ''}{cardinal(match[3])}"


@rule(r"(?<![\d./])(\d{1,3})/([2-9]|1\d|20|32|64|100)(?![\d/])")
def _fraction(match: Match) -> str:
    return padded(match, fraction(match[1], match[2]))


@rule(r"(?<!\w)#(?=\d)|(?:№|\bN[º°])\s?(?=\d)")
def _hash(match: Match) -> str:
    return "number "


@rule(rf"\b({alternatives(lexicon.BEFORE_NUMBERS)})\.\s?(?=\d)")
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
        return f" {'dot' if before(match).isalpha() else 'point'} {each(number[1:])}" + (" " if after(match).isalpha() else "")
    return padded(match, decimal(number))
