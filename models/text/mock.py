"""A language model without a model: deterministic or scripted text at a chosen pace, with failures on request. No weights, no torch.

engine = MockTextEngine("mock-text", (), MockText())
engine.enqueue(["Hello.", EngineFailed("out of luck")])   # the next two requests
engine.enqueue([Called("clock", '{"zone":"UTC"}')])       # of a chat with tools: a call of one
engine.history[-1].messages                               # what was asked
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from models import work
from models.base import Load, Receive, Sampling, Scope, Send, TextChunk, TextRequest
from models.errors import STOPPED, EngineFailed, InvalidInput, NotReady
from models.text.mock_described import DESCRIBED
from models.text.mock_life import Life
from models.text.mock_limits import check_prompt, check_sampling
from models.text.mock_openai import OpenAIRoutes
from models.text.mock_pieces import Piece, cut
from models.text.mock_prose import prose, split
from models.text.mock_replies import Called
from settings import Fault, MockText

REMEMBERED = 1000
# Above this the length alone shows that a prompt cannot fit, and counting its tokens would block the event loop.
CHARS_PER_TOKEN = 32


class Prompt(NamedTuple):
    """A request that was found good, its text and its length in tokens."""

    request: TextRequest
    text: str
    tokens: int


class MockTextEngine:
    def __init__(self, name: str, aliases: tuple[str, ...], settings: MockText) -> None:
        self.name = name
        self.aliases = aliases
        self.settings = settings
        self.history: deque[TextRequest] = deque(maxlen=REMEMBERED)
        """The last requests, oldest first."""
        self._replies: deque[str | Exception | Called] = deque(settings.replies)
        self._routes = OpenAIRoutes(self)
        self._life: Life | None = None
        self._running = 0
        self.progress = 0

    async def start(self) -> None:
        await asyncio.sleep(self.settings.load_seconds)
        self._life = Life()

    async def stop(self) -> None:
        if self._life is not None:
            self._life.end(STOPPED, crash=False)

    async def died(self) -> str:
        life = self._living()
        await life.crashed.wait()
        return life.ended

    def crash(self, why: str = "the mock engine crashed, as it was told to") -> None:
        """Die as a real engine does: requests in flight raise EngineDied, and so do new ones until `start`."""
        self._living().end(why, crash=True)

    async def kill(self, why: str) -> None:
        self.crash(why)

    async def probe(self) -> None:
        """At once, whatever the pace. Neither in the history nor in the load, and it takes no reply."""
        prompt = self.admit(TextRequest("probe", prompt="Hello", sampling=Sampling(max_tokens=1)))
        async for _ in self._speak(prompt, self._living(), None, lambda: prose("Hello"), 0, nullcontext()):
            pass

    @property
    def alive(self) -> bool:
        return self._life is not None and not self._life.ended

    def load(self) -> Load:
        return Load(running=self._running)

    def enqueue(self, replies: Iterable[str | Exception | Called]) -> None:
        """What the next requests get, in turn: a text, a call of a tool, or an exception to raise before the first token."""
        self._replies.extend(replies)

    def next_call(self) -> Called | None:
        """What the next request gets, if that is a call: whoever asks makes it."""
        if self._replies and isinstance(call := self._replies[0], Called):
            self._replies.popleft()
            return call
        return None

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._routes(scope, receive, send)

    def described(self) -> dict[str, Any]:
        self._living().check()
        return DESCRIBED

    async def generate(self, request: TextRequest) -> AsyncGenerator[TextChunk, None]:
        async with aclosing(self.pieces(self.admit(self._capped(request)))) as pieces:
            async for piece in pieces:
                yield TextChunk(piece.text, piece.tokens, piece.finish_reason)

    def _capped(self, request: TextRequest) -> TextRequest:
        """Asking for more than fits is refused by vLLM's OpenAI routes; where only text is streamed it means: up to the end."""
        asked = request.sampling.max_tokens
        if asked is None:
            return request
        return replace(request, sampling=replace(request.sampling, max_tokens=min(asked, self.settings.max_model_len)))

    def admit(self, request: TextRequest) -> Prompt:
        """Refuse what cannot be served: InvalidInput, ContextTooLong; EngineDied or NotReady when there is no engine to serve it."""
        self._living().check()
        check_sampling(request.sampling, self.settings.max_model_len)
        text = self._render(request)
        tokens = len(text) if len(text) > CHARS_PER_TOKEN * self.settings.max_model_len else len(split(text))
        check_prompt(tokens, self.settings.max_model_len)
        return Prompt(request, text, tokens)

    def pieces(
        self, prompt: Prompt, *, choice: int = 0, at_least: int = 0, reply: str | None = None, made: bool = False
    ) -> AsyncGenerator[Piece, None]:
        """One answer to an admitted prompt; `choice` varies it, and `reply` is said instead of prose unless a scripted reply waits.

        `made`: the reply comes from the script itself.
        """
        words, read = partial(self._words, prompt, choice, at_least, reply, made), 0 if choice else prompt.tokens
        return self._speak(prompt, self._living(), _pace(self.settings), words, read, self._counted(prompt.request))

    async def _speak(
        self,
        prompt: Prompt,
        life: Life,
        pace: Iterator[float] | None,
        words: Callable[[], Iterable[str]],
        read: int,
        counted: AbstractContextManager[None],
    ) -> AsyncGenerator[Piece, None]:
        with counted, _told(read) as written:
            fault = self._fault_for(prompt)
            for number, piece in enumerate(cut(words(), self._limit(prompt), prompt.request.sampling.stop)):
                if pace is not None:
                    await _sleep_until(next(pace), life)
                else:
                    await asyncio.sleep(0)  # others run between two tokens
                life.check()
                if fault is not None and number == (0 if fault.kind == "before_first" else fault.after):
                    await self._fail(fault, life)
                written.tokens += piece.tokens
                self.progress += 1
                yield piece

    def _living(self) -> Life:
        if self._life is None:
            raise NotReady("the mock engine is not started: call start() first")
        return self._life

    def _render(self, request: TextRequest) -> str:
        """The prompt as one text, a line for each message."""
        if request.prompt is not None:
            return request.prompt
        return "".join(f"{message['role']}: {self._content(message.get('content'))}\n" for message in request.messages)

    def _content(self, content: Any) -> str:
        """A string, or OpenAI's list of parts, of which only text can be read."""
        if content is None or isinstance(content, str):
            return content or ""
        if any(part.get("type") not in ("text", "refusal") for part in content):  # no set: it may be of any type, and not hashable
            raise InvalidInput(f"{self.name} is not a multimodal model")
        return " ".join(str(part.get("text") or part.get("refusal") or "") for part in content)

    def _limit(self, prompt: Prompt) -> int:
        room, asked = self.settings.max_model_len - prompt.tokens, prompt.request.sampling.max_tokens
        return room if asked is None else min(room, asked)

    def _words(self, prompt: Prompt, choice: int, at_least: int, reply: str | None, made: bool) -> Iterable[str]:
        scripted = self._replies.popleft() if self._replies and not made else reply
        if isinstance(scripted, Exception):
            raise scripted
        if isinstance(scripted, Called):
            raise InvalidInput(f"the next reply in the script calls the tool {scripted.name!r}: only a chat with tools can get it.")
        return prose(_key(prompt, choice), at_least) if scripted is None else split(scripted)

    @contextmanager
    def _counted(self, request: TextRequest) -> Iterator[None]:
        self.history.append(request)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    def _fault_for(self, prompt: Prompt) -> Fault | None:
        fault = self.settings.fault
        return fault if fault.kind != "none" and fault.match in prompt.text else None

    async def _fail(self, fault: Fault, life: Life) -> None:
        if fault.kind == "hang":
            await life.sleep(None)
        if fault.kind == "crash":
            self.crash()
            life.check()
        raise EngineFailed("the mock engine failed this request, as it was told to")


