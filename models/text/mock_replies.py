"""A reply on its way: the pieces of one or several choices, as a stream of events or as one body."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

import orjson

from models.base import Receive, Send
from models.errors import FiresideError
from models.text.mock_asgi import SSE, ClientLeft, answer, begin, error_of, unless_left
from models.text.mock_frames import DONE, Frames, Head, usage, whole
from models.text.mock_pieces import Piece
from models.text.mock_requests import StreamOptions


@dataclass(frozen=True, slots=True)
class Called:
    """A reply that calls a tool, after perhaps saying something. `arguments` is JSON."""

    name: str
    arguments: str = "{}"
    said: str = ""


@dataclass(slots=True)
class Choice:
    """One answer in the making: where its text comes from and how it is framed."""

    prompt_tokens: int
    pieces: AsyncGenerator[Piece, None]
    frames: Frames
    tokens: int = 0

    def frame(self, piece: Piece, counting: bool, stamped: bool) -> bytes:
        self.tokens += piece.tokens
        if piece.finish_reason is None:
            return self.frames.text(piece.text, self._usage() if counting else b"")
        return self.frames.last(piece, self._usage() if counting else b"", stamped)

    def first(self, counting: bool) -> bytes:
        return self.frames.first(self._usage() if counting else b"")

    def _usage(self) -> bytes:
        return b',"usage":' + orjson.dumps(usage(self.prompt_tokens, self.tokens, self.frames.running_details))


@dataclass(frozen=True, slots=True)
class Reply:
    """All that an admitted request needs to be answered."""

    head: Head
    choices: list[Choice]
    prompt_tokens: int
    options: StreamOptions

    @property
    def tokens(self) -> int:
        return sum(choice.tokens for choice in self.choices)

    async def stream(self, receive: Receive, send: Send) -> None:
        await begin(send, 200, SSE)
        await unless_left(receive, self._send_events(send))

    async def whole(self, receive: Receive, send: Send) -> None:
        body = await unless_left(receive, self._body())
        if body is None:
            raise ClientLeft
        await answer(send, 200, body)

    async def _send_events(self, send: Send) -> None:
        """An error after the status is an event, and then the stream ends as vLLM's does."""
        try:
            await self._send_pieces(send)
        except FiresideError as error:
            await send(_part(b"data: " + error_of(error)[1] + b"\n\n"))
        else:
            if self.options.include_usage:
                await send(_part(self.head.usage(usage(self.prompt_tokens, self.tokens))))
        await send({"type": "http.response.body", "body": DONE})

    async def _send_pieces(self, send: Send) -> None:
        counting = bool(self.options.include_usage and self.options.continuous_usage_stats)
        stamped = not self.options.include_usage
        opening = b"".join(choice.first(counting) for choice in self.choices)

        async def sent(choice: Choice, piece: Piece) -> None:
            nonlocal opening
            if opening:
                await send(_part(opening))
                opening = b""
            await send(_part(choice.frame(piece, counting, stamped)))

        await in_turn(self.choices, sent)

    async def _body(self) -> bytes:
        texts: dict[int, str] = {}
        lasts: dict[int, Piece] = {}

        async def kept(choice: Choice, piece: Piece) -> None:
            choice.tokens += piece.tokens
            texts[id(choice)] = texts.get(id(choice), "") + piece.text
            lasts[id(choice)] = piece

        await in_turn(self.choices, kept)
        made = [choice.frames.whole(texts[id(choice)], lasts[id(choice)]) for choice in self.choices]
        counts = usage(self.prompt_tokens, self.tokens, ("prompt_tokens_details", "completion_tokens_details"))
        return whole(self.head, made, counts, self.choices[0].frames.trailer)


async def in_turn(choices: Sequence[Choice], take: Callable[[Choice, Piece], Awaitable[None]]) -> None:
    """Give a piece of each choice in turn. Every choice keeps its own pace from the beginning, so waiting for one is waiting for all."""
    async with AsyncExitStack() as stack:
        for choice in choices:
            await stack.enter_async_context(aclosing(choice.pieces))
        living = list(choices)
        while len(living) > 1:
            for choice in living.copy():
                piece = await anext(choice.pieces)
                await take(choice, piece)
                if piece.finish_reason is not None:
                    living.remove(choice)
        for choice in living:
            async for piece in choice.pieces:
                await take(choice, piece)


def _part(body: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": body, "more_body": True}
