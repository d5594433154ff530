"""The voices of the page are heard: what the audio clock played is what the server sent. Figures and notices, too."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.servers import Server, serve

TEXT = "Good evening. Sit down."


def seconds(server: Server) -> float:
    wanted = {"model": "tts-1", "voice": "mock-low", "input": TEXT, "response_format": "pcm"}
    return len(httpx.post(f"{server.url}/v1/audio/speech", json=wanted).content) / 48000


def test_a_voice_is_heard_to_its_end(page: Page, server: Server) -> None:
    page.route("**/v1/audio/speech", lambda route: route.fulfill(response=route.fetch()))  # all at once, so that it cannot run dry
    page.goto(f"{server.url}/#voices")
    page.get_by_label("What they say").fill(TEXT)
    page.get_by_role("button", name="Hear mock-low").click()
    expect(page.locator("[data-voice=mock-low]")).to_have_class("card voice speaking")
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")
    expect(page.locator("[data-voice=mock-low]")).to_have_class("card voice", timeout=30_000)
    assert float(page.locator("#player").get_attribute("data-played") or 0) == pytest.approx(seconds(server), abs=0.01)
    assert page.locator("#player").get_attribute("data-underruns") == "0"


def test_a_pause_while_more_is_made_is_no_end(page: Page) -> None:
    with serve("mock", FIRESIDE_SPEECH__MOCK__REALTIME_FACTOR="3") as slow:
        page.goto(f"{slow.url}/#voices")
        page.get_by_label("What they say").fill(TEXT)
        page.evaluate(
            """() => { window.marks = [];
               const mark = () => window.marks.push(document.querySelector(".voice.speaking") !== null);
               new MutationObserver(mark).observe(document.querySelector("#player"), {attributeFilter: ["data-state"]}); }"""
        )
        page.get_by_role("button", name="Hear mock-low").click()
        page.wait_for_function("() => document.querySelector('#player').dataset.underruns > 0")
        expect(page.locator("[data-voice=mock-low]")).to_have_class("card voice", timeout=30_000)
        assert page.evaluate("window.marks.slice(0, -1).every(Boolean)"), page.evaluate("window.marks")


def test_a_voice_is_stopped(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/#voices")
    page.get_by_role("button", name="Hear mock-low").click()
    page.get_by_role("button", name="Stop mock-low").click()
    expect(page.get_by_role("button", name="Hear mock-low")).to_be_visible()
    expect(page.locator("#player")).to_have_attribute("data-state", "silent")


def test_voices_are_found_by_language_and_chosen(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/#voices")
    page.get_by_label("Find a voice").fill("mock-h")
    expect(page.locator("#voice-count")).to_have_text("1 of 2 voices")
    page.get_by_role("button", name="Choose mock-high").click()
    page.reload()
    expect(page.get_by_role("button", name="Choose mock-high")).to_have_attribute("aria-pressed", "true")


def test_figures_show_what_was_measured_and_what_runs(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_label("Your message").fill("Hello.")
    page.keyboard.press("Enter")
    expect(page.locator(".answer .foot")).to_be_visible()
    page.get_by_role("link", name="Figures").click()
    expect(page.locator(".gauge").first).to_contain_text(" ms")
    expect(page.locator("#engine-cards [data-state=ready]")).to_have_count(3)
    expect(page.locator("#meters")).to_contain_text("GiB")


@pytest.fixture(scope="module")
def loading() -> Iterator[Server]:
    """Speech takes an hour to load."""
    with serve("mock", wait="/livez", FIRESIDE_SPEECH__MOCK__LOAD_SECONDS="3600", FIRESIDE_SPEECH__START_TIMEOUT="3600") as running:
        yield running


def test_an_engine_that_loads_is_told(page: Page, loading: Server) -> None:
    page.goto(f"{loading.url}/#voices")
    expect(page.locator("#notice")).to_contain_text("Speech")
    expect(page.locator("#notice")).to_contain_text("loading")
    expect(page.locator("#voice-list")).to_contain_text("not ready")


def test_an_engine_that_has_failed_is_told_with_its_reason(page: Page, server: Server) -> None:
    engine = {"kind": "speech", "name": "speech", "state": "failed", "detail": "its weights are missing", "running": 0, "waiting": 0}
    machine = {"memory": {"used": 1 << 30, "total": 2 << 30}, "gpus": [{"name": "NVIDIA L4", "used": 3 << 30, "total": 24 << 30}]}
    answer = {"ready": False, "engines": {"speech": engine}, "machine": machine}
    page.route("**/v1/status", lambda route: route.fulfill(json=answer))
    page.goto(f"{server.url}/#figures")
    expect(page.locator("#notice")).to_contain_text("Speech has failed: its weights are missing")
    expect(page.locator("#meters")).to_contain_text("NVIDIA L4")
    expect(page.locator("#meters")).to_contain_text("3.0 of 24 GiB")
