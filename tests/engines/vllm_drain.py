"""Started by test_vllm_failures.py: holds one generation of 150 tokens through a SIGTERM, as a server does."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import settings
from models.base import Sampling, TextRequest
from models.text.vllm import VllmEngine


async def main(folder: Path) -> None:
    engine = VllmEngine("m", lambda: folder, settings.load("cpu").text)
    await engine.start()
    terminated = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
    request = TextRequest("held", prompt="Count:", sampling=Sampling(temperature=0, max_tokens=150))
    stream = engine.generate(request)
    tokens = (await anext(stream)).tokens
    print("SPEAKING", flush=True)
    await terminated.wait()
    async for chunk in stream:
        tokens += chunk.tokens
    await engine.stop()
    print("TOKENS", tokens, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
