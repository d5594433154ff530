"""How far a reading is: on stderr, and only where somebody looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from commands.recording import clock

MOST = 14
"""Characters of the text's name that are shown."""
Show = Callable[["Reached"], None]


class Reached:
    """Characters done of the text, and seconds of audio, both from its beginning; the pace counts what this run made."""

    def __init__(self, characters: int, seconds: float) -> None:
        self.characters = characters
        self.seconds = seconds
        self._began = time.monotonic()
        self._seconds_found = seconds

    @property
    def pace(self) -> float:
        """Seconds of audio per second."""
        return (self.seconds - self._seconds_found) / max(time.monotonic() - self._began, 1e-3)


@contextmanager
def meter(console: Console | None, name: str, total: int | None) -> Iterator[Show]:
    """`total` characters, if that is known."""
    if console is None:
        yield lambda _: None
        return
    # All of it in the 80 columns of a usual terminal, for a book too.
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(10), TextColumn("{task.fields[told]}"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(escape(name[-MOST:]), total=total, told="getting the voice")

        def show(reached: Reached) -> None:
            progress.update(task, completed=reached.characters, told=_told(reached, total))

        yield show


def _told(reached: Reached, total: int | None) -> str:
    of = f"/{total:,}" if total else ""
    return f"{reached.characters:,}{of} characters, {clock(reached.seconds)} made, {reached.pace:.1f}x"
