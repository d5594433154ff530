"""What is configured of waiting and of giving up reaches the engines; what a key may have of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from api import turns
from api.accounts import Accounts
from api.keys import Holder
from api.places import Places
from api.runtime import Runtime
from models.errors import Overloaded, RateLimited
from settings import Key, Settings

pytestmark = pytest.mark.anyio

NONE = "sha256:" + "0" * 64


class Listener:
    """Nothing comes of it."""

    async def transcribe(self, job: Any) -> AsyncGenerator[str, None]:
        await asyncio.Event().wait()
        yield ""


def runtime(**parts: Any) -> Any:
    return SimpleNamespace(settings=Settings.model_validate(parts), loaded_listening=Listener)


def test_what_waits_for_an_engine_waits_as_is_configured() -> None:
    settings = Settings.model_validate(
        {
            "text": {"max_waiting": 3, "queue_timeout": 5, "args": {"max_num_seqs": 8, "data_parallel_size": 2}},
            "speech": {"max_waiting": 7, "queue_timeout": 9},
            "listening": {"max_waiting": 11},
        }
    )
    speech: Any = SimpleNamespace(engine=SimpleNamespace(concurrency=1))
    made = Runtime(settings, text=None, speech=speech)
    assert (made.text_queue.most, made.text_queue.max_waiting, made.text_queue.patience) == (16, 3, 5)
    assert made.scheduler
    assert (made.scheduler._order._max_waiting, made.scheduler._patience) == (7, 9)
    assert made.recordings.places.most == 11


async def test_a_recording_of_which_nothing_is_understood_in_time_is_refused() -> None:
    house = runtime(listening={"queue_timeout": 0.05})
    with pytest.raises(Overloaded, match=r"nothing of it was understood within 0\.05 s"):
        [piece async for piece in turns.transcribe(house, SimpleNamespace())]  # type: ignore[arg-type]


def test_a_key_has_half_of_the_places() -> None:
    places = Places(4, "recordings")
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(places.taking("alice"))
        with pytest.raises(Overloaded, match="2 recordings of the key 'alice' are here already"), places.taking("alice"):
            pass
        for _ in range(2):
            held.enter_context(places.taking("bob"))
        with pytest.raises(Overloaded, match="4 recordings are here already"), places.taking("carol"):
            pass
    assert places.taken == 0
    with places.taking("alice"):
        assert places.taken == 1


def test_a_clock_that_is_set_back_shuts_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = Holder("alice", Key(hash=NONE, requests_per_minute=2))
    accounts = Accounts()

    def ask() -> None:
        with accounts.entering(holder):
            pass

    ask()
    ask()
    with pytest.raises(RateLimited):
        ask()
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 7200)
    ask()
    ask()
    with pytest.raises(RateLimited) as refused:
        ask()
    assert 1 <= (refused.value.retry_after or 0) <= 60
