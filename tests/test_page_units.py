"""The parts of the page that need no page: each function of tests/web/units.js, in the browser that runs them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.servers import ROOT, Server

UNITS = re.findall(r"^export (?:async )?function (\w+)", (ROOT / "tests" / "web" / "units.js").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def opened(browser: Any, server: Server) -> Any:
    from tests.browsing import tab

    with tab(browser) as page:
        page.goto(server.url)
        yield page


@pytest.mark.parametrize("name", UNITS)
def test_unit(opened: Any, name: str) -> None:
    opened.evaluate("name => import('/tests/web/units.js').then((units) => units[name]())", name)
