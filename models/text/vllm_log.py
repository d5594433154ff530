"""The errors of vLLM's processes, kept in files: a child that dies leaves its reason in its log, and nowhere else."""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from operator import itemgetter
from pathlib import Path
from typing import Any

LARGEST = 1 << 20
"""Bytes of a file, of which each process has two: what came longer ago is of no death now."""
_BEGIN = "\x1e"
_DIED = "EngineDeadError"
"""How this process has noticed, not why."""


class ChildLog(RotatingFileHandler):
    """Of each process but the server's: there an error is mostly a client's, and no reason to die."""

    def __init__(self, folder: str, server: int) -> None:
        super().__init__(f"{folder}/{os.getpid()}.log", maxBytes=LARGEST, backupCount=1, encoding="utf-8", errors="replace", delay=True)
        self._mute = os.getpid() == server

    def emit(self, record: logging.LogRecord) -> None:
        if not self._mute:
            super().emit(record)


class ErrorLog:
    """In this folder, which is there for as long as it is needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def arguments(self, given: dict[str, Any]) -> dict[str, Any]:
        """vLLM's arguments for logging as it always does, and to these files. None where the user has configured logging."""
        own = "VLLM_LOGGING_CONFIG_PATH" in os.environ or os.environ.get("VLLM_CONFIGURE_LOGGING") == "0"
        if own or given.keys() & {"logging_config", "log_config_file", "log_level"}:
            return {}
        from vllm.logger import DEFAULT_LOGGING_CONFIG  # it may import this file: see ChildLog

        path = self._folder / "logging.json"
        path.write_text(json.dumps(with_files(DEFAULT_LOGGING_CONFIG, self._folder)), encoding="utf-8")
        return {"logging_config": {"pylogging_config_file": str(path)}}

    def root_cause(self, seconds: float = math.inf) -> str:
        """`Class: message` of the first exception logged in the last seconds, or an empty string. The first one: later ones are its
        consequences."""
        since = time.time() - seconds
        causes = (_cause(text) for at, text in sorted(self._records(), key=itemgetter(0)) if at >= since)
        return next((cause for cause in causes if cause and class_of(cause) != _DIED), "")

    def _records(self) -> Iterator[tuple[float, str]]:
        for file in self._folder.glob("*.log*"):
            with suppress(FileNotFoundError):  # it was turned over just now
                for record in file.read_text(encoding="utf-8", errors="replace").split(_BEGIN)[1:]:
                    at, _, text = record.partition("\n")
                    with suppress(ValueError):
                        yield float(at), text


def class_of(cause: str) -> str:
    return cause.split(":")[0].rpartition(".")[2]


def _cause(record: str) -> str:
    lines = iter(record.splitlines())
    for line in lines:
        if line.startswith("Traceback (most recent call last)"):
            return next((line.strip() for line in lines if line and not line[0].isspace()), "")
    return ""


def with_files(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    handler = {
        "class": f"{__name__}.{ChildLog.__name__}",
        "folder": str(folder),
        "server": os.getpid(),
        "level": "ERROR",
        "formatter": "fireside",
    }
    vllm = config["loggers"]["vllm"]
    return {
        **config,
        "formatters": {**config["formatters"], "fireside": {"format": f"{_BEGIN}%(created).3f\n%(message)s"}},
        "handlers": {**config["handlers"], "fireside": handler},
        "loggers": {**config["loggers"], "vllm": {**vllm, "handlers": [*vllm["handlers"], "fireside"]}},
    }
