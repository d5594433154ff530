"""YAML as plain data that can be looked through: aliases let a few lines stand for more than any machine holds."""

from __future__ import annotations

from typing import Any

import yaml

MOST = 100_000
"""Values in a profile, written out."""
MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Here, and not where the values are made: by then what merge keys bring stands beside the keys that may well replace it."""
        node = super().compose_mapping_node(anchor)
        _check_keys(node)
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > MOST:
            raise yaml.YAMLError(f"its merge keys stand for more than {MOST} values")


def _check_keys(node: yaml.MappingNode) -> None:
    """PyYAML would drop the first of two in silence, and with it perhaps all of a part."""
    lines: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == MERGE:
            continue
        name, line = (key.tag, key.value), key.start_mark.line + 1
        if name in lines:
            raise yaml.YAMLError(f"line {line} has the key {key.value!r} again, which is in line {lines[name]}: make them one")
        lines[name] = line


def read_yaml(text: str) -> Any:
    """Raises YAMLError."""
    try:
        content = yaml.load(text, _Loader)  # a SafeLoader
        _size(content, {})
    except RecursionError:
        raise yaml.YAMLError("it is nested too deeply") from None
    except (ValueError, LookupError, AttributeError) as error:  # a date that there is not, a number of thousands of digits, `!!int ""`
        raise yaml.YAMLError(f"it has a value that cannot be read: {error!r}") from None
    return content


def _size(value: Any, known: dict[int, int]) -> int:
    """Of a value with all that its aliases stand for."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = MOST + 1  # if it stands in itself it has no end
        known[id(value)] = 1 + sum(_size(item, known) for item in (value.values() if isinstance(value, dict) else value))
        if known[id(value)] > MOST:
            raise yaml.YAMLError(f"its aliases stand for more than {MOST} values")
    return known[id(value)]
