"""Tables of cases in tests/data: YAML where every scalar is a string, so that 1:30 and 007 stay as they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "data"


class _Loader(yaml.BaseLoader):
    """Refuses a key that comes twice: the second would hide the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(set(keys)) == len(keys), f"{node.start_mark}: twice: {[key for key in keys if keys.count(key) > 1]}"
        return super().construct_mapping(node, deep)


def table(name: str) -> dict[str, Any]:
    return dict(yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), Loader=_Loader))
