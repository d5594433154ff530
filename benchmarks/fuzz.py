"""The tests that try whatever comes, many times as long as in `make test`: cases for each route, socket and kind of file.

What they found, and what became of it, is in docs/input.md. A failure is shown as pytest shows it, and the counts are written all the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.machine import ROOT
from benchmarks.results import Report, Table, Target

TESTS = (
    "tests/test_fuzz_routes.py",
    "tests/test_fuzz_sockets.py",
    "tests/test_decode_hostile.py",
    "tests/test_hostile_text.py",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=50, help="as many cases as in `make test` (default: 50)")
    times: int = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts"
        environment = {**os.environ, "FUZZ_TIMES": str(times), "FUZZ_COUNTS": str(counts)}
        command = [sys.executable, "-m", "pytest", "-q", "--timeout", "3600", *TESTS]
        failed = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        lines = counts.read_text().splitlines() if counts.is_file() else []
    report(times, failed, Counter({(place, outcome): count for place, outcome, count in map(json.loads, lines)}))
    return failed


def report(times: int, failed: int, counts: Counter[tuple[str, str]]) -> None:
    table = Table(
        "Cases", ("where", "how it ended", "cases"), [(place, outcome, count) for (place, outcome), count in sorted(counts.items())]
    )
    target = Target("never a 500, a hang, a crash or a silent end", "no failure", "failures" if failed else "no failure", not failed)
    method = (
        f"`make test`'s own tests of input with {times} times as many cases: schemathesis on every route of the OpenAPI page, with "
        "bodies that fit it and that do not; hypothesis on every socket, on recordings that are damaged, and on text."
    )
    Report("fuzz", "Whatever comes", method, [table], [target]).publish()


if __name__ == "__main__":
    sys.exit(main())
