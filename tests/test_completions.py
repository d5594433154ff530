"""How many answers one request may ask for, and how much of a text that its context does not bound."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.servers import Server

LIMIT = 1024


def ask(server: Server, **body: Any) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/completions", json={"max_tokens": 1, **body}, timeout=60)


@pytest.mark.parametrize(
    ("asked", "answers"),
    [
        ({"prompt": [""] * 100_000}, 100_000),
        ({"prompt": ["a"] * (LIMIT + 1)}, LIMIT + 1),
        ({"prompt": [[1]] * (LIMIT + 1)}, LIMIT + 1),
        ({"prompt": ["a"] * 9, "n": 128}, 9 * 128),
    ],
    ids=["empty prompts", "prompts", "prompts of tokens", "prompts times n"],
)
def test_more_answers_than_the_limit_are_refused(server: Server, asked: dict[str, Any], answers: int) -> None:
    answer = ask(server, **asked)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert f"at most {LIMIT} answers" in error["message"]
    assert f"a request for {answers}:" in error["message"]
    assert (error["type"], error["param"]) == ("invalid_request_error", "prompt")


PROMPTS = b'{"max_tokens": 1, "prompt": [' + b'"a",' * 8 + b'"a"], '


@pytest.mark.parametrize("written", [b'"\\u006e": 128}', b'"n": "128"}', b'"n": 128.0}', b'"n": 128, "x": NaN}'])
def test_no_way_to_write_a_number_goes_around_the_limit(server: Server, written: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = httpx.post(f"{server.url}/v1/completions", content=PROMPTS + written, headers=headers)
    assert answer.status_code == 400
    assert f"a request for {9 * 128}:" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["completions", "chat/completions"])
def test_a_number_of_any_length_is_refused(server: Server, path: str) -> None:
    asked = {"prompt": ["a"] * 10, "messages": [{"role": "user", "content": "Hi."}], "n": "9" * 4300}
    answer = httpx.post(f"{server.url}/v1/{path}", json=asked)
    assert answer.status_code == 400
    assert "more than can be told" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "param"), [("v1/embeddings", "input"), ("rerank", "documents"), ("score", "text_2"), ("classify", "input")]
)
def test_more_inputs_than_openai_s_limit_are_refused(server: Server, path: str, param: str) -> None:
    """The mock embeds nothing: it has none of these routes."""
    answer = httpx.post(f"{server.url}/{path}", json={param: ["a"] * 2049})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert "at most 2048" in answer.json()["error"]["message"]
    for fits in (["a"] * 2048, [1] * 5000, "a" * 5000):
        assert httpx.post(f"{server.url}/{path}", json={param: fits}).status_code == 404


LONG = "word " * 900_000
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * (5 << 20)}


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("tokenize", {"prompt": LONG}),
        ("tokenize", {"messages": [{"role": "user", "content": LONG}]}),
        ("v1/messages/count_tokens", {"messages": [{"role": "user", "content": LONG}]}),
        ("v1/completions", {"prompt": LONG, "truncate_prompt_tokens": -1}),
        ("v1/chat/completions", {"messages": [{"role": "user", "content": LONG}], "truncate_prompt_tokens": 5}),
        ("v1/responses", {"input": LONG, "truncation": "auto"}),
        ("v1/embeddings", {"input": LONG, "truncate_prompt_tokens": 1}),
    ],
)
def test_a_text_that_the_context_does_not_bound_is_not_read_for_ever(server: Server, path: str, asked: dict[str, Any]) -> None:
    answer = httpx.post(f"{server.url}/{path}", json=asked, timeout=60)
    assert answer.status_code == 400
    assert "at most 4194304 are taken" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("v1/responses", {"input": [{"role": "user", "content": [IMAGE]}], "truncation": "auto"}),
        ("v1/responses", {"input": LONG, "truncation": "disabled"}),
        ("v1/completions", {"prompt": LONG, "max_tokens": 1}),
        ("tokenize", {"messages": [{"role": "user", "content": [IMAGE]}]}),
    ],
)
def test_an_image_is_no_text_and_the_context_bounds_all_others(server: Server, path: str, asked: dict[str, Any]) -> None:
    assert "are taken" not in httpx.post(f"{server.url}/{path}", json=asked, timeout=60).text


def test_answers_of_a_chat_count_too(server: Server) -> None:
    asked = {"messages": [{"role": "user", "content": "Hi."}], "n": LIMIT + 1}
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=asked)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "n")


@pytest.mark.parametrize(
    ("asked", "answers"),
    [
        ({"prompt": ["a"] * LIMIT}, LIMIT),
        ({"prompt": ["a"] * 8, "n": 128}, LIMIT),
        ({"prompt": [1] * 2000}, 1),
        ({"prompt": "a" * 5000}, 1),
        ({"prompt": "a", "n": None}, 1),
    ],
    ids=["prompts", "prompts times n", "one prompt of tokens", "one long prompt", "n of null"],
)
def test_as_many_as_the_limit_are_answered(server: Server, asked: dict[str, Any], answers: int) -> None:
    answer = ask(server, **asked)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["choices"]) == answers


@pytest.mark.parametrize("body", [b"n" * 5000, b'["n"]', b'{"n": "many", "prompt": {}}'])
def test_what_cannot_be_counted_is_the_engine_s_to_refuse(server: Server, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = httpx.post(f"{server.url}/v1/completions", content=body, headers=headers)
    assert answer.status_code == 400
    assert "limits.max_answers" not in answer.text


def test_a_long_name_of_a_model_is_told_by_its_beginning(server: Server) -> None:
    answer = httpx.get(f"{server.url}/v1/models/{'a' * 20_000}")
    assert answer.status_code == 404
    assert len(answer.text) < 1000
    assert "`" + "a" * 200 + "…`" in answer.json()["error"]["message"]
