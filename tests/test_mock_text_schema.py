"""The smallest value that fits a schema."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field

from models.errors import InvalidInput
from models.text.mock_schema import answer, instance


class City(BaseModel):
    name: str = Field(min_length=6)
    size: int = Field(gt=10, multiple_of=5)
    twin: City | None


class Trip(BaseModel):
    stops: list[City] = Field(min_length=2)
    price: float = Field(ge=1.5)
    paid: bool


def test_a_pydantic_model_takes_what_its_schema_gave() -> None:
    trip = Trip.model_validate(instance(Trip.model_json_schema()))
    assert len(trip.stops) == 2


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, "mock"),
        ({"const": 7}, 7),
        ({"enum": ["a", "b"]}, "a"),
        ({"type": "string", "maxLength": 2}, "mo"),
        ({"type": ["null", "string"]}, None),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [False, False]),
        ({"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]}, {"b": "mock"}),
        ({"anyOf": [{"type": "number"}, {"type": "string"}]}, 0),
        ({"allOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}], "type": "object"}, {"a": 1}),
    ],
)
def test_the_smallest_value(schema: dict[str, Any], expected: Any) -> None:
    assert instance(schema) == expected


def test_a_schema_without_end_ends() -> None:
    assert instance({"$ref": "#"}) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [1]},
        {"allOf": [5]},
        {"$ref": 5},
        {"enum": 5},
        {"type": []},
        {"type": "object", "properties": 5, "required": ["a"]},
        {"type": "number", "multipleOf": 0},
        {"type": "integer", "minimum": "a"},
        {"type": "string", "minLength": 10**12},
        {"type": "array", "minItems": 10**12},
        {"type": "array", "minItems": 1000, "items": {"type": "array", "minItems": 1000}},
        {"type": "array", "minItems": 1000, "items": {"type": "string", "minLength": 1000}},
        {"type": "object", "required": [*"abcdefgh"], "properties": {name: {"$ref": "#"} for name in "abcdefgh"}},
    ],
    ids=str,
)
def test_what_is_no_schema_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="JSON schema"):
        answer(schema)
