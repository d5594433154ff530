"""The smallest value that fits a JSON schema: what the mock says when a client forces a schema or a tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from models.errors import InvalidInput

DEPTH = 16
MOST = 10_000
"""Items or characters that a schema may ask for at least."""
MOST_TOGETHER = 100_000
"""Values and characters in all: with references to itself a schema of a line can ask for more than there is time for."""
EMPTY: dict[str, Any] = {"null": None, "boolean": False}


def answer(schema: Any) -> str:
    """JSON that fits the schema. Raises InvalidInput for one that is none."""
    try:
        return orjson.dumps(instance(schema)).decode()
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise InvalidInput(f"expected a JSON schema, and this one cannot be followed: {type(error).__name__}: {error}") from error


@dataclass(slots=True)
class _Root:
    """The whole schema, and how much of an answer it has asked for up to now."""

    schema: Any
    asked: int = 0

    def ask(self, number: int = 1) -> None:
        self.asked += number
        if self.asked > MOST_TOGETHER:
            raise ValueError(f"it asks for more than {MOST_TOGETHER} values and characters")


def instance(schema: Any, root: _Root | None = None, depth: int = 0) -> Any:
    """Knows const, enum, default, $ref, anyOf, oneOf, allOf, objects, arrays, and the bounds of strings and numbers; not patterns."""
    root = _Root(schema) if root is None else root
    root.ask()
    if not isinstance(schema, dict) or depth > DEPTH:
        return None
    if "$ref" in schema:
        return instance(_resolve(schema["$ref"], root.schema), root, depth + 1)
    for choice in ("anyOf", "oneOf"):
        if schema.get(choice):
            return instance({**_without(schema, choice), **schema[choice][0]}, root, depth + 1)
    for part in schema.get("allOf", ()):
        schema = _both(schema, _resolve(part["$ref"], root.schema) if "$ref" in part else part)
    return _plain(schema, root, depth)


def _plain(schema: dict[str, Any], root: _Root, depth: int) -> Any:
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if "default" in schema:
        return schema["default"]
    kind = _kind(schema)
    if kind == "object":
        return _object(schema, root, depth)
    if kind == "array":
        return [instance(schema.get("items", {}), root, depth + 1) for _ in range(_least(schema, "minItems"))]
    if kind == "string":
        root.ask(_least(schema, "minLength"))
        return _string(schema)
    return _number(schema, kind) if kind in {"integer", "number"} else EMPTY.get(kind)


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0]
    return str(kind or ("object" if "properties" in schema else "string"))


def _object(schema: dict[str, Any], root: _Root, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    return {name: instance(properties.get(name, {}), root, depth + 1) for name in schema.get("required", ())}


def _string(schema: dict[str, Any]) -> str:
    return "mock"[: schema.get("maxLength", 4)].ljust(_least(schema, "minLength"), "k")


def _least(schema: dict[str, Any], key: str) -> int:
    least: int = schema.get(key, 0)
    if least > MOST:
        raise ValueError(f"{key} is {least}, and the mock makes at most {MOST}")
    return least


def _number(schema: dict[str, Any], kind: str) -> float:
    step = schema.get("multipleOf", 1)
    if "exclusiveMinimum" in schema:
        least = schema["exclusiveMinimum"] + step
    else:
        least = schema.get("minimum", min(0, schema.get("maximum", schema.get("exclusiveMaximum", step) - step)))
    number = -(-least // step) * step
    return int(number) if kind == "integer" else number


def _resolve(reference: str, root: Any) -> Any:
    """A pointer into the schema itself, such as #/$defs/City."""
    place = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        place = place.get(part.replace("~1", "/").replace("~0", "~"), {}) if part else place
    return place


def _both(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    merged = {**_without(first, "allOf"), **second}
    merged["properties"] = {**first.get("properties", {}), **second.get("properties", {})}
    merged["required"] = list(dict.fromkeys([*first.get("required", ()), *second.get("required", ())]))
    return {key: value for key, value in merged.items() if value not in ({}, [])}


def _without(schema: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != key}