@dataclass(slots=True)
class _Written:
    tokens: int = 0


@contextmanager
def _told(read: int) -> Iterator[_Written]:
    """What an answer takes is told, as vLLM's books have it; nobody waits for a mock."""
    written, now, told = _Written(), time.monotonic(), work.current()
    told.prompt_tokens += read
    told.begun("text", now, now)
    told.making(lambda: written.tokens)
    try:
        yield written
    finally:
        told.completion_tokens += written.tokens
        told.ended("text", time.monotonic())


def _key(prompt: Prompt, choice: int) -> str:
    """What the text depends on. Greedy sampling has no chance in it, so neither seed nor choice counts there."""
    sampling = prompt.request.sampling
    chance = (sampling.temperature, sampling.seed, sampling.top_p, sampling.top_k, sampling.min_p, choice)
    return prompt.text if sampling.temperature == 0 else f"{prompt.text}{chance}"


async def _sleep_until(due: float, life: Life) -> None:
    delay = due - asyncio.get_running_loop().time()
    await (life.sleep(delay) if delay > 0 else asyncio.sleep(0))


def _pace(settings: MockText) -> Iterator[float] | None:
    """When each token is due, on the loop's clock: a schedule, so that delays do not add up. None is as fast as can be."""
    if not settings.ttft and not settings.tokens_per_second:
        return None
    first = asyncio.get_running_loop().time() + settings.ttft
    return itertools.count(first, 1 / settings.tokens_per_second) if settings.tokens_per_second else itertools.repeat(first)
