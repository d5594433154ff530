"""Somebody may be about to interrupt: the answer is played more softly until that is sure, and is as loud as before when it was nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.browsing import browsing, tab
from tests.loudspeaker import Loudspeaker
from tests.servers import Server, serve
from tests.sound import speechlike
from tests.test_page_talk import RATE, SAID, Events, silence, write

DUCKED = 0.2  # of web/player.js


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("mock", FIRESIDE_TEXT__MOCK__REPLIES=json.dumps(SAID)) as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Its microphone hears a question, and while the answer is spoken, a cough."""
    path = tmp_path_factory.mktemp("heard") / "cough.wav"
    write(path, np.concatenate([silence(1), speechlike(1.2, RATE), silence(5), speechlike(0.15, RATE), silence(60)]))
    with browsing(playwright, path) as running:
        yield running


@pytest.fixture(scope="module")
def levels(browser: Any, server: Server) -> Iterator[np.ndarray]:
    """How loud each twentieth of a second of an answer was that a cough did not interrupt, in the voice's own loudness."""
    with tab(browser) as page:
        events, loudspeaker = Events(page), Loudspeaker(page)
        page.goto(f"{server.url}/#talk")
        page.get_by_role("button", name="Start talking").click()
        while not events.of("fireside.speech.dismissed"):
            page.wait_for_timeout(50)
        page.wait_for_function("since => document.querySelector('#player').dataset.played > since + 1", arg=played(page))
        assert page.locator("#transcript .cut").count() == 0
        found = loudspeaker.levels(0.05)
        yield found / np.median(found[found > 0.01])


def played(page: Any) -> float:
    return float(page.locator("#player").get_attribute("data-played") or 0)


def test_it_is_softer_and_then_as_loud_as_before(levels: np.ndarray) -> None:
    soft = np.flatnonzero(np.abs(levels - DUCKED) < 0.05)
    assert len(soft) >= 2, levels
    assert np.ptp(soft) < 20, "it is soft once, for less than a second"
    for around in (levels[soft[0] - 10 : soft[0] - 3], levels[soft[-1] + 6 : soft[-1] + 12]):
        assert np.median(around) == pytest.approx(1, abs=0.05)


def test_it_is_soft_all_the_while(levels: np.ndarray) -> None:
    soft = np.flatnonzero(np.abs(levels - DUCKED) < 0.05)
    assert levels[soft[0] : soft[-1] + 1].max() < 0.5, "it does not waver"
