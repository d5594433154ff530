"""What the user writes at the terminal: a message of one line, or of several."""

from __future__ import annotations

import readline  # noqa: F401 (gives `input` its editing and its history)

PROMPT, MORE = "> ", "  "
QUOTES = '"""'


def read_message() -> str:
    """Raises EOFError at Ctrl-D, KeyboardInterrupt at Ctrl-C."""
    line = input(PROMPT)
    if line.lstrip().startswith(QUOTES):
        return _quoted(line.lstrip().removeprefix(QUOTES))
    while line.endswith("\\"):
        line = line.removesuffix("\\") + "\n" + input(MORE)
    return line


def _quoted(text: str) -> str:
    while not text.rstrip().endswith(QUOTES):
        text += "\n" + input(MORE)
    return text.rstrip().removesuffix(QUOTES).strip("\n")
