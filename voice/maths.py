"""Formulas in LaTeX as they are read aloud in English. Only where a backslash or a pair of dollars says that it is one."""

from __future__ import annotations

from voice import lexicon
from voice.rules import Match, Rules, alternatives

rule = Rules()
GROUP = r"\{([^{}]{0,200})\}"


# Money begins with a digit: $5 + $6.
@rule(r"\$\$?(?![\s$])(?:(?!\d)|(?=[^$\n]{1,100}\\))([^$\n]{0,200}[\\^_=+][^$\n]{0,200}?|[A-Za-z])(?<!\s)\$\$?(?!\d)|\$\$([^$]{1,500})\$\$")
def _in_dollars(match: Match) -> str:
    return match[1] or match[2]


@rule(r"\\[()\[\]]")
def _delimiter(match: Match) -> str:
    return " "


@rule(r"\\(?:text|mathrm|mathbf|mathit|textbf|textit|operatorname)" + GROUP)
def _text(match: Match) -> str:
    return f" {match[1]} "


def _fraction(match: Match) -> str:
    return f" {match[1]} over {match[2]} "


def _root(match: Match) -> str:
    return f" square root of {match[1]} "


for _ in range(2):  # from the inside out
    rule(r"\\[dt]?frac" + GROUP + GROUP)(_fraction)
    rule(r"\\sqrt" + GROUP)(_root)


@rule(r"(\\(?:sum|prod|int|lim))_" + GROUP + r"(?:\^(?:" + GROUP + r"|(\\?\w{1,10})))?")
def _bounds(match: Match) -> str:
    upper = match[3] or match[4]
    return f"{match[1]} from {match[2]}" + (f" to {upper}" if upper else "") + " of "


@rule(r"(?<=[\w}])_(?:" + GROUP + r"|(\w))(?=[^\w]|$)")
def _index(match: Match) -> str:
    return f" sub {match[1] or match[2]} "


# Not in C:\\Users.
@rule(rf"\\({alternatives(lexicon.LATEX)})(?![a-zA-Z])\s?|(?<![A-Za-z:.])\\([a-zA-Z]{{2,20}})(?![\\\w])\s?")
def _command(match: Match) -> str:
    return f" {lexicon.LATEX[match[1]] if match[1] else match[2]} "
