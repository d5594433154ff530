"""The parts of the page that need no page: each function of tests/web/*units.js, in the browser that runs them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.servers import ROOT, Server

EXPORTED = re.compile(r"^export (?:async )?function (\w+)", re.MULTILINE)
UNITS = [(path.name, name) for path in sorted((ROOT / "tests" / "web").glob("*units.js")) for name in EXPORTED.findall(path.read_text())]


@pytest.fixture(scope="module")
def opened(browser: Any, server: Server) -> Any:
    from tests.browsing import tab

    with tab(browser) as page:
        page.goto(server.url)
        yield page


@pytest.mark.parametrize(("file", "name"), UNITS)
def test_unit(opened: Any, file: str, name: str) -> None:
    opened.evaluate("([file, name]) => import(`/tests/web/${file}`).then((units) => units[name]())", [file, name])
