"""The page on the real engines: a question that is spoken to it, by the joe voice, is written down, answered aloud, and interrupted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browsing import browsing, tab
from tests.engines.whisper import compare, transcribe
from tests.loudspeaker import Loudspeaker
from tests.recordings import recording
from tests.servers import Server

# Each talk is minutes on a machine that does other things, too.
pytestmark = [pytest.mark.engines, pytest.mark.timeout(900)]

RATE = 24000
SOON = 120_000  # ms
QUESTION = "What is a lighthouse for?"
LONG = "Tell me a long story about an old dog."


def spoken(server: Server, text: str) -> np.ndarray:
    wanted = {"model": "tts-1", "voice": "alloy", "input": text, "response_format": "pcm", "seed": 1}
    return np.frombuffer(httpx.post(f"{server.url}/v1/audio/speech", json=wanted, timeout=SOON / 1000).raise_for_status().content, "<i2")


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.int16)


@dataclass
class Talked:
    page: Page
    loudspeaker: Loudspeaker

    def said(self, who: str, number: int) -> str:
        return self.page.locator(f"#transcript .{who} p").nth(number).text_content() or ""

    def state(self, words: str) -> None:
        expect(self.page.locator("#talk-state")).to_have_text(words, timeout=SOON)


@contextmanager
def talking(playwright: Any, server: Server, folder: Path, *heard: np.ndarray) -> Iterator[Talked]:
    """A talk that has just begun, whose microphone hears this, and then nothing."""
    file = folder / "heard.wav"
    file.write_bytes(recording("wav", np.concatenate([silence(3), *heard, silence(300)]), RATE))
    with browsing(playwright, file) as browser, tab(browser) as page:
        talked = Talked(page, Loudspeaker(page))
        page.goto(f"{server.url}/#talk")
        page.get_by_role("button", name="Start talking").click()
        talked.state("Hearing you")
        yield talked


@pytest.fixture(scope="module")
def answered(playwright: Any, real_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talked]:
    """One question, answered to its end."""
    with talking(playwright, real_server, tmp_path_factory.mktemp("answered"), spoken(real_server, QUESTION)) as talked:
        talked.state("Speaking")
        talked.state("Listening")
        yield talked


def test_what_is_asked_is_written_down(answered: Talked) -> None:
    heard = compare([[QUESTION]], answered.said("you", 0))
    assert heard.errors <= 1, heard


def test_the_answer_is_written_and_is_what_the_loudspeaker_played(answered: Talked) -> None:
    written = answered.said("fireside", 0)
    assert "lighthouse" in written
    heard = compare([[written]], transcribe(answered.loudspeaker.played(), RATE))
    assert heard.errors <= 0.1 * heard.words, heard


def test_the_answer_is_played_to_its_end(answered: Talked) -> None:
    player = answered.page.locator("#player")
    assert float(player.get_attribute("data-played") or 0) > 1
    expect(player).to_have_attribute("data-state", "silent")


def test_the_time_to_the_first_audio_is_among_the_figures(answered: Talked) -> None:
    answered.page.evaluate("location.hash = 'figures'")
    expect(answered.page.locator(".gauge").nth(1).locator(".value")).to_contain_text("s")


def test_who_interrupts_is_heard_and_answered(playwright: Any, real_server: Server, tmp_path: Path) -> None:
    heard = (spoken(real_server, LONG), silence(15), spoken(real_server, QUESTION))
    with talking(playwright, real_server, tmp_path, *heard) as talked:
        talked.state("Speaking")
        expect(talked.page.locator("#transcript .cut")).to_be_visible(timeout=SOON)
        expect(talked.page.locator("#transcript .fireside").nth(1)).to_contain_text("lighthouse", timeout=SOON)
        talked.state("Listening")
        assert compare([[LONG]], talked.said("you", 0)).errors <= 1, talked.said("you", 0)
        assert compare([[QUESTION]], talked.said("you", 1)).errors <= 1, talked.said("you", 1)
        played = transcribe(talked.loudspeaker.played(), RATE)
        wanted = compare([[talked.said("fireside", 0)], [talked.said("fireside", 1)]], played)
        assert wanted.errors <= max(2, 0.1 * wanted.words), str(wanted)  # a word may be cut in two


def test_an_answer_is_streamed_and_measured(page: Page, real_server: Server) -> None:
    page.goto(real_server.url)
    page.get_by_label("Your message").fill(LONG)
    page.keyboard.press("Enter")
    expect(page.locator(".answer.writing .prose")).to_contain_text(re.compile(".{200}", re.DOTALL), timeout=SOON)
    page.get_by_role("button", name="Stop the answer").click()
    expect(page.locator(".answer .measured")).to_contain_text("stopped · first token", timeout=SOON)
    page.get_by_role("link", name="Figures").click()
    expect(page.locator(".gauge .value").nth(0)).not_to_have_text("–")
    expect(page.locator("#engine-cards [data-state=ready]")).to_have_count(3)


def test_a_voice_says_what_is_written(page: Page, real_server: Server) -> None:
    loudspeaker, text = Loudspeaker(page), "Good evening. Sit down by the window, and tell me about your journey."
    page.goto(f"{real_server.url}/#voices")
    page.get_by_label("What they say").fill(text)
    page.get_by_role("button", name="Hear joe").click()
    expect(page.locator("[data-voice=joe]")).to_have_class("card voice speaking")
    expect(page.locator("[data-voice=joe]")).to_have_class("card voice", timeout=SOON)
    heard = compare([[text]], transcribe(loudspeaker.played(), RATE))
    assert heard.errors <= 1, heard
    page.get_by_role("link", name="Figures").click()
    expect(page.locator(".gauge .value").nth(1)).not_to_have_text("–")
