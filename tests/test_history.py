"""The conversation as the model is told it."""

from __future__ import annotations

import pytest

from models.errors import InvalidInput
from tests.test_spoken import ANSWER, told
from voice.history import History, Said, ToolCall, ToolResult


def history() -> History:
    made = History()
    made.add(Said("a", "user", "What time is it?"))
    made.add(Said("b", "assistant", "It is late. Go home now.", told(ANSWER)))
    return made


def test_messages_are_those_of_a_chat() -> None:
    assert history().messages("Be brief.") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What time is it?"},
        {"role": "assistant", "content": "It is late. Go home now."},
    ]


def test_an_answer_is_cut_to_what_was_heard() -> None:
    talk = history()
    item = talk.get("b")
    assert isinstance(item, Said)
    assert item.cut(1.3) == "It is late. Go"
    assert talk.messages()[-1]["content"] == "It is late. Go"


def test_a_second_cut_can_give_back_what_the_first_took() -> None:
    item = history().get("b")
    assert isinstance(item, Said)
    item.cut(0.2)
    assert item.cut(1.0) == "It is late."


def test_an_answer_of_which_nothing_was_heard_is_no_message() -> None:
    talk = history()
    item = talk.get("b")
    assert isinstance(item, Said)
    item.cut(0)
    assert [message["role"] for message in talk.messages()] == ["user"]


def test_what_was_not_spoken_cannot_be_cut() -> None:
    with pytest.raises(InvalidInput, match="was not spoken"):
        Said("x", "user", "Hello").cut(1)


def test_what_is_not_transcribed_yet_is_no_message() -> None:
    talk = history()
    talk.add(Said("c", "user"))
    assert len(talk.messages()) == 2


def test_calls_of_tools_go_with_the_message_before_them_and_their_results_follow() -> None:
    talk = history()
    talk.add(ToolCall("c", "call_1", "clock", "{}"))
    talk.add(ToolCall("d", "call_2", "door", '{"open":true}'))
    talk.add(ToolResult("e", "call_1", "22:10"))
    assistant, result = talk.messages()[1:]
    assert assistant["content"] == "It is late. Go home now."
    assert [call["id"] for call in assistant["tool_calls"]] == ["call_1", "call_2"]
    assert assistant["tool_calls"][1]["function"] == {"name": "door", "arguments": '{"open":true}'}
    assert result == {"role": "tool", "tool_call_id": "call_1", "content": "22:10"}


def test_an_empty_result_is_a_message_too() -> None:
    talk = History([ToolCall("c", "call_1", "clock", "{}"), ToolResult("e", "call_1", "")])
    assert [message["role"] for message in talk.messages()] == ["assistant", "tool"]


def test_items_have_their_places() -> None:
    talk = history()
    assert talk.add(Said("first", "system", "Hi"), "root") is None
    assert talk.add(Said("middle", "user", "And?"), "a") == "a"
    assert talk.add(Said("last", "user", "Well?")) == "b"
    assert [item.id for item in talk] == ["first", "a", "middle", "b", "last"]
    assert talk.before("first") is None
    assert talk.before("middle") == "a"
    talk.remove("a")
    assert [item.id for item in talk] == ["first", "middle", "b", "last"]


def test_names_that_do_not_fit_are_refused() -> None:
    talk = history()
    with pytest.raises(InvalidInput, match="already"):
        talk.add(Said("a", "user", "Again"))
    for call in (lambda: talk.get("z"), lambda: talk.remove("z"), lambda: talk.add(Said("n", "user", ""), "z"), lambda: talk.before("z")):
        with pytest.raises(InvalidInput, match="no item 'z'"):
            call()
