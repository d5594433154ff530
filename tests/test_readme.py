"""The README's commands work as they stand there, on the mock profile; the pages' links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.sayings import player
from tests.servers import Server, serve

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(?P<reason><!-- not run: [^\n]+ -->\n)?```(?P<language>sh|python)\n(?P<code>.*?)```", re.DOTALL)
# As in the README, but a refusal is a failure, and its words are in the output.
STRICT_CURL = 'set -euo pipefail\ncurl() { command curl -sS --fail-with-body --max-time 60 "$@"; }\n'


class Block(NamedTuple):
    language: str
    code: str


def blocks() -> list[Block]:
    found = BLOCK.finditer((ROOT / "README.md").read_text(encoding="utf-8"))
    return [Block(match["language"], match["code"]) for match in found if not match["reason"]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("mock") as running:
        yield running


def run(block: Block, server: Server, folder: Path) -> str:
    code = block.code.replace("localhost:3000", server.url.removeprefix("http://"))
    command = ["bash", "-c", STRICT_CURL + code] if block.language == "sh" else [sys.executable, "-W", "error", "-c", code]
    (folder / "book.txt").write_text("It was a dark night. The fire was lit.")
    tools = player(folder, "paplay", "exec cat > {folder}/heard")["PATH"]
    env = {**os.environ, "PATH": os.pathsep.join([tools, str(Path(sys.executable).parent), os.environ["PATH"]])}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.code.split("\n")[0][:60])
def test_a_block_runs_as_it_stands(block: Block, server: Server, tmp_path: Path) -> None:
    said = run(block, server, tmp_path)
    files = re.findall(r"\w+\.mp3", block.code)
    assert said or files
    for name in files:
        assert (tmp_path / name).read_bytes()[0] == 0xFF, "an MP3 frame begins with its sync word"


def test_the_blocks_were_found() -> None:
    assert {block.language for block in blocks()} == {"sh", "python"}
    assert len(blocks()) >= 6


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
