"""English as it is read aloud. The order matters: what is more specific comes first, and what it makes are words that no later rule takes
for something else."""

from __future__ import annotations

import re

from voice import abbreviations, addresses, dates, maths, quantities, signs

NUMBERS = re.compile(r"[\d½⅓⅔¼¾⅕⅛⁺⁻⁰¹²³⁴-⁹ⁿ₀-₉^]|[A-Z][a-z]{2,8}\.?[-–][A-Z]|km/|m/s|mi/")
SHORT = re.compile(r"[A-Z./&]|\bvs\b|\b[ivx]{2}")
"""Without these there is nothing for the rules of numbers, or of abbreviations."""


def formulas(text: str) -> str:
    """The text without LaTeX, whose signs would be taken for Markdown's."""
    return maths.rule.apply(text) if "\\" in text or "$" in text else text


def words(text: str) -> str:
    """The text with everything that is not a word put into words."""
    text = addresses.rule.apply(text)
    if NUMBERS.search(text):
        text = quantities.rule.apply(dates.rule.apply(text))
    if SHORT.search(text):
        text = abbreviations.rule.apply(text)
    return signs.rule.apply(text)
