"""The chat of the page, as a person in a browser has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from tests.servers import Server, serve

REPLY = "A **fire** needs air:\n\n```python\nprint('air')\n```\n\n<img src=x onerror=alert(1)> ![far](https://example.org/a.png)"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The first reply is markdown; the others are prose, at a reader's pace."""
    replies = json.dumps([REPLY])
    with serve("mock", FIRESIDE_TEXT__MOCK__REPLIES=replies, FIRESIDE_TEXT__MOCK__TOKENS_PER_SECOND="60") as running:
        yield running


def ask(page: Page, text: str) -> None:
    page.get_by_label("Your message").fill(text)
    page.keyboard.press("Enter")


def sent(page: Page, text: str) -> dict[str, Any]:
    """The request that a question makes."""
    with page.expect_request("**/v1/chat/completions") as request:
        ask(page, text)
    found: Request = request.value
    return {**found.post_data_json, "key": found.headers.get("authorization")}


def test_an_answer_is_markdown_and_never_markup(page: Page, server: Server) -> None:
    page.goto(server.url)
    ask(page, "What does a fire need?")
    expect(page.locator(".answer .foot")).to_contain_text("tokens/s")
    expect(page.locator(".answer strong")).to_have_text("fire")
    expect(page.locator(".answer pre")).to_have_text("print('air')")
    assert page.locator(".answer img").count() == 0
    expect(page.locator(".answer a")).to_have_attribute("href", "https://example.org/a.png")


def test_what_was_said_before_is_sent_along(page: Page, server: Server) -> None:
    page.goto(server.url)
    sent(page, "First.")
    expect(page.locator(".answer .foot")).to_have_count(1)
    roles = [message["role"] for message in sent(page, "Second.")["messages"]]
    assert roles == ["user", "assistant", "user"]
    page.get_by_role("button", name="New chat").click()
    assert [message["content"] for message in sent(page, "Third.")["messages"]] == ["Third."]


def test_stop_ends_the_answer_on_the_engine_too(page: Page, server: Server) -> None:
    endless = {"ignore_eos": True, "max_tokens": 3000}
    page.route("**/v1/chat/completions", lambda route: route.continue_(post_data={**route.request.post_data_json, **endless}))
    page.goto(server.url)
    ask(page, "Go on and on.")
    page.locator(".answer .prose p").wait_for()
    page.get_by_role("button", name="Stop the answer").click()
    expect(page.locator(".answer .foot")).to_contain_text("stopped")
    server.until('fireside_running{engine="text"}', 0)
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_settings_and_the_key_are_sent_and_kept(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Instructions").fill("Be brief.")
    page.get_by_label("Temperature").fill("0.3")
    page.get_by_label("API key").fill("sk-mine")
    page.get_by_role("button", name="Done").click()
    page.reload()
    request = sent(page, "Hello.")
    assert request["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (request["temperature"], request["key"]) == (0.3, "Bearer sk-mine")


def test_a_refusal_is_told_in_words(page: Page, server: Server) -> None:
    page.goto(server.url)
    ask(page, "word " * 5000)
    expect(page.get_by_role("alert")).to_contain_text("Begin a new chat, or shorten the question.")
    assert [message["content"] for message in sent(page, "Short.")["messages"]] == ["Short."]


def test_a_connection_that_is_cut_is_told_and_what_came_stays(page: Page, server: Server) -> None:
    event = 'data: {"choices": [{"delta": {"content": "So far."}}]}\n\n'
    page.route("**/v1/chat/completions", lambda route: route.fulfill(body=event, content_type="text/event-stream"))
    page.goto(server.url)
    ask(page, "Hello.")
    expect(page.get_by_role("alert")).to_contain_text("The connection ended before the answer did")
    expect(page.locator(".answer .prose")).to_have_text("So far.")


def test_a_server_that_is_gone_is_told(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.route("**/v1/**", lambda route: route.abort())
    ask(page, "Are you there?")
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached")
    expect(page.locator("#notice")).to_contain_text("The server cannot be reached")


def test_the_end_of_an_answer_is_in_sight_unless_the_reader_has_scrolled_up(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 360, "height": 400})
    page.goto(server.url)
    ask(page, "Go on and on.")
    expect(page.locator(".answer .foot")).to_be_in_viewport(timeout=30_000)
    page.locator("#chat .scroll").hover()
    page.mouse.wheel(0, -5000)
    expect(page.locator(".question")).to_be_in_viewport()


def test_what_cannot_be_read_aloud_is_told(page: Page, server: Server) -> None:
    page.goto(server.url)
    ask(page, "Hello.")
    page.route("**/v1/audio/speech", lambda route: route.fulfill(status=429, json={"error": {"message": "Too much to say."}}))
    page.get_by_role("button", name="Read aloud").click()
    expect(page.get_by_role("alert")).to_contain_text("It cannot be read aloud: Too much to say. Try again in a moment.")


def test_an_answer_is_read_aloud(page: Page, server: Server) -> None:
    page.goto(server.url)
    ask(page, "Tell me something.")
    page.get_by_role("button", name="Read aloud").click()
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")
    page.get_by_role("button", name="Stop the sound").click()
    expect(page.locator("#player")).to_have_attribute("data-state", "silent")


def test_answers_are_read_aloud_by_themselves_if_wanted(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Read answers aloud").check()
    page.get_by_role("button", name="Done").click()
    with page.expect_request("**/v1/audio/speech") as spoken:
        ask(page, "Tell me something.")
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")
    assert spoken.value.post_data_json["response_format"] == "pcm"
