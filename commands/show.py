"""What the command line shows: tables and progress on stdout, errors on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from models.manifest import Progress as Tell

console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


# What a terminal obeys, shown by its sign: of the line's ends and the tab a text needs its own.
_OBEYED = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n\r"} | {127: 0x2421} | dict.fromkeys(range(128, 160), 0xFFFD)


def harmless(text: str) -> str:
    """What others wrote: no answer of a model or a server is to move the cursor, name the window or fill the clipboard."""
    return text.translate(_OBEYED)


def say(text: str) -> None:
    console.print(escape(harmless(text)), soft_wrap=True)


def fail(message: str) -> None:
    errors.print(f"[red]error:[/red] {escape(harmless(message))}")


def cell(value: object) -> str:
    """Of a table, as it is: what a model's files say is neither rich's markup nor the terminal's."""
    return escape(harmless(str(value)))


def table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False, header_style="bold")


def size(number: int) -> str:
    """Bytes for people: 68.1 MB."""
    amount = float(number)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} GB"


@contextmanager
def bar(title: str) -> Iterator[Tell]:
    """A progress bar per stage of `title`; where nobody looks (no terminal) a line per stage."""
    if not console.is_terminal:
        yield _lines(title)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        yield _bars(title, progress)


def _bars(title: str, progress: Progress) -> Tell:
    tasks: dict[str, TaskID] = {}

    def tell(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            for task in tasks.values():
                progress.update(task, total=1, completed=1)
            tasks[stage] = progress.add_task(escape(f"{title}: {stage}"), total=None)
        progress.update(tasks[stage], completed=done, total=total or None)

    return tell


def _lines(title: str) -> Tell:
    seen: set[str] = set()

    def tell(stage: str, done: int, total: int) -> None:
        if stage not in seen:
            seen.add(stage)
            say(f"{title}: {stage}")

    return tell
