"""Whatever comes on vLLM's routes, real ones, never gets a 500. `make test` has many more cases for the mock's."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from schemathesis import Case, GenerationMode, openapi

from tests.fuzzing import examples, tried
from tests.servers import Server

MODEL = "smollm2-135m-instruct"
ROUTES = (
    "/generate",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/tokenize",
    "/detokenize",
)
SHORT: dict[str, tuple[str, ...]] = {
    "/v1/chat/completions": ("max_tokens", "max_completion_tokens"),
    "/v1/responses": ("max_output_tokens",),
    "/v1/messages/count_tokens": (),
    "/tokenize": (),
    "/detokenize": (),
}

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def page(real_server: Server) -> Any:
    return openapi.from_url(f"{real_server.url}/openapi.json")


@pytest.mark.timeout(200)
@pytest.mark.parametrize("path", ROUTES)
def test_whatever_comes_is_answered_or_refused(page: Any, real_server: Server, path: str) -> None:
    seen: Counter[int] = Counter()

    for mode in GenerationMode:

        @given(page[path]["POST"].as_strategy(generation_mode=mode))
        @examples(6)
        def run(case: Case) -> None:
            if isinstance(case.body, dict):
                case.body = case.body | ({"model": MODEL} if "model" in case.body else {}) | _short(path)
            answer = case.call(base_url=real_server.url, timeout=60)
            tried(f"{case.method} {path} of vLLM", f"{answer.status_code // 100}xx")
            seen[answer.status_code] += 1
            assert answer.status_code < 500, answer.text

        run()
    assert seen.total() >= 8
    assert real_server.status("/readyz") == 200


def _short(path: str) -> dict[str, int]:
    """Not to wait for the longest answer that there can be."""
    return dict.fromkeys(SHORT.get(path, ("max_tokens",)), 5)
