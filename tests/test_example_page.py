"""examples/realtime.html as a reader opens it, from a server of files on this machine; the browser's microphone hears a recording."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browsing import browsing, tab
from tests.loudspeaker import Loudspeaker
from tests.servers import ROOT, Server, free_port, serve
from tests.sound import speechlike
from tests.test_page_talk import RATE, Events, silence, write
from tests.waiting import looks

SHORT = "The fire is lit."
LONG = "The fire burns low and even, " * 8 + "and it keeps you warm."
SPEECH = speechlike(1.2, RATE)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("mock", FIRESIDE_TEXT__MOCK__REPLIES=json.dumps([SHORT, LONG, SHORT])) as running:
        yield running


@contextmanager
def opened(playwright: Any, folder: Path, url: str, *heard: Any, allows: bool = True) -> Iterator[tuple[Page, Events, Loudspeaker]]:
    """The example, with its button pressed."""
    write(folder / "heard.wav", np.concatenate([silence(4), *heard, silence(60)]))
    with browsing(playwright, folder / "heard.wav", allows) as browser, tab(browser) as page:
        found = page, Events(page), Loudspeaker(page)
        with files(ROOT / "examples") as home:
            page.goto(f"{home}/realtime.html?url={url}")
            page.get_by_role("button", name="Talk").click()
            yield found


@contextmanager
def files(folder: Path) -> Iterator[str]:
    """Their URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder)) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://localhost:{served.server_port}"
        served.shutdown()


def said(page: Page) -> Any:
    return expect(page.locator("#said"))


def energy(samples: Any) -> float:
    return float(np.sum(samples.astype(np.float64) ** 2))


def sent(events: Events) -> float:
    """Of all that the server said."""
    deltas = events.of("response.output_audio.delta")
    return energy(np.frombuffer(b"".join(base64.b64decode(event["delta"]) for event in deltas), "<i2"))


def socket(server: Server) -> str:
    return server.url.replace("http", "ws")


def test_a_spoken_question_is_answered_aloud_and_in_writing(playwright: Any, tmp_path: Path, server: Server) -> None:
    with opened(playwright, tmp_path, socket(server), SPEECH) as (page, events, loudspeaker):
        said(page).to_have_text(SHORT + "\n", timeout=30_000)
        assert any(energy(loudspeaker.played()) >= 0.95 * sent(events) for _ in looks())
        assert energy(loudspeaker.played()) == pytest.approx(sent(events), rel=0.05)
        assert events.of("error") == []


def test_an_answer_that_is_interrupted_is_silent(playwright: Any, tmp_path: Path, server: Server) -> None:
    with opened(playwright, tmp_path, socket(server), SPEECH, silence(4), SPEECH) as (page, events, loudspeaker):
        said(page).to_contain_text(SHORT, timeout=40_000)
        loud = np.flatnonzero(loudspeaker.levels(0.2) > 0.01)
        assert len(loud) > 3
        assert 0 < energy(loudspeaker.played()) < 0.8 * sent(events)
        assert events.of("error") == []


def test_a_server_that_is_not_there_is_told(playwright: Any, tmp_path: Path) -> None:
    with opened(playwright, tmp_path, f"ws://127.0.0.1:{free_port()}") as (page, _, _):
        said(page).to_contain_text("no connection to the server")


def test_a_microphone_that_is_refused_is_told(playwright: Any, tmp_path: Path, server: Server) -> None:
    with opened(playwright, tmp_path, socket(server), allows=False) as (page, _, _):
        said(page).to_contain_text("Permission")
