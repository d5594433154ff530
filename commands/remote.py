"""A running Fireside server as the engine: each sentence is one request, and all else is as it is with an engine of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx

from models.base import Audio, SpeechJob, Voice
from models.errors import EngineFailed, FiresideError, InvalidInput
from voice.catalog import Catalog
from voice.normalize import normalize
from voice.wav import WavStream

TIMEOUT = httpx.Timeout(10, read=300)
MODEL = "tts-1"
BUSY = {429, 503}
LONGEST_WAIT = 300.0
"""Seconds that a sentence waits in all for a server that says when to come back."""


@dataclass(frozen=True, slots=True)
class Remote:
    """`voice`, and `model`, as the user named them: the server's own defaults where they are empty."""

    client: httpx.AsyncClient
    voice: str
    model: str
    language: str
    normalize: bool

    # One is heard while the next is made; more would only take turns with other clients' sentences.
    concurrency: ClassVar[int] = 2

    async def synthesize(self, job: SpeechJob) -> AsyncGenerator[Audio, None]:
        """Raises EngineFailed with the server's words."""
        if self.normalize and not normalize(job.text, self.language):
            return  # the server would refuse it
        stream = WavStream()
        try:
            async with aclosing(self._answer(job)) as chunks:
                async for chunk in chunks:
                    samples = stream.feed(chunk)
                    if len(samples):
                        yield Audio(samples, stream.rate)
        except httpx.TransportError as error:
            raise EngineFailed(f"{self.client.base_url} broke off ({_why(error)}): see the server's log") from error

    async def _answer(self, job: SpeechJob) -> AsyncGenerator[bytes, None]:
        """The body, once the server is not too busy: a book is not given up for that."""
        waited = 0.0
        while True:
            async with self.client.stream("POST", "/v1/audio/speech", json=self._request(job)) as answer:
                if not answer.is_error:
                    async for chunk in answer.aiter_bytes():
                        yield chunk
                    return
                await answer.aread()
            pause = _come_back_in(answer)
            if pause is None or waited + pause > LONGEST_WAIT:
                raise EngineFailed(_words(answer))
            waited += pause
            await asyncio.sleep(pause)

    def _request(self, job: SpeechJob) -> dict[str, Any]:
        wanted = {
            "model": self.model or MODEL,
            "input": job.text,
            "response_format": "wav",
            "speed": job.speed,
            "normalize": self.normalize,
        }
        return wanted | ({"voice": self.voice} if self.voice else {}) | ({"seed": job.seed} if job.seed is not None else {})


@asynccontextmanager
async def connected(url: str, key: str) -> AsyncGenerator[httpx.AsyncClient, None]:
    """Raises InvalidInput for what is no address of a server."""
    address = url.rstrip("/").removesuffix("/v1")
    if not address.startswith(("http://", "https://")):
        raise InvalidInput(f"--server: expected an address such as http://127.0.0.1:3000; got {url!r}")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        client = httpx.AsyncClient(base_url=address, headers=headers, timeout=TIMEOUT)
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidInput(f"--server: {url!r} is no address ({error}): expected one such as http://127.0.0.1:3000") from None
    async with client:
        yield client


async def voices(client: httpx.AsyncClient) -> Catalog:
    """Raises FiresideError with the server's words."""
    try:
        answer = await client.get("/v1/audio/voices")
    except httpx.TransportError as error:
        raise FiresideError(f"no server answers at {client.base_url} ({_why(error)}): start one with `fireside serve`") from error
    if answer.is_error:
        raise FiresideError(_words(answer))
    try:
        found = answer.json()
        listed = tuple(_voice(entry) for entry in found["data"])
        return Catalog(listed, voice_aliases=found["aliases"])
    except (ValueError, KeyError, TypeError) as error:
        raise FiresideError(f"{answer.url} did not answer with a list of voices: is a Fireside server there?") from error


def _voice(entry: dict[str, Any]) -> Voice:
    return Voice(entry["id"], entry["model"], entry["language"], entry["sample_rate"])


def _come_back_in(answer: httpx.Response) -> float | None:
    """Seconds; None where another try would change nothing."""
    after = answer.headers.get("retry-after", "")
    return max(1.0, float(after)) if answer.status_code in BUSY and after.isdecimal() else None


def _words(answer: httpx.Response) -> str:
    """Of an OpenAI error body; what else comes is told as it is."""
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.url} answered {answer.status_code} {answer.reason_phrase}"


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
