"""The bodies the mock's OpenAI routes accept, and the words of vLLM 0.32.0 in which they refuse: the contract suite compares them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from models.base import Sampling, TextRequest
from models.errors import InvalidInput

INT64 = 2**63
REPORTED = 10
MOST_CHOICES = 128
"""OpenAI's limit, which models/text/vllm.py gives vLLM in the place of its own."""
# What a mock without a vocabulary cannot give. Refused, because an answer without it would look like a success.
UNSUPPORTED = (
    "logprobs",
    "top_logprobs",
    "prompt_logprobs",
    "prompt_embeds",
    "suffix",
    "structured_outputs",
    "use_beam_search",
    "logit_bias",
)


class Malformed(InvalidInput):
    """The body is not JSON, or a field has the wrong type."""


class StreamOptions(BaseModel):
    include_usage: bool | None = False
    continuous_usage_stats: bool | None = False


class JsonSchema(BaseModel):
    name: str
    schema_: dict[str, Any] | None = Field(None, alias="schema")


class ResponseFormat(BaseModel):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class Wanted(BaseModel):
    """What both routes share."""

    model: str | None = None
    n: int | None = 1
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    stop: str | list[str] | None = None
    seed: int | None = Field(None, ge=-INT64, lt=INT64)
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    min_tokens: int = 0
    ignore_eos: bool = False
    max_tokens: int | None = None
    response_format: ResponseFormat | None = None

    def sampling(self) -> Sampling:
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        given = {name: getattr(self, name) for name in _DIRECT}
        return Sampling(stop=stop, max_tokens=self.limit(), **given)

    def limit(self) -> int | None:
        return self.max_tokens

    def schema_to_fit(self) -> dict[str, Any] | None:
        if self.response_format is None or self.response_format.type == "text":
            return None
        described = self.response_format.json_schema
        return (described and described.schema_) or {"type": "object"}

    @property
    def choices(self) -> int:
        return 1 if self.n is None else self.n


_DIRECT = ("seed", "temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty")


class Message(BaseModel, extra="allow"):
    role: str
    content: str | list[dict[str, Any]] | None = None


class Function(BaseModel):
    name: str
    parameters: dict[str, Any] | None = None


class Tool(BaseModel):
    type: Literal["function"] = "function"
    function: Function


class ToolChoice(BaseModel):
    function: Function
    type: Literal["function"] = "function"


class ChatRequest(Wanted):
    messages: list[Message]
    max_completion_tokens: int | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None

    def limit(self) -> int | None:
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    def may_call(self) -> bool:
        return bool(self.tools) and self.tool_choice != "none"

    def forced_tool(self) -> Function | None:
        """The tool that must be called; the first one when any will do."""
        if isinstance(self.tool_choice, ToolChoice):
            wanted = self.tool_choice.function.name
            return next(tool.function for tool in self.tools or () if tool.function.name == wanted)
        return self.tools[0].function if self.tools and self.tool_choice == "required" else None


class CompletionRequest(Wanted):
    prompt: str | list[int] | list[str] | list[list[int]]
    max_tokens: int | None = 16
    echo: bool | None = False

    def prompts(self) -> list[str]:
        if isinstance(self.prompt, str):
            return [self.prompt]
        if all(isinstance(item, int) for item in self.prompt):
            return [_spelled(self.prompt)]
        return [item if isinstance(item, str) else _spelled(item) for item in self.prompt]  # type: ignore[arg-type]


class TokenizeRequest(BaseModel):
    model: str | None = None
    prompt: str | None = None
    messages: list[Message] | None = None
    return_token_strs: bool | None = False

    def request(self) -> TextRequest:
        messages = tuple(message.model_dump() for message in self.messages or ())
        return TextRequest("tokenize", prompt=self.prompt if self.messages is None else None, messages=messages)


Body = TypeVar("Body", bound=BaseModel)


def parse(kind: type[Body], body: bytes) -> Body:
    """Raises Malformed, or InvalidInput for fields that do not go together."""
    raw = _loads(body)
    if isinstance(raw, Mapping):
        _check_together(raw, kind)
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise _malformed(error.errors()) from error


def check_choices(wanted: Wanted) -> None:
    if wanted.choices < 1:
        raise InvalidInput(f"n must be at least 1, got {wanted.choices}.")
    if wanted.choices > MOST_CHOICES:
        raise InvalidInput(f"n must be at most {MOST_CHOICES}, got {wanted.choices}.")
    if wanted.choices > 1 and wanted.temperature == 0:
        raise InvalidInput(f"n must be 1 when using greedy sampling, got {wanted.choices}.")


