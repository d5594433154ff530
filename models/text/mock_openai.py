"""The mock's OpenAI routes, in the shapes of vLLM's. Plain ASGI, since this is the front end that others are measured against."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import orjson

from models.base import Receive, Scope, Send, TextRequest
from models.errors import FiresideError, InvalidInput, UnknownModel
from models.text.mock_asgi import ClientLeft, answer, answer_nobody, check_content_type, error_of, header, read_body
from models.text.mock_frames import ChatFrames, CompletionFrames, Frames, Head, ToolFrames, token_ids
from models.text.mock_prose import split
from models.text.mock_replies import Called, Choice, Reply
from models.text.mock_requests import ChatRequest, CompletionRequest, StreamOptions, TokenizeRequest, Wanted, check_choices, parse
from models.text.mock_schema import answer as fitting

if TYPE_CHECKING:
    from models.text.mock import MockTextEngine, Prompt

VERSION = "mock-1"
ANY_OBJECT = {"type": "object"}
NO_MESSAGES = "Cannot apply chat template to an empty conversation. Provide at least one message."
PERMISSIONS = {
    "allow_create_engine": False,
    "allow_sampling": True,
    "allow_logprobs": False,
    "allow_search_indices": False,
    "allow_view": True,
    "allow_fine_tuning": False,
    "organization": "*",
    "group": None,
    "is_blocking": False,
}
Route = Callable[[Scope, Receive, Send], Awaitable[None]]


class OpenAIRoutes:
    def __init__(self, engine: MockTextEngine) -> None:
        self._engine = engine
        self._routes: dict[str, dict[str, Route]] = {
            "/v1/chat/completions": {"POST": self._chat},
            "/v1/completions": {"POST": self._completion},
            "/v1/models": {"GET": self._models},
            "/tokenize": {"POST": self._tokenize},
            "/version": {"GET": self._version},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "the text engine has no WebSocket routes"})
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        methods = self._routes.get(scope["path"].removeprefix(scope.get("root_path", "")), {})
        route = methods.get(scope["method"])
        if route is None:
            return await answer(send, 405 if methods else 404, _detail("Method Not Allowed" if methods else "Not Found"))
        try:
            await route(scope, receive, send)
        except FiresideError as error:
            await answer(send, *error_of(error))
        except ClientLeft:
            await answer_nobody(send)

    async def _chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        check_content_type(scope)
        wanted = parse(ChatRequest, await read_body(receive))
        reply = self._chat_reply(wanted, f"chatcmpl-{_request_id(scope)}")
        await (reply.stream if wanted.stream else reply.whole)(receive, send)

    async def _completion(self, scope: Scope, receive: Receive, send: Send) -> None:
        check_content_type(scope)
        wanted = parse(CompletionRequest, await read_body(receive))
        reply = self._completion_reply(wanted, f"cmpl-{_request_id(scope)}")
        await (reply.stream if wanted.stream else reply.whole)(receive, send)

    def _chat_reply(self, wanted: ChatRequest, name: str) -> Reply:
        self._check(wanted)
        if not wanted.messages:
            raise InvalidInput(NO_MESSAGES)
        messages = tuple(message.model_dump() for message in wanted.messages)
        prompt = self._engine.admit(TextRequest(name, messages=messages, sampling=wanted.sampling()))
        head = self._head(name, "chat.completion.chunk" if wanted.stream else "chat.completion")
        if call := self._engine.next_call() if wanted.may_call() else None:
            return Reply(head, [self._calling(prompt, head, call)], prompt.tokens, wanted.stream_options or StreamOptions())
        tool = wanted.forced_tool()
        schema = (tool.parameters or ANY_OBJECT) if tool else wanted.schema_to_fit()
        said = None if schema is None else fitting(schema)
        choices = [self._choice(wanted, prompt, index, _chat_frames(wanted, head, index), said) for index in range(wanted.choices)]
        return Reply(head, choices, prompt.tokens, wanted.stream_options or StreamOptions())

    def _calling(self, prompt: Prompt, head: Head, call: Called) -> Choice:
        frames = ToolFrames(head, 0, call.name, f"chatcmpl-tool-{_random_id()}", "tool_calls", call.said)
        pieces = self._engine.pieces(prompt, reply=call.said + call.arguments, made=True)
        return Choice(prompt.tokens, pieces, frames)

    def _completion_reply(self, wanted: CompletionRequest, name: str) -> Reply:
        self._check(wanted)
        sampling, head = wanted.sampling(), self._head(name, "text_completion")
        prompts = [
            self._engine.admit(TextRequest(f"{name}-{number}", prompt=text, sampling=sampling))
            for number, text in enumerate(wanted.prompts())
        ]
        schema = wanted.schema_to_fit()
        said = None if schema is None else fitting(schema)
        choices = [
            self._choice(wanted, prompt, index, CompletionFrames(head, index, prompt.text if wanted.echo else ""), said)
            for index, prompt in enumerate(prompt for prompt in prompts for _ in range(wanted.choices))
        ]
        return Reply(head, choices, sum(prompt.tokens for prompt in prompts), wanted.stream_options or StreamOptions())

    def _choice(self, wanted: Wanted, prompt: Prompt, index: int, frames: Frames, said: str | None) -> Choice:
        at_least = self._engine.settings.max_model_len if wanted.ignore_eos else wanted.min_tokens
        pieces = self._engine.pieces(prompt, choice=index % wanted.choices, at_least=at_least, reply=said)
        return Choice(prompt.tokens, pieces, frames)

    def _check(self, wanted: Wanted) -> None:
        self._check_model(wanted.model)
        check_choices(wanted)

    def _check_model(self, name: str | None) -> None:
        served = (self._engine.name, *self._engine.aliases)
        if name and name not in served:
            raise UnknownModel(f"The model `{name}` does not exist. Valid aliases: {', '.join(served)}.", param="model")

    def _head(self, name: str, kind: str) -> Head:
        return Head(name, kind, int(time.time()), self._engine.name)

    async def _models(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = int(time.time())
        permission = {"id": f"modelperm-{_random_id()}", "object": "model_permission", "created": now} | PERMISSIONS
        card = {"object": "model", "created": now, "owned_by": "fireside", "root": self._engine.name, "parent": None}
        card |= {"max_model_len": self._engine.settings.max_model_len, "permission": [permission]}
        names = (self._engine.name, *self._engine.aliases)
        await answer(send, 200, orjson.dumps({"object": "list", "data": [{"id": name} | card for name in names]}))

    async def _tokenize(self, scope: Scope, receive: Receive, send: Send) -> None:
        check_content_type(scope)
        wanted = parse(TokenizeRequest, await read_body(receive))
        self._check_model(wanted.model)
        text = self._engine.admit(wanted.request()).text
        strings = split(text) if wanted.return_token_strs else None
        ids = token_ids(text)
        counts = {"count": len(ids), "max_model_len": self._engine.settings.max_model_len, "tokens": ids, "token_strs": strings}
        await answer(send, 200, orjson.dumps(counts))

    async def _version(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 200, orjson.dumps({"version": VERSION}))


def _chat_frames(wanted: ChatRequest, head: Head, index: int) -> ChatFrames:
    tool = wanted.forced_tool()
    if tool is None:
        return ChatFrames(head, index)
    return ToolFrames(head, index, tool.name, f"chatcmpl-tool-{_random_id()}", "tool_calls" if wanted.tool_choice == "required" else "stop")


def _request_id(scope: Scope) -> str:
    return header(scope, b"x-request-id") or _random_id()


def _random_id() -> str:
    return secrets.token_hex(8)


def _detail(text: str) -> bytes:
    return orjson.dumps({"detail": text})
