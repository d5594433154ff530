"""A real browser on the page: Debian's Chromium, with a microphone that hears a file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.servers import ROOT

ARGUMENTS = ("--no-sandbox", "--use-fake-device-for-media-stream", "--disable-dev-shm-usage")
ALLOWED = "--use-fake-ui-for-media-stream"
KINDS = {".js": "text/javascript"}


def chromium() -> str:
    """Its path. Without one the test is skipped, and on CI it fails: there it must be."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("no chromium here: `apt-get install chromium` for the page's tests")
    return found


# Not for the session: playwright's event loop would stand in the way of the tests that have one of their own.
@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    chromium()
    with sync_playwright() as running:
        yield running


@contextmanager
def browsing(playwright: Any, hears: Path | None = None, allows: bool = True) -> Iterator[Any]:
    """`hears` is a WAV file, which the microphone plays once. `allows`: whether a page that asks for the microphone gets it."""
    heard = (f"--use-file-for-fake-audio-capture={hears}%noloop",) if hears else ()
    allowed = (ALLOWED,) if allows else ()
    browser = playwright.chromium.launch(executable_path=chromium(), args=[*ARGUMENTS, *allowed, *heard])
    try:
        yield browser
    finally:
        browser.close()


@pytest.fixture(scope="module")
def browser(playwright: Any) -> Iterator[Any]:
    with browsing(playwright) as running:
        yield running


@contextmanager
def tab(browser: Any, **options: Any) -> Iterator[Any]:
    """A page of its own. It fails if anything leaves the server, or if the page has an error of its own."""
    context = browser.new_context(**options)
    page, faults = context.new_page(), []
    page.set_default_timeout(45_000)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None)
    page.on("request", lambda request: None if at_home(request.url) else faults.append(f"left the server: {request.url}"))
    page.on("websocket", lambda socket: None if at_home(socket.url) else faults.append(f"left the server: {socket.url}"))
    page.route("**/tests/web/*", lambda route: route.fulfill(path=ROOT / urlsplit(route.request.url).path[1:], content_type=KINDS[".js"]))
    try:
        yield page
    finally:
        context.close()
    assert not faults


def at_home(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "localhost") or urlsplit(url).scheme in ("data", "blob", "file")


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    with tab(browser) as opened:
        yield opened


def hold(page: Any) -> None:
    """A question that is told to be one by the space bar."""
    from playwright.sync_api import expect

    page.locator("#main").focus()
    page.keyboard.down("Space")
    expect(page.locator("#talk-state")).to_have_text("Hearing you")
    page.wait_for_timeout(500)  # held as long as a person speaks
    page.keyboard.up("Space")
