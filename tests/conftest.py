from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.browsing import browser, page, playwright  # noqa: F401 - fixtures
from tests.servers import Server, serve

# A shell starts what runs in its background deaf to Ctrl-C, and so would be all that is started from here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# On a busy machine any example may take long. Under CI hypothesis has no deadline of its own accord, among other things.
settings.register_profile("busy", deadline=None)
if settings.get_current_profile_name() == "default":
    settings.load_profile("busy")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def environment_of_its_own() -> Iterator[None]:
    """`fireside serve` hands over through the environment: what one test sets there, the next must not find."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The mock profile behind a real `bentoml serve`, shared by the session."""
    with serve("mock") as running:
        yield running


@pytest.fixture(scope="session")
def slow_server() -> Iterator[Server]:
    """A minute to the first token: time to leave before it."""
    with serve("mock", FIRESIDE_TEXT__MOCK__TTFT="60", FIRESIDE_SPEECH__ENGINE="none") as running:
        yield running


@pytest.fixture(scope="session")
def hanging() -> Iterator[Server]:
    """Speech makes two sentences at once, and of one that says for ever it makes 0.3 s and no end. Text is slow."""
    fault = {"FIRESIDE_SPEECH__MOCK__FAULT__KIND": "hang", "FIRESIDE_SPEECH__MOCK__FAULT__MATCH": "for ever"}
    with serve("mock", FIRESIDE_SPEECH__CONCURRENCY="2", FIRESIDE_TEXT__MOCK__TOKENS_PER_SECOND="20", **fault) as running:
        yield running
