"""Who comes in: keys, scopes, hosts and origins, and how much they may bring. What is behind the door is an app that answers anything."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import body
from api.app import in_front
from api.body import check_depth
from models.errors import InvalidInput
from settings import Settings, keys_file

ALICE, BOB, PROBE = "fs-alice", "fs-bob", "fs-probe"

Ask = Callable[..., Awaitable[httpx.Response]]
SCOPES = {ALICE: ["text", "speech", "listening"], BOB: ["speech"], PROBE: ["admin"]}
KEYS = {name: {"hash": keys_file.hashed(key), "scopes": SCOPES[key]} for name, key in (("alice", ALICE), ("bob", BOB), ("probe", PROBE))}

EVE = {"hash": keys_file.hashed("fs-eve"), "scopes": ["text"]}


async def behind(scope: Any, receive: Any, send: Any) -> None:
    """Tells what came through."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    told = {"key": scope["fireside.key"], "headers": [name.decode() for name, _ in scope["headers"]], "bytes": len(body)}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


def asking(home: Path, client: str = "127.0.0.1", **settings: Any) -> Ask:
    app: Any = in_front(behind, Settings(home=home, **settings))

    async def ask(path: str, method: str = "GET", **given: Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(client, 1)), base_url="http://localhost:3000") as sender:
            return await sender.request(method, path, **given)

    return ask


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    return asking(tmp_path, access={"keys": KEYS}, client="10.0.0.9")


