"""The page when something is missing: a key, an engine, a microphone. It says what, what to do, and goes on by itself when it is there."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from settings import keys_file
from tests.browsing import browsing, hold, tab
from tests.servers import Server, serve
from tests.test_faults import speech_worker

RIGHT = "sk-right"
UNFIT = "sk-a/b="
"""For a subprotocol: it is right everywhere but on a browser's WebSocket."""


@pytest.fixture(scope="module")
def locked() -> Iterator[Server]:
    keys = {name: {"hash": keys_file.hashed(key)} for name, key in (("me", RIGHT), ("unfit", UNFIT))}
    with serve("mock", FIRESIDE_ACCESS__KEYS=json.dumps(keys)) as running:
        yield running


@pytest.fixture
def guarded(page: Page, locked: Server) -> Page:
    page.goto(locked.url)
    return page


def enter(page: Page, key: str) -> None:
    expect(page.get_by_label("API key")).to_be_focused()
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Done").click()


def test_a_wrong_key_is_told_and_the_right_one_is_entered_from_there(guarded: Page) -> None:
    expect(guarded.locator("#notice")).to_contain_text("no API key came: send one")
    expect(guarded.locator("#notice")).to_contain_text("Enter the API key of this server in the settings.")
    expect(guarded.locator("#engines li")).to_have_count(0)
    guarded.get_by_role("button", name="Enter the key").click()
    enter(guarded, RIGHT)
    expect(guarded.locator("#notice")).to_be_empty()
    expect(guarded.locator("#engines [data-state=ready]")).to_have_count(3)


def test_a_question_with_a_wrong_key_is_refused_in_words(guarded: Page) -> None:
    guarded.get_by_label("Your message").fill("Hello.")
    guarded.keyboard.press("Enter")
    expect(guarded.get_by_role("alert")).to_contain_text("Enter the API key of this server in the settings.")


def test_a_talk_with_a_wrong_key_says_so(guarded: Page) -> None:
    guarded.get_by_role("link", name="Talk").click()
    guarded.get_by_role("button", name="Start talking").click()
    expect(guarded.locator("#talk-problem")).to_contain_text("Enter the API key of this server in the settings.")
    expect(guarded.get_by_role("button", name="Start talking")).to_be_enabled()


def test_with_the_right_key_there_is_a_chat_and_a_talk(guarded: Page) -> None:
    guarded.get_by_role("button", name="Enter the key").click()
    enter(guarded, RIGHT)
    guarded.get_by_label("Your message").fill("Hello.")
    guarded.keyboard.press("Enter")
    expect(guarded.locator(".answer .foot")).to_contain_text("first token")
    guarded.get_by_role("link", name="Talk").click()
    guarded.get_by_role("button", name="Start talking").click()
    expect(guarded.locator("#talk")).to_have_attribute("data-state", re.compile("listening|hearing|thinking|speaking"))


def test_a_talk_with_a_key_that_a_browser_cannot_send_says_so(guarded: Page) -> None:
    guarded.get_by_role("button", name="Enter the key").click()
    enter(guarded, UNFIT)
    expect(guarded.locator("#engines [data-state=ready]")).to_have_count(3)
    guarded.get_by_role("link", name="Talk").click()
    guarded.get_by_role("button", name="Start talking").click()
    expect(guarded.locator("#talk-problem")).to_contain_text("a browser sends only keys of letters, digits and")
    expect(guarded.get_by_role("button", name="Start talking")).to_be_enabled()
    guarded.get_by_role("link", name="Voices").click()
    expect(guarded.locator(".voice")).to_have_count(2)


def test_the_microphone_is_refused(playwright: Any, server: Server) -> None:
    with browsing(playwright, allows=False) as browser, tab(browser) as page:
        page.goto(f"{server.url}/#talk")
        page.get_by_role("button", name="Start talking").click()
        expect(page.locator("#talk-problem")).to_contain_text("The microphone was not allowed. Allow it for this page in the browser")
        expect(page.locator("#talk-state")).to_have_text("Ready when you are")
        expect(page.get_by_role("button", name="Start talking")).to_be_enabled()


KEEPING = """const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = await ask(wanted);
    [globalThis.track] = stream.getTracks();
    return stream;
  };"""
"""The track of the microphone is kept, for the test to look at."""


