"""A spoken conversation in a browser whose microphone hears a file: what is said, shown, played, interrupted and told to the server."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browsing import browsing, hold, tab
from tests.servers import Server, serve
from tests.sound import speechlike

RATE = 48000
HEARD = ("Tell me of the fire.", "Stop, please.")
# Long enough to be interrupted.
SAID = ("The fire burns low and even, " * 8 + "and it keeps you warm. All night.", "Gladly.")


def silence(seconds: float) -> Any:
    return np.zeros(round(seconds * RATE), np.int16)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    replies = {"FIRESIDE_TEXT__MOCK__REPLIES": json.dumps(SAID), "FIRESIDE_LISTENING__MOCK__REPLIES": json.dumps(HEARD)}
    with serve("mock", **replies) as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Its microphone hears a question, once all is there to hear it, and while the answer is spoken an interruption."""
    path = tmp_path_factory.mktemp("heard") / "question.wav"
    write(path, np.concatenate([silence(4), speechlike(1.2, RATE), silence(4), speechlike(1.5, RATE), silence(60)]))
    with browsing(playwright, path) as running:
        yield running


def write(path: Path, samples: Any) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


class Events(list[dict[str, Any]]):
    """All that the page and the server say to each other."""

    def __init__(self, page: Page) -> None:
        page.on("websocket", self._listen)

    def _listen(self, socket: Any) -> None:
        self.url = socket.url
        for name in ("framesent", "framereceived"):
            socket.on(name, lambda frame: self.append(json.loads(frame)))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self if event["type"] == kind]


@pytest.fixture(scope="module")
def talked(browser: Any, server: Server) -> Iterator[tuple[Page, Events]]:
    """A conversation that was begun and is interrupted by the second thing that the microphone hears."""
    with tab(browser) as page:
        events = Events(page)
        page.goto(f"{server.url}/#talk")
        page.get_by_role("button", name="Start talking").click()
        expect(page.locator("#talk-state")).to_have_text("Hearing you", timeout=30_000)
        expect(page.locator("#talk-state")).to_have_text("Speaking", timeout=45_000)
        expect(page.locator("#transcript .cut")).to_be_visible(timeout=45_000)
        expect(page.locator("#transcript .fireside").nth(1)).to_contain_text("Gladly.", timeout=45_000)
        expect(page.locator("#talk-state")).to_have_text("Listening", timeout=45_000)
        yield page, events


def test_both_sides_are_written_down(talked: tuple[Page, Events]) -> None:
    said = talked[0].locator("#transcript .you p").all_text_contents()
    assert said == list(HEARD)
    assert talked[0].locator("#talk-problem").text_content() == ""


def test_what_was_really_heard_is_told_to_the_server(talked: tuple[Page, Events]) -> None:
    page, events = talked
    (cut,) = events.of("conversation.item.truncate")
    assert 500 < cut["audio_end_ms"] < 15000
    assert events.of("conversation.item.truncated")[0]["audio_end_ms"] == cut["audio_end_ms"]
    assert cut["item_id"] == page.locator("#transcript .cut").get_attribute("data-item")


def test_nothing_of_an_interrupted_answer_is_played_later(talked: tuple[Page, Events]) -> None:
    page, events = talked
    cut = events.of("conversation.item.truncate")[0]["audio_end_ms"] / 1000
    played = float(page.locator("#player").get_attribute("data-played") or 0)
    assert played < cut + 2.5  # with the second answer, of one word
    assert "All night" not in (page.locator("#transcript .cut p").text_content() or "")
    assert events.of("error") == []


def test_the_microphone_travels_as_24_khz(talked: tuple[Page, Events]) -> None:
    pieces = {len(event["audio"]) for event in talked[1].of("input_audio_buffer.append")}
    assert pieces == {1280}  # 480 samples of two bytes in base64
    assert "ducking=true" in talked[1].url


def test_leaving_the_screen_ends_the_conversation(talked: tuple[Page, Events]) -> None:
    page, _ = talked
    page.get_by_role("link", name="Chat").click()
    page.get_by_role("link", name="Talk").click()
    expect(page.get_by_role("button", name="Start talking")).to_be_visible()
    assert page.locator("#player").get_attribute("data-state") == "silent"


def test_holding_the_space_bar_talks(page: Page, server: Server) -> None:
    events = Events(page)
    page.goto(f"{server.url}/#talk")
    page.get_by_role("button", name="Start talking").click()
    expect(page.locator("#talk-state")).to_have_text("Listening")
    page.locator("#main").focus()
    page.keyboard.down("Space")
    expect(page.locator("#talk-state")).to_have_text("Hearing you")
    expect(page.get_by_label("Hold to talk")).to_be_checked()
    page.wait_for_timeout(1500)  # held as long as a person speaks
    page.keyboard.up("Space")
    expect(page.locator("#transcript .fireside")).to_be_visible()
    assert [event["type"] for event in events if event["type"].endswith((".commit", "response.create"))] == [
        "input_audio_buffer.commit",
        "response.create",
    ]
    assert events.of("session.update")[-1]["session"]["audio"]["input"]["turn_detection"] is None


def test_stopping_the_sound_ends_the_answer(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/#talk")
    page.get_by_text("Hold to talk").first.click()
    page.get_by_role("button", name="Start talking").click()
    expect(page.locator("#talk-state")).to_have_text("Hold to talk")
    hold(page)
    expect(page.locator("#talk-state")).to_have_text("Speaking")
    page.get_by_role("button", name="Stop the sound").click()
    expect(page.locator("#transcript .cut")).to_be_visible()
    expect(page.locator("#player")).to_have_attribute("data-state", "silent")


def test_a_bar_held_since_before_the_connection_talks_once_there_is_one(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/#talk")
    page.locator("#main").focus()
    page.keyboard.down("Space")
    page.get_by_role("button", name="Start talking").click()
    expect(page.locator("#talk-state")).to_have_text("Listening")
    page.locator("#main").focus()
    page.keyboard.down("Space")  # as the keyboard repeats it while it is held
    expect(page.locator("#talk-state")).to_have_text("Hearing you")


def test_mute_sends_silence(page: Page, server: Server) -> None:
    events = Events(page)
    page.goto(f"{server.url}/#talk")
    page.get_by_role("button", name="Start talking").click()
    page.get_by_role("button", name="Mute the microphone").click()
    expect(page.get_by_role("button", name="Unmute the microphone")).to_be_visible()
    before = len(events.of("input_audio_buffer.append")) + 10
    while len(found := events.of("input_audio_buffer.append")) < before + 20:
        page.wait_for_timeout(50)
    assert {event["audio"].strip("A=") for event in found[before:]} == {""}
    # Where it heard the question before, the whole answer is spoken first: nothing interrupts it now.
    expect(page.locator("#talk-state")).to_have_text("Muted", timeout=60_000)


def test_who_is_muted_is_not_heard_though_they_hold_and_the_next_talk_is_not_muted(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/#talk")
    page.get_by_text("Hold to talk").first.click()
    page.get_by_role("button", name="Start talking").click()
    page.get_by_role("button", name="Mute the microphone").click()
    expect(page.locator("#talk-state")).to_have_text("Muted")
    page.locator("#main").focus()
    page.keyboard.down("Space")
    expect(page.locator("#talk")).to_have_attribute("data-state", "hearing")
    expect(page.locator("#talk-state")).to_have_text("Muted")
    page.get_by_role("button", name="End").click()
    page.get_by_role("button", name="Start talking").click()
    expect(page.get_by_role("button", name="Mute the microphone")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#talk-state")).to_have_text("Hold to talk")
