"""How long the pieces of a text are waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

from api.metrics import TextTimeline
from api.patience import Patience, in_time
from models.errors import EngineTimeout
from models.work import Work, around
from settings.limits import Limits

pytestmark = pytest.mark.anyio


async def pieces(*waits: float) -> AsyncGenerator[float, None]:
    for wait in waits:
        await asyncio.sleep(wait)
        yield wait


async def read(limits: Limits, *waits: float, by: float = 0) -> list[float]:
    found = []
    async for piece in in_time(pieces(*waits), limits):
        found.append(piece)
        await asyncio.sleep(by)
    return found


async def test_who_reads_slowly_is_none_of_its_matters() -> None:
    assert await read(Limits(token_timeout=2, total_timeout=2), 0, 0.01, 0, by=1.5) == [0, 0.01, 0]


async def test_a_first_piece_may_take_longer_than_the_next() -> None:
    assert await read(Limits(token_timeout=1, total_timeout=60), 1.5, 0) == [1.5, 0]


@pytest.mark.parametrize(
    ("limits", "waits", "told"),
    [
        (Limits(token_timeout=0.05, total_timeout=60), (0, 60), r"no more of the text came within 0\.05 s \(limits\.token_timeout\)"),
        (Limits(token_timeout=60, total_timeout=0.05), (60,), r"not complete within 0\.05 s \(limits\.total_timeout\)"),
        (Limits(token_timeout=60, total_timeout=0.3), (0, 0.2, 0.2), r"limits\.total_timeout"),
    ],
)
async def test_an_engine_that_is_slow_is_not_waited_for(limits: Limits, waits: tuple[float, ...], told: str) -> None:
    with pytest.raises(EngineTimeout, match=told):
        await read(limits, *waits)


SHORT = Limits(token_timeout=60, total_timeout=0.05)
App = Callable[[Patience], Awaitable[None]]


async def never() -> Any:
    await asyncio.Event().wait()


async def left() -> Any:
    return {"type": "http.disconnect"}


async def served(app: App, limits: Limits = SHORT, receive: Callable[[], Awaitable[Any]] = never) -> TextTimeline:
    with Patience(receive, timeline := TextTimeline(), limits) as patience:
        await patience.over(app(patience))
    return timeline


async def test_an_app_that_is_too_slow_hears_that_nobody_waits() -> None:
    """And is not cancelled: what it has begun beside itself would go on."""
    heard: list[Any] = []

    async def app(patience: Patience) -> None:
        heard.extend([await patience.receive(), await patience.receive()])

    with pytest.raises(EngineTimeout, match=r"limits\.total_timeout"):
        await served(app)
    assert heard == [{"type": "http.disconnect"}] * 2


async def test_an_app_that_falls_silent_hears_it_too() -> None:
    async def app(patience: Patience) -> None:
        patience._timeline.item()
        await patience.receive()

    with pytest.raises(EngineTimeout, match=r"limits\.token_timeout"):
        await served(app, Limits(token_timeout=0.05, total_timeout=60))


class Making:
    """A hundred tokens, made without a piece of text that could be sent."""

    def __init__(self) -> None:
        self.tokens = 0
        self.work = Work()
        self.work.making(lambda: self.tokens)

    async def silently(self) -> None:
        for self.tokens in range(1, 101):
            await asyncio.sleep(0.02)


async def test_tokens_that_are_not_sent_are_no_silence() -> None:
    making = Making()

    async def app(patience: Patience) -> None:
        patience._timeline.item()
        await making.silently()

    with around(making.work):
        await served(app, Limits(token_timeout=1, total_timeout=60))
    assert making.tokens == 100


async def test_nor_are_they_to_who_reads_pieces() -> None:
    making = Making()

    async def written() -> AsyncGenerator[int, None]:
        yield 0
        await making.silently()
        yield making.tokens

    with around(making.work):
        assert [piece async for piece in in_time(written(), Limits(token_timeout=1, total_timeout=60))] == [0, 100]
        with pytest.raises(EngineTimeout, match=r"limits\.total_timeout"):
            assert [piece async for piece in in_time(written(), Limits(token_timeout=0.5, total_timeout=1))] == []


async def test_an_app_that_does_not_heed_it_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.patience.HEEDED", 0.05)
    with pytest.raises(EngineTimeout):
        await served(lambda _: never())


async def test_nor_does_one_go_on_for_ever_whose_client_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.patience.HEEDED", 0.05)

    async def app(patience: Patience) -> None:
        await patience.receive()
        await never()

    assert (await served(app, SHORT, left)).over


async def test_a_client_that_left_before_the_limit_has_left() -> None:
    async def app(patience: Patience) -> None:
        await patience.receive()
        await asyncio.sleep(2 * SHORT.total_timeout)

    assert (await served(app, SHORT, left)).over


async def test_the_first_limit_that_passes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.patience.HEEDED", 0.2)

    async def app(patience: Patience) -> None:
        patience._timeline.item()
        await never()

    with pytest.raises(EngineTimeout, match=r"limits\.token_timeout"):
        await served(app, Limits(token_timeout=0.05, total_timeout=0.15))


@pytest.mark.parametrize("receive", [never, left])
async def test_an_app_that_fails_as_it_hears_of_it_changes_nothing(receive: Callable[[], Awaitable[Any]]) -> None:
    async def app(patience: Patience) -> None:
        await patience.receive()
        raise RuntimeError("could not tidy up")

    if receive is left:
        assert (await served(app, SHORT, receive)).over
    else:
        with pytest.raises(EngineTimeout):
            await served(app, SHORT, receive)


async def test_an_app_that_fails_of_itself_fails() -> None:
    async def app(patience: Patience) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await served(app)


async def test_an_answer_that_is_made_is_not_too_slow() -> None:
    """However long its client takes for it."""

    async def app(patience: Patience) -> None:
        patience._timeline.finished = True
        await asyncio.sleep(4 * SHORT.total_timeout)

    assert not (await served(app)).over


@pytest.mark.parametrize("finished", [False, True])
async def test_a_client_that_leaves_a_whole_answer_has_not_left_early(finished: bool) -> None:
    async def app(patience: Patience) -> None:
        patience._timeline.finished = finished
        await patience.receive()

    assert (await served(app, Limits(), left)).over is not finished


async def test_an_error_of_who_is_listened_to_is_theirs() -> None:
    async def late() -> Any:
        raise TimeoutError("of the body")

    async def app(patience: Patience) -> None:
        await patience.receive()

    with pytest.raises(TimeoutError, match="of the body"):
        await served(app, Limits(), late)
