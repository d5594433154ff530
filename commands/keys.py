"""`fireside keys`: add, list, rotate, remove. A running server takes it up within a second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from commands import show
from commands.options import Profile, commands
from models.errors import SettingsError
from settings import Settings, keys_file, load
from settings.access import SCOPES, Key

app = commands("API keys, kept by their hashes.")

Name = Annotated[str, typer.Argument(help="What logs and metrics call it.")]
Scopes = Annotated[str, typer.Option(help=f"What it opens, with commas between: {', '.join(SCOPES)}. [default: all but admin]")]
Limit = Annotated[int, typer.Option(min=0, help="0 is without a limit.")]


@app.command()
def add(
    name: Name,
    profile: Profile = None,
    scopes: Scopes = "",
    concurrency: Limit = 0,
    requests_per_minute: Limit = 0,
    tokens_per_minute: Limit = 0,
    priority: Annotated[int, typer.Option(min=-100, max=100, help="Where requests wait, a higher number goes first.")] = 0,
) -> None:
    """Make a key and show it, this once."""
    keys_file.check_name(name)
    settings, new = load(profile), keys_file.new_key()
    limits = {"concurrency": concurrency, "requests_per_minute": requests_per_minute, "tokens_per_minute": tokens_per_minute}
    wanted = {"scopes": _scopes(scopes)} if scopes else {}
    key = Key.model_validate({"hash": keys_file.hashed(new), "priority": priority, **limits, **wanted})
    with keys_file.changing(file := keys_file.path(settings)) as keys:
        if name in keys or name in settings.access.keys:
            raise SettingsError(f"there is a key named {name} already: `fireside keys rotate {name}` makes a new one in its place")
        keys[name] = key
    _tell(new, f"{name} opens {', '.join(key.scopes)}; kept by its hash in {file}. It is not shown again.")


@app.command("list")
def list_keys(profile: Profile = None) -> None:
    """Every key by its name, and what it opens."""
    settings = load(profile)
    rows = show.table("name", "opens", "at a time", "requests/min", "tokens/min", "priority", "from")
    for name, key in sorted(keys_file.all_of(settings).items()):
        limits = (key.concurrency, key.requests_per_minute, key.tokens_per_minute)
        source = "file" if name in keys_file.read(keys_file.path(settings)) else "configuration"
        rows.add_row(name, ", ".join(key.scopes), *(str(limit or "-") for limit in limits), str(key.priority), source)
    show.console.print(rows if rows.row_count else "no keys: `fireside keys add NAME` makes one", soft_wrap=True)


@app.command()
def rotate(name: Name, profile: Profile = None) -> None:
    """Make a new key in a key's place, and show it, this once. The old one opens nothing any more."""
    new = keys_file.new_key()
    with _held(load(profile), name) as keys:
        keys[name] = keys[name].model_copy(update={"hash": keys_file.hashed(new)})
    _tell(new, f"{name} is a new key now. It is not shown again.")


@app.command()
def remove(name: Name, profile: Profile = None) -> None:
    """From now on the key opens nothing."""
    with _held(load(profile), name) as keys:
        del keys[name]
    show.say(f"{name} is removed")


@contextmanager
def _held(settings: Settings, name: str) -> Iterator[dict[str, Key]]:
    file = keys_file.path(settings)
    with keys_file.changing(file) as keys:
        if name not in keys:
            raise SettingsError(f"there is no key named {name} in {file}: there are {', '.join(keys) or 'none'}")
        yield keys


def _scopes(given: str) -> Sequence[str]:
    scopes = [scope.strip() for scope in given.split(",")]
    if wrong := [scope for scope in scopes if scope not in SCOPES]:
        raise SettingsError(f"{wrong[0]!r} is no scope: there are {', '.join(SCOPES)}")
    return scopes


def _tell(key: str, words: str) -> None:
    """The key alone on standard output, for scripts."""
    typer.echo(key)
    typer.echo(words, err=True)
