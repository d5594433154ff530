"""What a conversation at the terminal remembers, and what is drawn of an answer."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.asking import Asker
from commands.talk import Quit, Talk
from commands.telling import settled
from models.errors import InvalidInput


@pytest.mark.anyio
async def test_a_server_that_loads_is_asked_again() -> None:
    event = b'data: {"choices": [{"delta": {"content": "Good evening."}}]}\n\ndata: [DONE]\n\n'
    answers = [
        httpx.Response(503, headers={"Retry-After": "1"}, json={"error": {"message": "the text engine is loading"}}),
        httpx.Response(200, content=event),
    ]
    waits: list[str] = []
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answers.pop(0)), base_url="http://server") as client:
        pieces = [piece async for piece in Asker(client, "", waits.append).ask([{"role": "user", "content": "Hello"}])]
    assert (pieces, waits) == (["Good evening."], ["the text engine is loading"])


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


@given(st.text(alphabet="a`~\n "))
def test_nothing_is_lost(text: str) -> None:
    assert "".join(settled(text)) == text
