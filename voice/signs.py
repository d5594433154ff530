"""Signs by their names, in English: what is left when all the rest has been put into words."""

from __future__ import annotations

import re

from voice import lexicon
from voice.rules import Match, Rules, alternatives

rule = Rules()


@rule(r"(?<=\w)\.(?=\w)")
def _dot(match: Match) -> str:
    return " dot "


@rule(r"\b([CF])#(?!\w)")
def _sharp(match: Match) -> str:
    return f"{match[1]} sharp"


# f(x), but not s(he)
@rule(r"(?<!\w)([fghFGP])\(([a-zA-Z])\)")
def _function(match: Match) -> str:
    return f"{match[1]} of {match[2]}"


@rule(r"(?<=\w)/(?=\w)")
def _slash(match: Match) -> str:
    return " slash "


def _of(match: Match) -> str:
    return f" of {match[1]}"


for _ in range(2):  # from the inside out
    rule(r"(?<=\w)<([\w:.]{1,60}+(?:(?:, ?| of )[\w:.]{1,60}+){0,8})>(?!\w)")(_of)


@rule(alternatives(lexicon.OPERATORS))
def _operator(match: Match) -> str:
    return f" {lexicon.OPERATORS[match[0]]} "


@rule(rf"[{re.escape(''.join(lexicon.SIGNS))}]")
def _sign(match: Match) -> str:
    return f" {lexicon.SIGNS[match[0]]} "
