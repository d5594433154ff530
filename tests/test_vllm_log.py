"""What is kept of the errors of vLLM's processes, and which of them is the cause of a death."""

from __future__ import annotations

import logging
import logging.config
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.text.vllm_log import LARGEST, ErrorLog, with_files

VLLMS: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {},
    "handlers": {},
    "loggers": {"vllm": {"handlers": [], "propagate": False}},
}


@pytest.fixture(params=["child", "server"])
def whose(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def log(tmp_path: Path, whose: str) -> Iterator[logging.Logger]:
    config = with_files(VLLMS, tmp_path)
    config["handlers"]["fireside"]["server"] = os.getpid() if whose == "server" else 0
    logging.config.dictConfig(config)
    logger = logging.getLogger("vllm")
    yield logger
    for handler in logger.handlers[:]:
        handler.close()
        logger.removeHandler(handler)


def fail(log: logging.Logger, error: Exception) -> None:
    try:
        raise error
    except type(error):
        log.exception("it failed")


@pytest.mark.parametrize("whose", ["child"], indirect=True)
def test_the_cause_of_a_death_is_the_first_of_the_last_minute(log: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = ErrorLog(tmp_path)
    assert errors.root_cause() == ""
    fail(log, ValueError("a client's, months ago"))
    months_ago = time.time()
    monkeypatch.setattr(time, "time", lambda: months_ago + 1e7)
    assert errors.root_cause(60) == ""
    log.error("no exception at all")
    fail(log, RuntimeError("out of memory"))
    fail(log, KeyError("a consequence"))
    assert errors.root_cause(60) == "RuntimeError: out of memory"
    assert errors.root_cause() == "ValueError: a client's, months ago"


@pytest.mark.parametrize("whose", ["child"], indirect=True)
def test_however_much_is_logged_little_is_kept(log: logging.Logger, tmp_path: Path) -> None:
    for _ in range(12):
        log.error("x" * (LARGEST // 4))
    fail(log, RuntimeError("the last"))
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 2.5 * LARGEST
    assert ErrorLog(tmp_path).root_cause(60) == "RuntimeError: the last"


@pytest.mark.parametrize("whose", ["server"], indirect=True)
def test_nothing_is_kept_of_the_servers_own_errors(log: logging.Logger, tmp_path: Path) -> None:
    fail(log, ValueError("a client's"))
    assert not list(tmp_path.iterdir())
    assert ErrorLog(tmp_path).root_cause() == ""
