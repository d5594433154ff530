"""Which phonemes belong to which word. espeak runs short words together ("of the" is one group) and says some words in several."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

# So many words may share a group, and so many groups make one word.
_MOST_TOGETHER = 6
_SEVERAL = range(2, _MOST_TOGETHER + 1)
_STEPS = ((1, 1), *((several, 1) for several in _SEVERAL), *((1, several) for several in _SEVERAL))


@dataclass(frozen=True, slots=True)
class Span:
    """Phonemes `start` to `end` of a sentence; in between where words share a group."""

    start: float
    end: float


def word_spans(words: Sequence[str], phonemes: str, said: Callable[[str], str]) -> list[Span]:
    """One for each word, in order."""
    groups = [match.span() for match in re.finditer(r"\S+", phonemes) if any(character.isalpha() for character in match[0])]
    if len(groups) == len(words):
        return [Span(start, end) for start, end in groups]
    lengths = [max(1, len(said(word).strip())) for word in words]
    if not groups:
        return [Span(0, 0) for _ in words]
    return [span for pair in _pairs(lengths, groups) for span in _shared(*pair)]


_Group = tuple[int, int]


def _shared(lengths: Sequence[int], groups: Sequence[_Group]) -> Iterator[Span]:
    """The words' spans in what they have together, each as long as it is when it is said alone."""
    start, end, total = groups[0][0], groups[-1][1], sum(lengths)
    done = 0
    for length in lengths:
        yield Span(start + (end - start) * done / total, start + (end - start) * (done + length) / total)
        done += length


def _pairs(lengths: Sequence[int], groups: Sequence[_Group]) -> list[tuple[Sequence[int], Sequence[_Group]]]:
    """Words and the groups that say them: one to one, several to one or one to several, so that their lengths differ least."""
    costs: dict[tuple[int, int], tuple[float, int, int]] = {(0, 0): (0.0, 0, 0)}
    for word in range(len(lengths) + 1):
        for group in range(len(groups) + 1):
            if found := min(_ways(costs, lengths, groups, word, group), default=None):
                costs[word, group] = found
    at = len(lengths), len(groups)
    if at not in costs:
        return [(lengths, groups)]
    pairs: list[tuple[Sequence[int], Sequence[_Group]]] = []
    while at != (0, 0):
        _, word, group = costs[at]
        pairs.append((lengths[word : at[0]], groups[group : at[1]]))
        at = word, group
    return pairs[::-1]


def _ways(
    costs: dict[tuple[int, int], tuple[float, int, int]], lengths: Sequence[int], groups: Sequence[_Group], word: int, group: int
) -> Iterator[tuple[float, int, int]]:
    """How the first `word` words can be said by the first `group` groups: the cost, and what was paired before."""
    for words, said in _STEPS:
        before = word - words, group - said
        if before in costs:
            apart = sum(lengths[before[0] : word]) - sum(end - start for start, end in groups[before[1] : group])
            yield costs[before][0] + abs(apart) + words + said - 2, *before
