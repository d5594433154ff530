"""Write docs/settings.md from the settings' own classes: `make docs`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import settings  # noqa: E402 - found only from here on

PAGE = ROOT / "docs" / "settings.md"
BEGINNING = """# Settings

Made from `settings/` by `make docs`: change the descriptions there.

A profile is a YAML file: `configs/NAME.yaml` by its name, or any file by its path (`--profile NAME`, or `FIRESIDE_PROFILE`).
The environment comes on top: `FIRESIDE_` and the key in capitals, with `__` between levels, e.g. `FIRESIDE_SERVER__PORT=8080`
for `server.port`; lists and tables as JSON. Within `text.args` a value is read as in a profile (`FIRESIDE_TEXT__ARGS__ENFORCE_EAGER=true`).
An unknown key is refused. `fireside check --profile NAME` prints what comes of it, without what a key's name says is secret.
"""
HEADER = "| key | kind | default | what it does |\n|---|---|---|---|\n"
COMPARISONS = {
    annotated_types.Ge: "≥ {0.ge:g}",
    annotated_types.Gt: "> {0.gt:g}",
    annotated_types.Le: "≤ {0.le:g}",
    annotated_types.Lt: "< {0.lt:g}",
}
PLAIN = {"Any": "anything", "str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path"}


def page() -> str:
    return BEGINNING + "".join(_sections(settings.Settings, ""))


def _sections(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """A table of the plain keys, then a section for each group of keys below."""
    fields = model.model_fields.items()
    rows = [_row(prefix + name, field) for name, field in fields if not _is_group(field.annotation)]
    if rows:
        yield "\n" + HEADER + "".join(rows)
    for name, field in fields:
        if _is_group(field.annotation):
            yield f"\n## {prefix}{name}\n\n{field.description}\n"
            yield from _sections(field.annotation, f"{prefix}{name}.")
        for choice in _groups_within(field.annotation):
            yield f"\n## An entry of `{prefix}{name}`: {choice.__name__}\n"
            yield from _sections(choice, "")


def _row(key: str, field: FieldInfo) -> str:
    cells = [f"`{key}`", _kind(field), _default(field), field.description or ""]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


def _kind(field: FieldInfo) -> str:
    limits = [COMPARISONS[type(limit)].format(limit) for limit in field.metadata if type(limit) in COMPARISONS]
    return ", ".join([_type_name(field.annotation), *limits])


def _type_name(kind: Any) -> str:
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type_name(args[0])
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in args)
    if origin in (Union, UnionType):
        return " or ".join(_type_name(arg) for arg in args)
    if origin is dict:
        return f"table of {_type_name(args[1])}"
    if origin in (tuple, list):
        return f"list of {_type_name(args[0])}"
    name = str(getattr(kind, "__name__", kind))
    return PLAIN.get(name, name)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, (tuple, list, dict)):  # of a table its keys
        return ", ".join(f"`{item}`" for item in value) or "empty"
    return f"`{value}`" if value != "" else "empty"


def _is_group(kind: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _groups_within(kind: Any) -> list[type[BaseModel]]:
    """The models inside a table's or list's type."""
    found = [arg for arg in get_args(kind) if _is_group(arg)]
    return found + [group for arg in get_args(kind) if not _is_group(arg) for group in _groups_within(arg)]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
