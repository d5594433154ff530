"""Say when the server of a profile is ready, with three commands to try, or why it is not. `make serve PROFILE=... PORT=...` starts it just
before the server, as a child of the same process, and it ends with it."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from settings import load

TRY = r"""
Fireside is ready at {url}: open it in a browser. Or, in another terminal, try:

  curl {url}/v1/chat/completions{key} -H 'Content-Type: application/json' -d '{{"model": "gpt-4o-mini", "messages": [{{"role": "user", "content": "What is the capital of France?"}}]}}'

  curl {url}/v1/audio/speech{key} -H 'Content-Type: application/json' -d '{{"model": "tts-1", "voice": "alloy", "input": "Hello from the fireside."}}' -o hello.mp3

  curl -N {url}/generate{key} -H 'Content-Type: application/json' -d '{{"prompt": "Once upon a time", "max_tokens": 60}}'

"""  # noqa: E501 - each command is one line, to be copied

OPENER = build_opener(ProxyHandler({}))
"""The server is on this machine: a proxy of `http_proxy` would look for it on its own."""

KEY = " -H 'Authorization: Bearer YOUR_KEY'"


def main(profile: str, port: int) -> int:
    url = load(profile).server.model_copy(update={"port": port}).url
    if taken(url):
        say(f"==> port {port} is taken by another program: choose another with PORT=\n")
        return 1
    server, started, told = os.getppid(), time.monotonic(), 0.0
    looking = looks(url)
    while not (status := next(looking)).get("ready"):
        if os.getppid() != server:
            return 1
        if failed := failures(status):
            say(f"==> this server will not be ready: {failed}\n")
            return 1
        waited = time.monotonic() - started
        if waited - told >= 15:
            told = waited
            say(f"==> loading, {waited:.0f} s so far\n")
        time.sleep(0.5)
    say(TRY.format(url=url, key=KEY if status.get("keys") else ""))
    return 0


def taken(url: str) -> bool:
    """By somebody else: our server is not there yet."""
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname, address.port), timeout=5).close()
    except OSError:
        return False
    return True


def looks(url: str) -> Iterator[dict[str, Any]]:
    """What the server says of itself, again and again; where it says that to keys alone, whether it is ready, which it tells everybody."""
    with suppress(PermissionError):
        while True:
            yield status_of(url)
    while True:
        yield {"ready": is_ready(url), "keys": True}


def status_of(url: str) -> dict[str, Any]:
    """Empty while the server does not answer yet. Raises PermissionError where it asks for a key."""
    try:
        with OPENER.open(f"{url}/v1/status", timeout=5) as answer:
            status: dict[str, Any] = json.load(answer)
            return status
    except HTTPError as error:
        if error.code in (401, 403):
            raise PermissionError from error
        return {}
    except (OSError, ValueError):
        return {}


def is_ready(url: str) -> bool:
    try:
        with OPENER.open(f"{url}/readyz", timeout=5):
            return True
    except OSError:
        return False


def failures(status: dict[str, Any]) -> str:
    engines = status.get("engines", {}).items()
    return "; ".join(f"{kind} has failed: {engine['detail']}" for kind, engine in engines if engine["state"] == "failed")


def say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
