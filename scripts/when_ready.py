"""Say when the server is ready, with three commands to try. `make serve PORT=...` runs it beside the server and it ends with it."""

from __future__ import annotations

import os
import sys
import time
from urllib.request import urlopen

TRY = r"""
Fireside is ready at {url}. In another terminal, try:

  curl {url}/v1/chat/completions -H 'Content-Type: application/json' -d '{{"model": "gpt-4o-mini", "messages": [{{"role": "user", "content": "What is the capital of France?"}}]}}'

  curl {url}/v1/audio/speech -H 'Content-Type: application/json' -d '{{"model": "tts-1", "voice": "alloy", "input": "Hello from the fireside."}}' -o hello.mp3

  curl -N {url}/generate -H 'Content-Type: application/json' -d '{{"prompt": "Once upon a time", "max_tokens": 60}}'

"""  # noqa: E501 - each command is one line, to be copied


def is_ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/readyz", timeout=5):
            return True
    except OSError:  # not listening yet, or 503: still loading
        return False


def main(url: str) -> None:
    server, started, told = os.getppid(), time.monotonic(), 0.0
    while not is_ready(url):
        if os.getppid() != server:
            return
        waited = time.monotonic() - started
        if waited - told >= 15:
            told = waited
            say(f"==> loading, {waited:.0f} s so far\n")
        time.sleep(0.5)
    say(TRY.format(url=url))


def say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


if __name__ == "__main__":
    main(f"http://127.0.0.1:{sys.argv[1]}")
