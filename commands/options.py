"""What all commands share: the profile option, and errors as one line and an exit code."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from commands.show import fail
from models.errors import FiresideError

Profile = Annotated[
    str | None,
    typer.Option("--profile", "-p", help="mock, cpu, gpu, ... or the path of a YAML file. [default: $FIRESIDE_PROFILE, then mock]"),
]


class Commands(TyperGroup):
    """What went wrong in the user's world is said in a line; a bug keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except FiresideError as error:
            fail(str(error))
        except OSError as error:
            fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        raise typer.Exit(1)


def commands(text: str) -> typer.Typer:
    return typer.Typer(cls=Commands, help=text, no_args_is_help=True, pretty_exceptions_enable=False)
