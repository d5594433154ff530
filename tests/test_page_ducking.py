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
PIECE = 0.02
COUGHS = 3
"""On a busy machine a cough may be over before it is heard of, and nothing is softer for it: not all of them."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("mock", FIRESIDE_TEXT__MOCK__REPLIES=json.dumps(SAID)) as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Its microphone hears a question, and while the answer is spoken, some coughs."""
    path = tmp_path_factory.mktemp("heard") / "cough.wav"
    coughs = [speechlike(0.15, RATE), silence(3)] * COUGHS
    write(path, np.concatenate([silence(4), speechlike(1.2, RATE), silence(5), *coughs, silence(60)]))
    with browsing(playwright, path) as running:
        yield running


@pytest.fixture(scope="module")
def levels(browser: Any, server: Server) -> Iterator[np.ndarray]:
    """How loud each piece of an answer was that coughs did not interrupt, in the voice's own loudness."""
    with tab(browser) as page:
        events, loudspeaker = Events(page), Loudspeaker(page)
        page.goto(f"{server.url}/#talk")
        page.get_by_role("button", name="Start talking").click()
        while len(events.of("fireside.speech.dismissed")) < COUGHS:
            page.wait_for_timeout(50)
        page.wait_for_function("since => document.querySelector('#player').dataset.played > since + 1", arg=played(page))
        assert page.locator("#transcript .cut").count() == 0
        found = loudspeaker.levels(PIECE)
        yield found / np.median(found[found > 0.01])


def played(page: Any) -> float:
    return float(page.locator("#player").get_attribute("data-played") or 0)


def test_it_is_softer_for_a_moment_and_as_loud_before_and_after(levels: np.ndarray) -> None:
    near = np.abs(levels - DUCKED) < 0.05
    # Three in a row: what begins or ends may be as soft for one of them.
    soft = np.flatnonzero(near[:-2] & near[1:-1] & near[2:])
    assert len(soft), levels
    moments = np.split(soft, np.flatnonzero(np.diff(soft) * PIECE > 1) + 1)
    assert len(moments) <= COUGHS
    assert all(np.ptp(moment) * PIECE < 2.5 for moment in moments), "it is over before the next"
    assert levels[: soft[0]].max() == pytest.approx(1, abs=0.05)
    assert levels[soft[-1] + 3 :].max() == pytest.approx(1, abs=0.05)
