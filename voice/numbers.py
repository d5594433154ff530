"""Numbers in words. num2words knows the languages; here is how people read decimals, years, prices and long codes."""

from __future__ import annotations

import re
from functools import lru_cache

from num2words import CONVERTER_CLASSES, num2words

MAX_DIGITS = 15
"""Longer numbers are codes, not quantities: they are read digit by digit, which also keeps the work linear."""
NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# Symbol or code: the coin in the singular and in the plural, and its hundredth.
MONEY = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "₩": ("won", "won", "jeon", "jeon"),
    "₽": ("ruble", "rubles", "kopek", "kopeks"),
    "CHF": ("Swiss franc", "Swiss francs", "rappen", "rappen"),
}
MONEY |= {code: MONEY[symbol] for code, symbol in (("USD", "$"), ("EUR", "€"), ("GBP", "£"), ("JPY", "¥"), ("INR", "₹"))}
MONEY |= {
    "CAD": ("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "AUD": ("Australian dollar", "Australian dollars", "cent", "cents"),
}
MONEY |= {"CNY": ("yuan", "yuan", "fen", "fen"), "RMB": ("yuan", "yuan", "fen", "fen"), "₿": ("bitcoin", "bitcoins", "cent", "cents")}
ROMAN = {"I": 1, "V": 5, "X": 10}
UNSPACED = {"ja", "th"}
POINTED = {"ja", "ko", "th", "he", "ar", "fa", "te", "kn", "bn"}
"""Languages that write 1,234.5; the others that num2words knows write 1.234,5."""
ENDLESS = {"am": 4}
"""Languages whose longer numbers num2words never comes to an end with, and the digits up to which it does."""
FRACTIONS = {2: ("half", "halves"), 4: ("quarter", "quarters")}


def known(language: str) -> bool:
    """Whether numbers can be put into words of this language (a lower-case primary tag)."""
    return language in CONVERTER_CLASSES


def cardinal(digits: str, language: str = "en") -> str:
    """A whole number, written in digits without separators."""
    if len(digits) > MAX_DIGITS or (len(digits) > 1 and digits[0] == "0"):
        return each(digits, language)
    return _quantity(int(digits), language) or each(digits, language)


@lru_cache(4096)
def _quantity(number: int, language: str) -> str:
    return _words(number, language).replace(",", "")


def _words(number: int | str, language: str) -> str:
    """Empty where num2words has none: in a third of its languages some numbers raise one thing or another."""
    if language in ENDLESS and len(str(number)) > ENDLESS[language]:
        return ""
    try:
        words: str = num2words(number, lang=language)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        return ""
    return words


def each(digits: str, language: str = "en") -> str:
    """One digit after the other."""
    if language == "en":
        return " ".join(DIGITS[int(digit)] for digit in digits)
    return " ".join(_quantity(int(digit), language) or digit for digit in digits)


def decimal(number: str) -> str:
    """English. A number with or without thousands separators and decimals: 1,234.50 has its zero said."""
    whole, _, rest = number.replace(",", "").partition(".")
    return f"{cardinal(whole)} point {each(rest)}" if rest else cardinal(whole)


def ordinal(digits: str) -> str:
    """English: 21 is twenty-first."""
    if len(digits) > MAX_DIGITS:
        return each(digits)
    words: str = num2words(int(digits), to="ordinal")
    return words.replace(",", "")


def year(digits: str) -> str:
    """English: 1999 is nineteen ninety-nine, 2005 two thousand five, 1905 nineteen oh five."""
    number = int(digits)
    if 2000 <= number < 2010:
        return cardinal(digits).replace(" and ", " ")
    words: str = num2words(number, to="year")
    return words.replace("oh-", "oh ")


def pairs(digits: str) -> str:
    """English: 101 is one oh one, 747 seven forty-seven, 500 five hundred, 1549 fifteen forty-nine."""
    head, tail = digits[:-2], digits[-2:]
    if tail == "00":
        return cardinal(digits) if len(digits) == 4 and head[-1] == "0" else f"{cardinal(head)} hundred"
    return f"{each(head) if head[0] == '0' else cardinal(head)} {'oh ' if tail[0] == '0' else ''}{cardinal(str(int(tail)))}"


def roman(letters: str) -> int:
    """The value of a Roman number in capitals."""
    values = [ROMAN[letter] for letter in letters]
    return sum(-value if value < following else value for value, following in zip(values, [*values[1:], 0], strict=True))


def decade(digits: str) -> str:
    """English: 1990 is nineteen nineties."""
    words = year(digits) if len(digits) == 4 else cardinal(digits)
    return re.sub(r"y$", "ies", words) if words.endswith("y") else words + "s"


def money(amount: str, currency: str) -> str:
    """English: 42.50 and $ are forty-two dollars and fifty cents."""
    one, many, hundredth, hundredths = MONEY[currency]
    whole, _, rest = amount.replace(",", "").partition(".")
    if len(rest) != 2:
        return f"{decimal(amount)} {one if amount == '1' else many}"
    parts = [f"{cardinal(whole)} {one if whole == '1' else many}"] if whole.strip("0") or not rest.strip("0") else []
    if rest.strip("0"):
        parts.append(f"{cardinal(str(int(rest)))} {hundredth if rest == '01' else hundredths}")
    return " and ".join(parts)


def fraction(above: str, below: str) -> str:
    """English: 3 and 4 are three quarters."""
    part, parts = FRACTIONS.get(int(below)) or (ordinal(below), ordinal(below) + "s")
    return f"{cardinal(above)} {part if above == '1' else parts}"


def plain(text: str, language: str) -> str:
    """Whole numbers and decimals of another language, by num2words; text without digits, or a language it does not know, stays."""
    if not known(language):
        return text
    separator, point = (",", r"\.") if language in POINTED else (r"[. \u00a0\u202f]", ",")
    number = re.compile(rf"(?<!\d)(?:\d{{1,3}}(?:{separator}\d{{3}})+(?!\d)|\d+)(?:{point}\d+)?")
    return number.sub(lambda match: _spaced(match, _foreign(match[0], separator, point[-1], language), language), text)


def _foreign(number: str, separator: str, point: str, language: str) -> str:
    whole, _, rest = re.sub(separator, "", number).partition(point) if len(number) < 40 else (re.sub(r"\D", "", number), "", "")
    if not rest or len(whole + rest) > MAX_DIGITS:
        return cardinal(whole + rest, language)
    return _words(f"{int(whole)}.{rest}", language) or f"{cardinal(whole, language)} {each(rest, language)}"


def _spaced(match: re.Match[str], words: str, language: str) -> str:
    """Words do not stick to the letters that the digits stuck to, in a script with spaces."""
    if language in UNSPACED:
        return words
    before, after = match.string[match.start() - 1 : match.start()], match.string[match.end() : match.end() + 1]
    return (" " if before.isalpha() else "") + words + (" " if after.isalpha() else "")
