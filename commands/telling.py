"""Words on their way to the reader: as they are on a pipe, with their Markdown drawn on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.spinner import Spinner

from commands.show import harmless

FENCES = ("```", "~~~")


@contextmanager
def telling(console: Console) -> Iterator[Callable[[str], None]]:
    if not console.is_terminal:
        yield _plainly
        _plainly("\n")
        return
    with Live(Spinner("dots"), console=console, refresh_per_second=12) as live:
        page = Page(live)
        try:
            yield page.add
        finally:
            page.end()


def _plainly(piece: str) -> None:
    sys.stdout.write(piece)
    sys.stdout.flush()


class Page:
    """Paragraphs that are complete stay as they are; only the last one is drawn anew with each piece."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._last = ""

    def add(self, piece: str) -> None:
        done, self._last = settled(self._last + harmless(piece))
        if done.strip():
            self._live.console.print(Markdown(done), "")
        if self._last.strip():
            self._live.update(Markdown(self._last))

    def end(self) -> None:
        self._live.update(Markdown(self._last))


def settled(text: str) -> tuple[str, str]:
    """The paragraphs and code that are complete, and what may still grow."""
    end, at, fence = 0, 0, ""
    for line in text.splitlines(keepends=True):
        at += len(line)
        mark = line.lstrip()[:3]
        if fence:
            fence = "" if mark == fence else fence
        elif mark in FENCES:
            fence = mark
        elif not line.strip() and line.endswith("\n"):
            end = at
    return text[:end], text[end:]
