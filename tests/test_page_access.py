"""The page for everybody: axe-core finds nothing serious, all of it works by keyboard, and it fits a narrow screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browsing import hold, tab
from tests.servers import ROOT, Server, serve

SCREENS = ("chat", "talk", "voices", "figures")
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}},
}
# Spoken for half a minute.
LASTING = "The fire burns low and even. " * 18
AXE = (ROOT / "tests" / "vendor" / "axe.min.js").read_text()
FAULTS = """async () => (await axe.run()).violations.filter(({impact}) => ["serious", "critical"].includes(impact))
  .map(({id, nodes}) => `${id}: ${nodes.map(({html}) => html).join(" ")}`)"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    reply = "# Fire\n\nAir, *heat* and [wood](https://example.org).\n\n```py\nburn()\n```\n\n|a|b|\n|-|-|\n|1|2|\n\n" + LASTING
    with serve("mock", FIRESIDE_TEXT__MOCK__REPLIES=json.dumps([reply] * 40)) as running:
        yield running


def chat(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_label("Your message").fill("What does a fire need?")
    page.keyboard.press("Enter")
    expect(page.locator(".answer .foot")).to_be_visible()


def faults(page: Page) -> list[str]:
    page.evaluate(AXE)
    found: list[str] = page.evaluate(FAULTS)
    return found


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_serious_on_any_screen(browser: Any, server: Server, look: str) -> None:
    with tab(browser, reduced_motion="reduce", **LOOKS[look]) as page:
        page.goto(server.url)
        found = faults(page)
        chat(page, server)
        for screen in SCREENS:
            page.evaluate("screen => location.hash = screen", screen)
            expect(page.locator(f"#{screen}")).to_be_visible()
            expect(page.locator("#engines li")).to_have_count(3)
            found += faults(page)
        page.get_by_role("button", name="Settings").click()
        found += faults(page)
        assert found == []


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_serious_while_one_talks(browser: Any, server: Server, look: str) -> None:
    with tab(browser, reduced_motion="reduce", **LOOKS[look]) as page:
        page.goto(f"{server.url}/#talk")
        page.get_by_text("Hold to talk").first.click()
        page.get_by_role("button", name="Start talking").click()
        found = in_state(page, "Hold to talk")
        page.locator("#main").focus()
        page.keyboard.down("Space")
        found += in_state(page, "Hearing you")
        page.keyboard.up("Space")
        found += in_state(page, "Speaking")
        page.get_by_role("button", name="Mute the microphone").click()
        page.get_by_role("button", name="Interrupt the answer").click()
        found += in_state(page, "Muted")
        assert found == []


def in_state(page: Page, words: str) -> list[str]:
    """The faults while the talk is in this state, and it still is when they are found."""
    expect(page.locator("#talk-state")).to_have_text(words)
    found = faults(page)
    expect(page.locator("#talk-state")).to_have_text(words)
    return found


@pytest.mark.parametrize("width", [320, 360, 768])
def test_nothing_is_wider_than_the_screen(browser: Any, server: Server, width: int) -> None:
    with tab(browser, viewport={"width": width, "height": 700}) as page:
        chat(page, server)
        for screen in SCREENS:
            page.evaluate("screen => location.hash = screen", screen)
            expect(page.locator(f"#{screen}")).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert page.evaluate("document.querySelector('main').scrollWidth") <= width
        page.get_by_role("button", name="Settings").click()
        assert page.evaluate("(({scrollWidth, clientWidth}) => scrollWidth - clientWidth)(document.querySelector('dialog'))") == 0


def focused(page: Page) -> str:
    """What has the focus, as a screen reader names it; it can be seen."""
    told: tuple[str, bool] = page.evaluate(
        """() => { const at = document.activeElement; const label = at.labels?.[0]?.textContent;
           const seen = getComputedStyle(at).outlineStyle !== "none" || at.closest(".composer:focus-within, .switch");
           return [(at.getAttribute("aria-label") || label || at.textContent).trim(), Boolean(seen)]; }"""
    )
    assert told[1], f"the focus on {told[0]} cannot be seen"
    return told[0]


def walk(page: Page) -> list[str]:
    """All that Tab comes to, from the beginning of the page until it leaves it."""
    stops: list[str] = []
    while True:
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body") or len(stops) > 40:
            return stops
        stops.append(focused(page))


def test_tab_comes_to_everything_on_the_chat(page: Page, server: Server) -> None:
    page.goto(server.url)
    expect(page.locator("#engines li")).to_have_count(3)
    stops = walk(page)
    expected = ["Skip to the content", "Fireside", "Chat", "Talk", "Voices", "Figures", "Use the dark theme", "Settings", "New chat"]
    assert stops[: len(expected)] == expected
    assert stops[-2:] == ["Your message", "Send"]


def test_a_whole_turn_by_keyboard_alone(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    while focused(page) != "Your message":
        page.keyboard.press("Tab")
    page.keyboard.type("Hello.")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("Who are you?")
    page.keyboard.press("Enter")
    expect(page.locator(".question .said")).to_have_text("Hello.\nWho are you?")
    expect(page.locator(".answer .foot")).to_be_visible()


def test_who_skips_to_the_content_stays_on_the_screen(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/#voices")
    page.get_by_text("Skip to the content").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    expect(page.locator("#voices")).to_be_visible()


def test_the_screen_that_is_shown_is_told_in_the_list_of_them(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/#voices")
    expect(page.locator("nav [aria-current=page]")).to_have_text("Voices")
    page.get_by_role("link", name="Figures").click()
    expect(page.locator("nav [aria-current]")).to_have_text("Figures")


def tab_to(page: Page, name: str) -> None:
    page.keyboard.press("Tab")
    while focused(page) != name:
        page.keyboard.press("Tab")


def test_a_talk_by_keyboard_alone(page: Page, server: Server) -> None:
    page.goto(server.url)
    tab_to(page, "Talk")
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    tab_to(page, "Start talking")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="End")).to_be_visible()
    expect(page.locator("#talk-state")).to_have_text("Listening")
    hold(page)
    expect(page.locator("#talk-state")).to_have_text("Speaking")
    tab_to(page, "Interrupt the answer")
    page.keyboard.press("Enter")
    expect(page.locator("#transcript .cut")).to_be_visible()
    expect(page.locator("#player")).to_have_attribute("data-state", "silent")


def test_nothing_moves_for_who_wants_no_motion(browser: Any, server: Server) -> None:
    assert frames(browser, server, "no-preference") > 1
    assert frames(browser, server, "reduce") == 1


def frames(browser: Any, server: Server, motion: str) -> int:
    """How many of ten frames of the fire are different; nothing is animated by the styles in any of them, if there is to be no motion."""
    with tab(browser, reduced_motion=motion) as page:
        page.goto(f"{server.url}/#talk")
        expect(page.locator("#engines li")).to_have_count(3)
        drawn, animated = page.evaluate(
            """async () => { const drawn = new Set(); let animated = 0;
               const next = () => new Promise(requestAnimationFrame);
               for (let frame = 0; frame < 3; frame++) await next(); // until the first is drawn
               for (let frame = 0; frame < 10; frame++) {
                 await next();
                 drawn.add(document.querySelector("#fire").toDataURL());
                 animated += document.getAnimations().length; }
               return [drawn.size, animated]; }"""
        )
        assert motion != "reduce" or animated == 0
        return int(drawn)


def test_the_settings_are_left_by_escape_and_the_focus_is_where_it_was(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="Settings").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert focused(page) == "Settings"


def test_the_theme_is_the_system_s_until_it_is_chosen(browser: Any, server: Server) -> None:
    with tab(browser, color_scheme="dark") as page:
        page.goto(server.url)
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.get_by_role("button", name="Use the light theme").click()
        page.reload()
        expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_what_is_written_is_announced_when_it_is_whole(page: Page, server: Server) -> None:
    chat(page, server)
    log = page.get_by_role("log", name="Messages")
    expect(log).to_have_attribute("aria-live", "polite")
    expect(log).to_have_attribute("aria-busy", "false")
    assert page.get_by_role("status").count() >= 1
