"""Money, percentages and the like in languages other than English: words in place of signs, before the numbers become words."""

from __future__ import annotations

import re
from functools import cache

NAMES = {
    "de": {"€": "Euro", "$": "Dollar", "£": "Pfund", "%": "Prozent", "°C": "Grad Celsius", "&": "und"},
    "fr": {"€": "euros", "$": "dollars", "£": "livres", "%": "pour cent", "°C": "degrés Celsius", "&": "et"},
    "es": {"€": "euros", "$": "dólares", "£": "libras", "%": "por ciento", "°C": "grados Celsius", "&": "y"},
    "it": {"€": "euro", "$": "dollari", "£": "sterline", "%": "per cento", "°C": "gradi Celsius", "&": "e"},
    "pt": {"€": "euros", "$": "dólares", "£": "libras", "%": "por cento", "°C": "graus Celsius", "&": "e"},
    "nl": {"€": "euro", "$": "dollar", "£": "pond", "%": "procent", "°C": "graden Celsius", "&": "en"},
    "sv": {"€": "euro", "$": "dollar", "£": "pund", "%": "procent", "°C": "grader Celsius", "&": "och"},
    "da": {"€": "euro", "$": "dollar", "£": "pund", "%": "procent", "°C": "grader Celsius", "&": "og"},
    "pl": {"€": "euro", "%": "procent", "&": "i"},
    "ru": {"€": "евро", "%": "процентов", "&": "и"},
    "tr": {"€": "avro", "$": "dolar", "&": "ve"},
}
ONE = {
    "de": {"1 Euro": "ein Euro", "1 Dollar": "ein Dollar", "1 Pfund": "ein Pfund"},
    "fr": {"1 euros": "un euro", "1 dollars": "un dollar", "1 livres": "une livre"},
    "es": {"1 euros": "un euro", "1 dólares": "un dólar", "1 libras": "una libra"},
    "it": {"1 euro": "un euro", "1 dollari": "un dollaro", "1 sterline": "una sterlina"},
    "pt": {"1 euros": "um euro", "1 dólares": "um dólar", "1 libras": "uma libra"},
    "nl": {"1 euro": "één euro", "1 dollar": "één dollar", "1 pond": "één pond"},
}
CENTS = {"es": "con ", "it": "e ", "pt": "e "}
"""What joins the hundredths of 3,50 € to the rest; elsewhere nothing does."""
NUMBER = r"(\d{1,3}(?:[. \u00a0\u202f]\d{3})+(?!\d)|\d{1,15})(?:,(\d\d))?(?![\d,.]\d)"


def signs(text: str, language: str) -> str:
    names = NAMES.get(language)
    if names is None or not any(sign in text for sign in names):
        return text
    before, after = _patterns(language)
    text = before.sub(lambda match: _amount(match[2], match[3], names[match[1]], language), text)
    text = after.sub(lambda match: _amount(match[1], match[2], names[match[3]], language), text)
    text = re.sub(r"(?<=\s)&(?=\s)", names["&"], text)
    return re.sub(r"(?<=\d)\s?(%|°C)(?!\w)", lambda match: f" {names.get(match[1], match[1])}", text)


@cache
def _patterns(language: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    money = "".join(sign for sign in NAMES[language] if sign in "€$£")
    return re.compile(rf"([{money}])\s?{NUMBER}"), re.compile(rf"(?<![\d.,]){NUMBER}\s?([{money}])")


def _amount(whole: str, cents: str | None, name: str, language: str) -> str:
    said = f"{whole} {name}"
    said = ONE.get(language, {}).get(said, said)
    return said if cents in {None, "00"} else f"{said} {CENTS.get(language, '')}{int(cents or 0)!s}"