def told(answer: httpx.Response) -> tuple[int, str | None, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


@pytest.mark.parametrize("header", [{"Authorization": f"Bearer {ALICE}"}, {"Authorization": f"bearer {ALICE}"}, {"X-API-Key": ALICE}])
@pytest.mark.anyio
async def test_a_key_comes_in_by_either_header_and_is_seen_no_further(ask: Ask, header: dict[str, str]) -> None:
    answer = await ask("/v1/models", headers=header)
    assert answer.json()["key"] == "alice"
    assert not {"authorization", "x-api-key"} & set(answer.json()["headers"])


@pytest.mark.parametrize("path", ["/v1/models", "/v1/status", "/generate", "/metrics", "/docs", "/openapi.json", "/nothing", "/healthz"])
@pytest.mark.anyio
async def test_without_a_key_nothing_is_open(ask: Ask, path: str) -> None:
    answer = await ask(path)
    status, code, message = told(answer)
    assert (status, code) == (401, "invalid_api_key")
    assert "Authorization: Bearer" in message
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/", "/web/main.js", "/livez", "/readyz"])
@pytest.mark.anyio
async def test_what_tells_nothing_is_open(ask: Ask, path: str) -> None:
    assert (await ask(path)).status_code == 200


@pytest.mark.parametrize("path", ["/web/../v1/models", "//v1/models", "/v1//models", "/V1/models", "/livez/", "/readyz?x=1&y=/v1/models"])
@pytest.mark.anyio
async def test_no_spelling_of_a_path_goes_around_the_door(ask: Ask, path: str) -> None:
    answer = await ask(path)
    assert answer.status_code == (200 if answer.url.path in ("/readyz", "/livez") else 401)


@pytest.mark.anyio
async def test_a_key_that_is_none_is_refused(ask: Ask) -> None:
    for wrong in ("fs-alicE", "", "sha256:" + "0" * 64, KEYS["alice"]["hash"], "é"):
        assert (await ask("/v1/models", headers={"Authorization": f"Bearer {wrong}".encode()})).status_code == 401


@pytest.mark.parametrize(
    ("path", "opens"),
    [
        ("/v1/chat/completions", {ALICE}),
        ("/v1/responses/resp_1/cancel", {ALICE}),
        ("/tokenize", {ALICE}),
        ("/v1/audio/speech", {ALICE, BOB}),
        ("/v1/audio/transcriptions", {ALICE}),
        ("/v1/realtime", {ALICE}),
        ("/v1/audio/voices", {ALICE, BOB, PROBE}),
        ("/v1/models", {ALICE, BOB, PROBE}),
        ("/metrics", {PROBE}),
    ],
)
@pytest.mark.anyio
async def test_each_scope_opens_its_own_routes(ask: Ask, path: str, opens: set[str]) -> None:
    answers = {key: await ask(path, headers={"X-API-Key": key}) for key in SCOPES}
    assert {key for key, answer in answers.items() if answer.status_code == 200} == opens
    assert {told(answer)[:2] for answer in answers.values() if answer.status_code != 200} <= {(403, "insufficient_permissions")}


@pytest.mark.anyio
async def test_metrics_can_be_opened(tmp_path: Path) -> None:
    ask = asking(tmp_path, access={"keys": KEYS, "metrics": "open"})
    assert (await ask("/metrics")).status_code == 200


@pytest.mark.anyio
async def test_without_keys_only_this_machine_is_served(tmp_path: Path) -> None:
    for client in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
        assert (await asking(tmp_path, client)("/v1/models")).json()["key"] == ""
    for client in ("10.0.0.9", "192.168.1.2", "fe80::1", "::ffff:10.0.0.1"):
        status, _, message = told(await asking(tmp_path, client)("/v1/models"))
        assert status == 403
        assert "fireside keys add" in message
        assert "access.open" in message
    assert (await asking(tmp_path, "10.0.0.9", access={"open": True})("/v1/models")).status_code == 200


@pytest.mark.parametrize(
    "host", ["localhost:3000", "127.0.0.1", "[::1]:3000", "192.168.1.5:3000", "fireside:3000", "app.localhost", "me.example.com"]
)
@pytest.mark.anyio
async def test_its_own_names_are_right(tmp_path: Path, host: str) -> None:
    ask = asking(tmp_path, access={"hosts": ("*.example.com",)})
    assert (await ask("/v1/models", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.com", "localhost.evil.com", "127.0.0.1.evil.com:3000", "example.com", "evil.com:80@localhost", "[::1"]
)
@pytest.mark.anyio
async def test_a_name_from_elsewhere_is_refused(tmp_path: Path, host: str) -> None:
    ask = asking(tmp_path, access={"hosts": ("*.example.com",)})
    status, _, message = told(await ask("/v1/models", headers={"Host": host}))
    assert status == 403
    assert "access.hosts" in message or "no host" in message


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:3000", 200),
        ("http://127.0.0.1:5173", 200),
        ("https://chat.example.com", 200),
        ("https://evil.com", 403),
        ("null", 403),
        ("http://localhost.evil.com", 403),
        ("https://chat.example.com.evil.com", 403),
    ],
)
@pytest.mark.anyio
async def test_pages_from_elsewhere_are_refused(tmp_path: Path, origin: str, status: int) -> None:
    ask = asking(tmp_path, access={"origins": ("https://chat.example.com",)})
    assert (await ask("/v1/models", headers={"Origin": origin})).status_code == status


@pytest.mark.anyio
async def test_a_browser_is_told_of_no_origin_but_those_that_are_named(tmp_path: Path) -> None:
    asked = {
        "Origin": "https://chat.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    closed = await asking(tmp_path, access={"keys": KEYS})("/v1/chat/completions", "OPTIONS", headers=asked)
    assert "access-control-allow-origin" not in closed.headers
    ask = asking(tmp_path, access={"keys": KEYS, "origins": ("https://chat.example.com",)})
    allowed = await ask("/v1/chat/completions", "OPTIONS", headers=asked)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, "https://chat.example.com")
    refused = await ask("/v1/models", headers=asked)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://chat.example.com")
    assert (await ask("/v1/chat/completions", "OPTIONS", headers={**asked, "Origin": "https://evil.com"})).status_code == 400


@pytest.mark.anyio
async def test_every_answer_keeps_browsers_safe(ask: Ask) -> None:
    for answer in (await ask("/livez"), await ask("/v1/models")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["x-request-id"]


@pytest.mark.parametrize("sent", [b"x" * 2000, [b"x" * 700] * 3])
@pytest.mark.anyio
async def test_a_body_that_is_too_large_is_refused(tmp_path: Path, sent: Any) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in sent:
            yield piece

    ask = asking(tmp_path, limits={"max_body_bytes": 1024})
    assert (await ask("/generate", "POST", content=b"x" * 1024)).json()["bytes"] == 1024
    status, code, message = told(await ask("/generate", "POST", content=sent if isinstance(sent, bytes) else pieces()))
    assert (status, code) == (413, "request_too_large")
    assert "limits.max_body_bytes" in message


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
@pytest.mark.anyio
async def test_no_method_brings_a_body_that_is_too_large(tmp_path: Path, method: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 700

    ask = asking(tmp_path, limits={"max_body_bytes": 1024})
    assert told(await ask("/v1/chat/completions", method, content=pieces()))[0] == 413


@pytest.mark.anyio
async def test_a_body_that_comes_too_slowly_is_not_waited_for(tmp_path: Path) -> None:
    async def dripping() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    ask = asking(tmp_path, limits={"body_timeout": 0.1})
    status, code, message = told(await ask("/generate", "POST", content=dripping()))
    assert (status, code) == (408, "request_timeout")
    assert "16384 bytes a second" in message


@pytest.mark.anyio
async def test_json_in_another_encoding_is_refused(ask: Ask) -> None:
    body = '{"x": "\u2201", "a": [1]}'.encode("utf-16-le")
    status, _, message = told(await ask("/v1/chat/completions", "POST", content=body, headers={"X-API-Key": ALICE}))
    assert status == 400
    assert "expected JSON in UTF-8" in message


@pytest.mark.anyio
@pytest.mark.parametrize("came", [b"x", b""])
async def test_a_body_that_stops_coming_is_not_waited_for(tmp_path: Path, came: bytes) -> None:
    async def stalling() -> AsyncIterator[bytes]:
        if came:
            yield came
        await asyncio.Event().wait()

    ask = asking(tmp_path, limits={"body_timeout": 0.05})
    status, code, message = told(await ask("/generate", "POST", content=stalling()))
    assert (status, code) == (408, "request_timeout")
    assert message.startswith(f"{len(came)} bytes of the body came, and none for the last 0")
    assert "every 0.05 s (limits.body_timeout)" in message


@pytest.mark.anyio
async def test_a_key_s_limits_hold_before_its_bodies_are_taken_in(tmp_path: Path) -> None:
    """Else one that may run one request at a time could have any number in memory."""
    keys = {"alice": {**KEYS["alice"], "concurrency": 1}}
    ask = asking(tmp_path, access={"keys": keys})
    coming, over = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"{"
        coming.set()
        await over.wait()
        yield b"}"

    first = asyncio.create_task(ask("/generate", "POST", content=slowly(), headers={"X-API-Key": ALICE}))
    await coming.wait()
    refused = await ask("/generate", "POST", content=b"{}", headers={"X-API-Key": ALICE})
    assert told(refused)[:2] == (429, "rate_limit_exceeded")
    over.set()
    assert (await first).status_code == 200
    assert (await ask("/generate", "POST", content=b"{}", headers={"X-API-Key": ALICE})).status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize(("keyed", "share"), [(False, 1.0), (True, 0.5)])
async def test_large_bodies_have_room_for_so_many_and_small_ones_always(tmp_path: Path, keyed: bool, share: float) -> None:
    """One key's have half of it."""
    size = 2 * body.FREE
    asked = asking(tmp_path, limits={"max_body_bytes": size}, access={"keys": {**KEYS, "eve": EVE} if keyed else {}})
    most = int(share * size * body.AT_ONCE) // body.FREE  # what is free of each does not count

    def ask(*words: Any, key: str = ALICE, **given: Any) -> Awaitable[httpx.Response]:
        return asked(*words, headers={"X-API-Key": key} if keyed else {}, **given)

    coming, over = asyncio.Semaphore(0), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b" " * size
        coming.release()
        await over.wait()

    large = [asyncio.create_task(ask("/generate", "POST", content=slowly())) for _ in range(most)]
    for _ in large:
        await coming.acquire()
    status, code, message = told(await ask("/generate", "POST", content=b" " * size))
    assert (status, code) == (503, "overloaded")
    assert f"take {int(share * size * body.AT_ONCE)} bytes" in message
    assert (await ask("/generate", "POST", content=b"{}")).status_code == 200
    if keyed:
        assert (await ask("/generate", "POST", content=b" " * size, key="fs-eve")).status_code == 200
    over.set()
    assert {answer.status_code for answer in await asyncio.gather(*large)} == {200}
    assert (await ask("/generate", "POST", content=b" " * size)).status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/audio/speech", "/v1/audio/transcriptions", "/metrics", "/livez"])
@pytest.mark.parametrize("end", ["%0A", "%0a", "%0D%0A", "%09", "%7F"])
async def test_a_path_with_a_control_character_is_none(ask: Ask, path: str, end: str) -> None:
    """Starlette takes one that ends in a line feed for the route without it, whose scopes and limits it would not have."""
    assert told(await ask(path + end, "POST", headers={"X-API-Key": PROBE}))[0] == 400


@pytest.mark.anyio
async def test_a_deep_body_is_refused(ask: Ask) -> None:
    headers = {"X-API-Key": ALICE}
    fine = b'{"a": ' + b"[" * 99 + b'"]]{[[\\"[["' + b"]" * 99 + b"}"
    assert (await ask("/v1/chat/completions", "POST", content=fine, headers=headers)).json()["bytes"] == len(fine)
    assert told(await ask("/v1/chat/completions", "POST", content=b"[" * 101 + b"]" * 101, headers=headers))[0] == 400


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        (b"[]" * 500, True),
        (b'{"a": {"b": [1, {}]}}' * 60, True),
        (b'["' + b"[" * 500 + b'"]', True),
        (b'["\\"' + b"[" * 500 + b'"]', True),
        (b"[" * 101, False),
        (b"[" * 101 + b"]" * 101, False),
        (b'{"a":' * 101 + b"1" + b"}" * 101, False),
        (b'[{"a":' * 51 + b"1" + b"}]" * 51, False),
        (b"[" * 1_000_001, False),
        (b"[" + b"1," * 2_000_000 + b"1]", True),
        (b"[" + b"1," * 2_000_001 + b"1]", False),
        (b'["' + b"1," * 3_000_000 + b'"]', True),
    ],
)
def test_depth_is_counted_outside_of_texts(body: bytes, fits: bool) -> None:
    if fits:
        check_depth(body, 100)
    else:
        with pytest.raises(InvalidInput):
            check_depth(body, 100)


@given(
    st.recursive(st.text('"\\\\[]{},a', max_size=6), lambda inner: st.lists(inner) | st.dictionaries(st.text('"]\\\\'), inner)),
    st.integers(1, 9),
)
def test_the_depth_is_that_of_what_is_read(value: Any, piece: int) -> None:
    """And so is the number of commas."""

    def depth(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return max(map(depth, inner), default=0) + (not isinstance(value, str))

    def commas(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return max(0, len(inner) - 1) + sum(map(commas, inner))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(body, "_PIECE", piece)
        assert body._counted(json.dumps(value).encode()) == (depth(value), commas(value))


def test_to_count_the_depth_takes_no_memory() -> None:
    body = b'{"a": "' + b"x\\n" * 1_000_000 + b'", "b": [' + b"[]," * 101 + b"1]}"
    tracemalloc.start()
    check_depth(body, 100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(body)