def _spelled(ids: Iterable[Any]) -> str:
    return " ".join(map(str, ids))


def _loads(body: bytes) -> Any:
    if not body:
        raise _malformed([{"type": "missing", "loc": (), "msg": "Field required", "input": None}])
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _loads_slowly(body)


def _loads_slowly(body: bytes) -> Any:
    """The standard library's reader takes NaN as vLLM does, and says where it stopped in the same words."""
    try:
        raw = json.loads(body)
        json.dumps(raw, ensure_ascii=False).encode()
        return raw
    except json.JSONDecodeError as error:
        fault: ErrorDetails = {
            "type": "json_invalid",
            "loc": (error.pos,),
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": error.msg},
        }
        raise _malformed([fault]) from error
    except UnicodeError as error:
        raise Malformed(f"expected a body of whole characters in UTF-8: {error}") from error
    except RecursionError as error:
        raise Malformed("expected a body that is not nested so deeply: no request needs more than a few levels") from error


def _check_together(raw: Mapping[str, Any], kind: type[BaseModel]) -> None:
    for name in UNSUPPORTED:
        if raw.get(name) not in (None, False) and not (name == "top_logprobs" and raw[name] == 0):
            raise InvalidInput(f"the mock engine has no {name}: leave it out, or serve a real model for it (parameter={name})", param=name)
    if raw.get("stream_options") and not raw.get("stream"):
        raise _together("Stream options can only be defined when `stream=True`.", "stream_options")
    if kind is CompletionRequest and not raw.get("prompt") and raw.get("prompt") != 0:
        raise _together("Either prompt or prompt_embeds must be provided and non-empty.", "prompt")
    shape = raw.get("response_format")
    if isinstance(shape, Mapping) and shape.get("type") == "json_schema" and not shape.get("json_schema"):
        raise _together("When response_format type is 'json_schema', the 'json_schema' field must be provided.", "response_format")
    if kind is ChatRequest:
        _check_tools(raw)


def _check_tools(raw: Mapping[str, Any]) -> None:
    tools, choice = raw.get("tools"), raw.get("tool_choice")
    if tools == []:
        raise _together("`tools` must not be an empty array. Either provide at least one tool or omit the field entirely.", "tools")
    if choice in (None, "none"):
        return
    if not tools:
        raise _together("When using `tool_choice`, `tools` must be set.", "tool_choice")
    if not isinstance(choice, Mapping):
        if choice not in ("auto", "required"):
            problem = f'Invalid value for `tool_choice`: {choice}! Only named tools, "none", "auto" or "required" are supported.'
            raise _together(problem, "tool_choice")
    elif isinstance(tools, list) and _name(choice) not in [_name(tool) for tool in tools]:
        raise _together("The tool specified in `tool_choice` does not match any of the specified `tools`", "tool_choice")


def _name(holder: Any) -> Any:
    function = holder.get("function") if isinstance(holder, Mapping) else None
    return function.get("name") if isinstance(function, Mapping) else None


def _together(problem: str, param: str) -> InvalidInput:
    return InvalidInput(f"{problem} (parameter={param})", param=param)


def _malformed(faults: list[ErrorDetails]) -> Malformed:
    label = "error" if len(faults) == 1 else "errors"
    lines = [f"{len(faults)} validation {label}:", *(f"  {_described(fault)}" for fault in faults[:REPORTED])]
    if len(faults) > REPORTED:
        lines.append(f"  ...and {len(faults) - REPORTED} more {label}")
    return Malformed("\n".join(lines), param=_place(faults[0]["loc"]))


def _described(fault: ErrorDetails) -> dict[str, Any]:
    described = {"type": fault["type"], "loc": _place(fault["loc"]), "msg": fault["msg"], "input": _summary(fault["input"])}
    return described | ({"ctx": fault["ctx"]} if "ctx" in fault else {})


def _place(loc: tuple[int | str, ...]) -> str:
    """body.messages.0.role, without pydantic's own names for the branches of a union."""
    return ".".join(["body", *(str(part) for part in loc if not (isinstance(part, str) and (part in _BRANCHES or "[" in part)))])


_BRANCHES = {"str", "ToolChoice"}


def _summary(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return f"<{'dict' if isinstance(value, Mapping) else 'list'} of {len(value)} items>"
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}...[truncated]"
