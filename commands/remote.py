"""A running Fireside server as the engine: each sentence is one request, and all else is as it is with an engine of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
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
            raise broken_off(self.client, error) from error

    async def _answer(self, job: SpeechJob) -> AsyncGenerator[bytes, None]:
        async with patient(self.client, "/v1/audio/speech", self._request(job)) as answer:
            async for chunk in answer.aiter_bytes():
                yield chunk

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
        client = httpx.AsyncClient(base_url=address, headers=headers, timeout=TIMEOUT, mounts=_past_proxies(httpx.URL(address).host))
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidInput(f"--server: {url!r} is no address ({error}): expected one such as http://127.0.0.1:3000") from None
    async with client:
        yield client


def _past_proxies(host: str) -> dict[str, None]:
    """Of this machine a proxy knows nothing, and it would be told the prompts and the key."""
    return {f"all://[{host}]" if ":" in host else f"all://{host}": None} if _is_loopback(host) else {}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@asynccontextmanager
async def patient(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], tell: Callable[[str], None] | None = None
) -> AsyncGenerator[httpx.Response, None]:
    """The answer, once the server is neither loading nor too busy: a book is not given up for that. `tell` is told why it waits.

    Raises EngineFailed with the server's words.
    """
    waited = 0.0
    while True:
        async with client.stream("POST", path, json=body) as answer:
            if not answer.is_error:
                yield answer
                return
            await answer.aread()
        pause = _come_back_in(answer)
        if pause is None or waited + pause > LONGEST_WAIT:
            raise EngineFailed(_words(answer))
        if tell:
            tell(_words(answer))
        waited += pause
        await asyncio.sleep(pause)


async def text_models(client: httpx.AsyncClient) -> list[str]:
    """Raises FiresideError with the server's words."""
    answer = await _get(client, "/v1/models")
    try:
        return [str(entry["id"]) for entry in answer.json()["data"] if entry.get("kind", "text") == "text"]
    except (ValueError, KeyError, TypeError) as error:
        raise FiresideError(f"{answer.url} did not answer with a list of models: is a Fireside server there?") from error


async def voices(client: httpx.AsyncClient) -> Catalog:
    """Raises FiresideError with the server's words."""
    answer = await _get(client, "/v1/audio/voices")
    try:
        found = answer.json()
        listed = tuple(_voice(entry) for entry in found["data"])
        return Catalog(listed, voice_aliases=found["aliases"])
    except (ValueError, KeyError, TypeError) as error:
        raise FiresideError(f"{answer.url} did not answer with a list of voices: is a Fireside server there?") from error


async def _get(client: httpx.AsyncClient, path: str) -> httpx.Response:
    try:
        answer = await client.get(path)
    except httpx.TransportError as error:
        raise unreachable(client, error) from error
    if answer.is_error:
        raise FiresideError(_words(answer))
    return answer


def _voice(entry: dict[str, Any]) -> Voice:
    return Voice(entry["id"], entry["model"], entry["language"], entry["sample_rate"])


def _come_back_in(answer: httpx.Response) -> float | None:
    """Seconds; None where another try would change nothing."""
    after = answer.headers.get("retry-after", "")
    return max(1.0, float(after)) if answer.status_code in BUSY and after.isdecimal() else None


def unreachable(client: httpx.AsyncClient, error: httpx.TransportError) -> FiresideError:
    return FiresideError(f"no server answers at {client.base_url} ({_why(error)}): start one with `fireside serve`")


def broken_off(client: httpx.AsyncClient, error: httpx.TransportError) -> EngineFailed:
    return EngineFailed(f"{client.base_url} broke off ({_why(error)}): see the server's log")


def _words(answer: httpx.Response) -> str:
    """Of an OpenAI error body; what else comes is told as it is."""
    try:
        words = str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        words = f"{answer.url} answered {answer.status_code} {answer.reason_phrase}"
    return f"{words} Give the server's key with --api-key or $FIRESIDE_API_KEY." if answer.status_code == 401 else words


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
