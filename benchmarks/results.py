"""A result as two files, results/NAME.json for programs and results/NAME.md for people."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from benchmarks import machine

FOLDER = Path(__file__).parent / "results"
Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Target:
    """What was asked for and what came."""

    what: str
    wanted: str
    got: str
    met: bool


@dataclass
class Table:
    title: str
    columns: Sequence[str]
    rows: list[Row] = field(default_factory=list)


@dataclass
class Report:
    name: str
    title: str
    method: str
    tables: list[Table] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """What could not be measured, and why."""
    machine: dict[str, str] = field(default_factory=machine.describe)
    command: str = ""
    profile: str = ""
    """Where each profile has results of its own."""
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))

    def write(self, folder: Path = FOLDER) -> Path:
        """Write both files and return the readable one."""
        self.command = self.command or machine.command(f"benchmarks.{self.name}", sys.argv[1:])
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{self.name}_{self.profile}" if self.profile else self.name
        (folder / f"{stem}.json").write_bytes(orjson.dumps(self, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        page = folder / f"{stem}.md"
        page.write_text(markdown(self), encoding="utf-8")
        return page

    def publish(self) -> None:
        """Write the files and show the readable one."""
        sys.stdout.write("\n" + self.write().read_text(encoding="utf-8"))


def markdown(report: Report) -> str:
    head = [f"# {report.title}", "", f"{report.date} · `{report.command}`", "", report.method.strip(), ""]
    facts = [f"- {name}: {value}" for name, value in report.machine.items()]
    parts = ["\n".join([*head, *facts])]
    if report.missing:
        parts.append("## Missing\n\n" + "\n".join(f"- {line}" for line in report.missing))
    if report.targets:
        rows = [(target.what, target.wanted, target.got, "yes" if target.met else "**no**") for target in report.targets]
        parts.append(_table(Table("Targets", ("what", "wanted", "measured", "met"), list(rows))))
    parts += [_table(table) for table in report.tables]
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    lines = [_line(table.columns), _line(["---"] * len(table.columns)), *(_line(row) for row in table.rows)]
    return f"## {table.title}\n\n" + "\n".join(lines)


def _line(cells: Row) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