def test_a_microphone_that_is_unplugged_ends_the_talk(page: Page, server: Server) -> None:
    page.add_init_script(KEEPING)
    page.goto(f"{server.url}/#talk")
    page.get_by_role("button", name="Start talking").click()
    expect(page.get_by_role("button", name="Mute the microphone")).to_be_enabled()
    page.evaluate("() => void track.dispatchEvent(new Event('ended'))")
    expect(page.locator("#talk-problem")).to_contain_text("The microphone is gone")
    expect(page.locator("#talk-state")).to_have_text("Ready when you are")


def test_a_microphone_that_cannot_be_used_is_let_go(page: Page, server: Server) -> None:
    page.add_init_script(KEEPING)
    page.add_init_script("AudioWorklet.prototype.addModule = async () => { throw new Error('no worklet here'); }")
    page.goto(f"{server.url}/#talk")
    page.get_by_role("button", name="Start talking").click()
    expect(page.locator("#talk-problem")).to_have_text("The microphone cannot be used: no worklet here")
    assert page.evaluate("track.readyState") == "ended"


@pytest.fixture(scope="module")
def deaf() -> Iterator[Server]:
    with serve("mock", FIRESIDE_LISTENING__ENGINE="none", FIRESIDE_SPEECH__ENGINE="none") as running:
        yield running


def test_a_server_with_text_alone_chats(page: Page, deaf: Server) -> None:
    page.goto(deaf.url)
    expect(page.locator("#engines li")).to_have_count(1)
    page.get_by_label("Your message").fill("Hello.")
    page.keyboard.press("Enter")
    expect(page.locator(".answer .foot")).to_contain_text("first token")
    expect(page.get_by_role("button", name="Read aloud")).to_be_hidden()
    expect(page.locator("#notice")).to_be_empty()
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_label("Model")).to_be_visible()
    expect(page.get_by_label("Read answers aloud")).to_be_hidden()


def test_a_server_that_does_not_listen_says_why_there_is_no_talk(page: Page, deaf: Server) -> None:
    page.goto(f"{deaf.url}/#talk")
    expect(page.locator("#talk-problem")).to_have_text("This server cannot hear you: listening.engine is none in its configuration.")
    expect(page.get_by_role("button", name="Start talking")).to_be_disabled()


def test_a_server_without_voices_says_so(page: Page, deaf: Server) -> None:
    page.goto(f"{deaf.url}/#voices")
    expect(page.locator("#voice-list")).to_have_text("This server has no voices: speech.engine is none in its configuration.")


def test_a_talk_without_voices_is_answered_in_writing(page: Page) -> None:
    replies = {"FIRESIDE_LISTENING__MOCK__REPLIES": json.dumps(["Tell me of it."]), "FIRESIDE_TEXT__MOCK__REPLIES": json.dumps(["Gladly."])}
    with serve("mock", FIRESIDE_SPEECH__ENGINE="none", **replies) as server:
        page.goto(f"{server.url}/#talk")
        expect(page.locator("#talk-hint")).to_contain_text("answers in writing")
        page.get_by_text("Hold to talk").first.click()
        page.get_by_role("button", name="Start talking").click()
        expect(page.locator("#talk-state")).to_have_text("Hold to talk")
        hold(page)
        expect(page.locator("#transcript .fireside p")).to_have_text("Gladly.")
        expect(page.locator("#talk-state")).to_have_text("Hold to talk")


def test_a_server_that_accepts_and_does_not_answer_is_told(page: Page, server: Server) -> None:
    page.goto(server.url)
    expect(page.locator("#engines [data-state=ready]")).to_have_count(3)
    page.route("**/v1/status", lambda route: None)
    expect(page.locator("#notice")).to_contain_text("The server cannot be reached", timeout=45_000)
    expect(page.locator("#engines li")).to_have_count(0)
    page.unroute("**/v1/status")
    expect(page.locator("#notice")).to_be_empty(timeout=45_000)


def test_an_engine_that_dies_is_told_and_comes_back_by_itself(page: Page) -> None:
    with serve("mock", FIRESIDE_SPEECH__MOCK__LOAD_SECONDS="3") as server:
        page.goto(f"{server.url}/#voices")
        expect(page.locator(".voice")).to_have_count(2)
        os.kill(speech_worker(server).pid, signal.SIGKILL)
        expect(page.locator("#notice")).to_contain_text("Speech")
        expect(page.locator("#engines [data-state=ready]")).to_have_count(2)
        expect(page.locator("#engines [data-state=ready]")).to_have_count(3, timeout=30_000)
        expect(page.locator("#notice")).to_be_empty()
        page.get_by_role("button", name="Hear mock-low").click()
        expect(page.locator("#player")).to_have_attribute("data-state", "playing")
