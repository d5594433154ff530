"""Every route of the OpenAPI page, given what fits its schema and what does not: the page is true, and nothing is a 500."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from tests.fuzzing import examples, tried
from tests.recordings import recording, tone
from tests.servers import Server

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
READ = ("/v1/models", "/v1/status", "/v1/audio/voices", "/version")
NAMED = ("/v1/models/{name}",)
ASKED = (
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/generate",
    "/v1/chat/completions",
    "/v1/completions",
    "/tokenize",
)
RIGHT: dict[str, dict[str, Any]] = {
    "/v1/audio/speech": {"model": "tts-1", "voice": "alloy"},
    "/v1/audio/transcriptions": {"model": "whisper-1", "file": recording("ogg", tone(0.3))},
    "/v1/audio/translations": {"model": "whisper-1", "file": recording("wav", tone(0.3))},
    "/v1/chat/completions": {"model": "mock-text", "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 5},
    "/v1/completions": {"model": None, "prompt": "Hello.", "max_tokens": 5},
    "/generate": {"prompt": "Hello.", "messages": None},
}
"""What hypothesis would hardly find: with some of these a request gets past its first check."""


@pytest.fixture(scope="module")
def page(server: Server) -> Any:
    return openapi.from_url(f"{server.url}/openapi.json")


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def test_the_page_has_every_route(page: Any) -> None:
    assert sorted(operation.ok().path for operation in page.get_all_operations()) == sorted((*READ, *NAMED, *ASKED))


@pytest.mark.parametrize("path", READ)
def test_what_is_read_is_as_the_page_says(page: Any, server: Server, session: requests.Session, path: str) -> None:
    check(page[path]["GET"].Case(), server, session)


@pytest.mark.parametrize("path", NAMED)
def test_no_name_is_more_than_unknown(page: Any, server: Server, session: requests.Session, path: str) -> None:
    @given(page[path]["GET"].as_strategy())
    @examples(5)
    def run(case: Case) -> None:
        check(case, server, session)

    run()


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("path", ASKED)
def test_whatever_is_sent_the_answer_is_one_that_the_page_tells(
    page: Any, server: Server, session: requests.Session, path: str, mode: GenerationMode
) -> None:
    right = RIGHT.get(path, {})

    @given(page[path]["POST"].as_strategy(generation_mode=mode), st.sets(st.sampled_from(sorted(right))) if right else st.just(set()))
    @examples(8)
    def run(case: Case, kept: set[str]) -> None:
        if isinstance(case.body, dict):
            case.body = case.body | {name: right[name] for name in kept}
        check(case, server, session)

    run()


def check(case: Case, server: Server, session: requests.Session) -> None:
    response = case.call(base_url=server.url, session=session, timeout=60)
    tried(f"{case.method} {case.operation.path}", f"{response.status_code // 100}xx")
    case.validate_response(response, checks=CHECKS)
