"""How much is tried: little in `make test`, FUZZ_TIMES as much in `python -m benchmarks.fuzz`, which reads the counts."""

from __future__ import annotations

import atexit
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
_counts: Counter[tuple[str, str]] = Counter()


def tried(place: str, outcome: str) -> None:
    """One case more for this route or socket, and how it ended."""
    _counts[place, outcome] += 1


def examples(usual: int) -> Any:
    """hypothesis' settings. No deadline, and few health checks: the machine is busy with other tests, too."""
    return settings(max_examples=usual * TIMES, deadline=None, suppress_health_check=list(HealthCheck))


@atexit.register
def _tell() -> None:
    if path := os.environ.get("FUZZ_COUNTS"):
        with Path(path).open("a") as file:
            file.writelines(json.dumps([*key, count]) + "\n" for key, count in _counts.items())
