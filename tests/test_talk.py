"""What a conversation at the terminal remembers, and what is drawn of an answer."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from commands import show
from commands.asking import Asker
from commands.talk import Quit, Talk
from commands.telling import settled, telling
from models.errors import EngineFailed, InvalidInput


@pytest.mark.anyio
async def test_a_server_that_loads_is_asked_again() -> None:
    event = b'data: {"choices": [{"delta": {"content": "Good evening."}}]}\n\ndata: [DONE]\n\n'
    waits: list[str] = []
    answers = [
        httpx.Response(503, headers={"Retry-After": "1"}, json={"error": {"message": "the text engine is loading"}}),
        httpx.Response(200, content=event),
    ]
    assert await asked(answers, waits) == ["Good evening."]
    assert waits == ["the text engine is loading"]


async def asked(answers: list[httpx.Response], waits: list[str]) -> list[Any]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answers.pop(0)), base_url="http://server") as client:
        return [piece async for piece in Asker(client, "", waits.append).ask([{"role": "user", "content": "Hello"}])]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b'data: {"choices": [{"delta": {"content": "Good"}}]}\n\n'),
        httpx.Response(200, content=b'data: {"choices": [{"delta": {"content": "Good"}}]}\n\ndata: {"cho'),
        httpx.Response(200, content=b"<html>Welcome to nginx</html>"),
        httpx.Response(301, headers={"Location": "https://server"}),
    ],
)
async def test_an_answer_without_an_end_is_not_taken_for_a_whole_one(answer: httpx.Response) -> None:
    with pytest.raises(EngineFailed, match="http://server"):
        await asked([answer], [])


def test_an_answer_of_which_nothing_came_leaves_no_trace() -> None:
    talk = Talk("Be brief.")
    talk.keep("Hello", "")
    assert talk.messages("Hi") == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]


def test_it_is_saved_as_markdown(tmp_path: Path) -> None:
    talk = Talk("Be brief.")
    talk.keep("Hello", "Good evening.")
    talk.save(tmp_path / "talk.md")
    assert (tmp_path / "talk.md").read_text() == "## System\n\nBe brief.\n\n## You\n\nHello\n\n## Fireside\n\nGood evening.\n"


def test_what_cannot_be_saved_is_told(tmp_path: Path) -> None:
    talk = Talk()
    with pytest.raises(InvalidInput, match="nothing has been said"):
        talk.save(tmp_path / "talk.md")
    talk.keep("Hello", "Hi")
    with pytest.raises(InvalidInput, match="cannot be written"):
        talk.save(tmp_path / "no" / "talk.md")


def test_commands() -> None:
    talk = Talk()
    assert talk.obey("/system Be brief.", ()) == "system: Be brief."
    assert talk.obey("/system -", ()) == "no system message"
    assert talk.obey("/voice", ("a", "b")) == "answers are not spoken; voices: a, b"
    assert (talk.obey("/voice default", ()), talk.voice) == ("answers are spoken by the default voice", "")
    assert "/save FILE" in talk.obey("/help", ())
    with pytest.raises(Quit):
        talk.obey("/quit", ())
    with pytest.raises(InvalidInput, match="put a blank before it"):
        talk.obey("/etc/passwd", ())


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("One.\n\nTwo", "Two"),
        ("One.\nTwo", "One.\nTwo"),
        ("```python\na = 1\n\nb", "```python\na = 1\n\nb"),
        ("```\na\n\nb\n```\n\nNow", "Now"),
        ("One.\n\n", ""),
        ("", ""),
    ],
)
def test_a_paragraph_is_settled_once_the_next_may_begin(text: str, last: str) -> None:
    assert settled(text) == (text.removesuffix(last), last)


DRIVES = "a\x1b]0;title\x07 b\x1b[2J c\x9b2J d\x1bc e\x08\x7f\n\n```\nf\x1b]52;c;AAAA\x07\n```\n\n`g\x1b[6n`"
OURS = re.compile(r"\x1b\[[0-9;]*[mKA]|\x1b\[\?25[lh]|\x1b\]8;[^\x1b]*\x1b\\\\")
"""Colours, lines drawn anew, the cursor hidden while they are, and links."""


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_an_answer_cannot_drive_the_terminal(step: int) -> None:
    seen = io.StringIO()
    with telling(Console(file=seen, force_terminal=True, width=80)) as page:
        for at in range(0, len(DRIVES), step):
            page(DRIVES[at : at + step])
    drawn = OURS.sub("", seen.getvalue())
    assert not re.search(r"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f]", drawn), drawn
    for letter in "abcdefg":
        assert letter in drawn


def test_nor_can_the_words_of_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    show.say("system: \x1b[2J")
    show.fail("no model \x9b2J[bold]")
    out, err = capsys.readouterr()
    assert (out, err) == ("system: ␛[2J\n", "error: no model \N{REPLACEMENT CHARACTER}2J[bold]\n")


def test_an_answer_in_a_file_is_as_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    with telling(Console(file=io.StringIO())) as page:
        page("a\x1b[1m")
    assert capsys.readouterr().out == "a\x1b[1m\n"


@given(st.text(alphabet="a`~\n "))
def test_nothing_is_lost(text: str) -> None:
    assert "".join(settled(text)) == text
