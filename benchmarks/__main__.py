"""Run the benchmarks one after the other: `python -m benchmarks [NAME ...]`. Each explains itself: `python -m benchmarks.NAME --help`.

splitting     the splitter's work for each token                   no weights, no torch
front         streaming through Fireside, vLLM's code, and less    the cpu profile's weights, if vLLM's is to be there
text          beside vLLM's own server                             the cpu profile's weights
firsts        what the first request of each kind holds up         the same
speech        beside Coqui's own server                            the cpu profile's weights, Flask, espeak-ng
conversation  spoken questions, and interruptions                  the cpu profile's weights
cancels       11,000 speech requests, most of them cancelled       the cpu profile's weights
faults        engines killed under load, streams cut               the cpu profile's weights
soak          half an hour of all at once, workers killed          no weights, no torch (--profile cpu: its weights)
overload      ten times what the server can do                     the same
drain         SIGTERM under load                                   the same
fuzz          whatever comes, on every route and socket            no weights, no torch; not run unless named
gpu           both engines, alone and together                     not run unless named
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks.machine import ROOT

USUAL = ("splitting", "front", "text", "firsts", "speech", "conversation", "cancels", "faults", "soak", "overload", "drain")
ALL = (*USUAL, "fuzz", "gpu")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # Not `choices`: argparse then refuses that nothing is named.
    parser.add_argument("names", nargs="*", type=_known, metavar="NAME", help=f"default: {' '.join(USUAL)}")
    names = parser.parse_args().names or USUAL
    return max(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=ROOT, check=False).returncode for name in names)


def _known(name: str) -> str:
    if name not in ALL:
        raise argparse.ArgumentTypeError(f"no benchmark {name!r}: choose from {', '.join(ALL)}")
    return name


if __name__ == "__main__":
    sys.exit(main())
