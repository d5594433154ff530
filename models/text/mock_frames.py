"""The answers' bytes, with vLLM 0.32.0's fields in vLLM's order.

A frame is a fixed head, the escaped text and a fixed tail: no object is built for a token.
"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

import orjson

from models.text.mock_pieces import Piece
from models.text.mock_prose import split

DONE = b"data: [DONE]\n\n"
END = b"}\n\n"
FINGERPRINT = "mock-1"
_STAMP = b',"system_fingerprint":' + orjson.dumps(FINGERPRINT)


class Head(NamedTuple):
    """What every chunk of a response repeats."""

    id: str
    object: str
    created: int
    model: str

    def opening(self, index: int) -> bytes:
        return b"data: " + orjson.dumps(self._asdict())[:-1] + b',"choices":[{"index":%d,' % index

    def usage(self, usage: dict[str, Any]) -> bytes:
        """The last chunk, without choices."""
        return b"data: " + orjson.dumps(self._asdict() | {"choices": [], "usage": usage, "system_fingerprint": FINGERPRINT}) + b"\n\n"


class ChatFrames:
    running_details: tuple[str, ...] = ("completion_tokens_details",)
    trailer = ("prompt_logprobs", "prompt_token_ids", "prompt_text", "kv_transfer_params", "ec_transfer_params", "metrics")

    def __init__(self, head: Head, index: int) -> None:
        self._index = index
        self._opening = head.opening(index) + b'"delta":'
        self._before = self._opening + b'{"content":'
        self._after = b'},"logprobs":null,"finish_reason":null,"token_ids":null}]'
        self._bare_end = self._after + END

    def first(self, usage: bytes) -> bytes:
        role = b'{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]'
        return self._opening + role + usage + b',"prompt_token_ids":null,"prompt_text":null' + END

    def text(self, text: str, usage: bytes) -> bytes:
        return self._before + orjson.dumps(text) + (self._after + usage + END if usage else self._bare_end)

    def last(self, piece: Piece, usage: bytes, stamped: bool) -> bytes:
        delta = orjson.dumps({"content": piece.text} if piece.text else {})
        ends = _finish(self._reason(piece), piece.stop_reason)
        return self._opening + delta + ends + b',"token_ids":null}]' + usage + _stamp(stamped) + END

    def whole(self, text: str, last: Piece) -> dict[str, Any]:
        message = {"role": "assistant", "content": text} | dict.fromkeys(("refusal", "annotations", "audio", "function_call", "reasoning"))
        return {"index": self._index, "message": message} | _ends(self._reason(last), last) | dict.fromkeys(("token_ids", "routed_experts"))

    def _reason(self, last: Piece) -> str | None:
        return last.finish_reason


class ToolFrames(ChatFrames):
    """A call of one tool: its name, its arguments as they come, and an empty end. `said` is text that comes before it."""

    def __init__(self, head: Head, index: int, name: str, call: str, finish: str, said: str = "") -> None:
        super().__init__(head, index)
        self._name, self._call, self._finish = name, call, finish
        self._said = self._left = len(said)
        self._named = False
        self._arguments = self._opening + b'{"content":null,"tool_calls":[{"index":0,"function":{"arguments":'

    def first(self, usage: bytes) -> bytes:
        return super().first(usage) + (b"" if self._left else self._name_it(usage))

    def text(self, text: str, usage: bytes) -> bytes:
        said, arguments = text[: self._left], text[self._left :]
        self._left -= len(said)
        content = super().text(said, usage) if said else b""
        if not arguments:
            return content
        return b"".join((content, self._name_it(usage), self._arguments, orjson.dumps(arguments), b"}}]", self._after, usage, END))

    def _name_it(self, usage: bytes) -> bytes:
        if self._named:
            return b""
        self._named = True
        call = {"id": self._call, "type": "function", "index": 0, "function": {"name": self._name}}
        named = orjson.dumps({"content": None, "tool_calls": [call]}) + b',"logprobs":null,"finish_reason":null,"token_ids":null}]'
        return self._opening + named + usage + END

    def last(self, piece: Piece, usage: bytes, stamped: bool) -> bytes:
        arguments = self.text(piece.text, usage) if piece.text else b""
        return arguments + super().last(piece._replace(text=""), usage, stamped)

    def whole(self, text: str, last: Piece) -> dict[str, Any]:
        choice = super().whole(text[: self._said], last)
        call = {"id": self._call, "type": "function", "function": {"name": self._name, "arguments": text[self._said :]}}
        reasoning = choice["message"].pop("reasoning")
        choice["message"] |= {"tool_calls": [call], "reasoning": reasoning}
        return choice

    def _reason(self, last: Piece) -> str | None:
        return self._finish if last.finish_reason == "stop" else last.finish_reason


class CompletionFrames:
    running_details: tuple[str, ...] = ()
    trailer = ("kv_transfer_params", "ec_transfer_params", "metrics")

    def __init__(self, head: Head, index: int, echoed: str = "") -> None:
        self._index = index
        self._before = head.opening(index) + b'"text":'
        self._after = b',"logprobs":null,"finish_reason":null,"stop_reason":null,"prompt_token_ids":null,"token_ids":null}]'
        self._echoed = echoed

    def first(self, usage: bytes) -> bytes:
        return b""

    def text(self, text: str, usage: bytes) -> bytes:
        if self._echoed:
            return self.last(Piece(text, 1), usage, False)
        return b"".join((self._before, orjson.dumps(text), self._after, usage, END))

    def last(self, piece: Piece, usage: bytes, stamped: bool) -> bytes:
        """The echoed prompt and its ids go with the first text, and only there."""
        text, ids = self._echoed + piece.text, token_ids(self._echoed) if self._echoed else None
        self._echoed = ""
        prompt_ids = b',"prompt_token_ids":' + orjson.dumps(ids) + b',"token_ids":null}]'
        ends = _finish(piece.finish_reason, piece.stop_reason)
        return self._before + orjson.dumps(text) + ends + prompt_ids + usage + _stamp(stamped) + END

    def whole(self, text: str, last: Piece) -> dict[str, Any]:
        nothing = dict.fromkeys(("token_ids", "prompt_logprobs", "prompt_token_ids", "routed_experts"))
        return {"index": self._index, "text": self._echoed + text} | _ends(last.finish_reason, last) | nothing


Frames = ChatFrames | CompletionFrames


def usage(prompt: int, completion: int, details: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "total_tokens": prompt + completion, "completion_tokens": completion} | dict.fromkeys(details)


def whole(head: Head, choices: list[dict[str, Any]], counts: dict[str, Any], trailer: tuple[str, ...]) -> bytes:
    stamps = {"service_tier": None, "system_fingerprint": FINGERPRINT, "usage": counts}
    return orjson.dumps(head._asdict() | {"choices": choices} | stamps | dict.fromkeys(trailer))


def token_ids(text: str) -> list[int]:
    """A number for each token: the same for the same token, and no vocabulary behind it."""
    return [zlib.crc32(token.encode()) % 50_000 for token in split(text)]


def _ends(reason: str | None, last: Piece) -> dict[str, Any]:
    return {"logprobs": None, "finish_reason": reason, "stop_reason": last.stop_reason}


def _finish(reason: str | None, stop_reason: str | None) -> bytes:
    return b',"logprobs":null,"finish_reason":' + orjson.dumps(reason) + b',"stop_reason":' + orjson.dumps(stop_reason)


def _stamp(stamped: bool) -> bytes:
    return _STAMP if stamped else b""
