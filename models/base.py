"""The contract between the server and its engines: four small protocols and the plain types they exchange.

Nothing here knows HTTP, torch or vLLM. Everything an engine takes or gives is one of these types; audio travels with its rate.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

FinishReason = Literal["stop", "length", "abort", "error"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to choose tokens; `None` leaves the choice to the model's own defaults."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextRequest:
    """Exactly one of `prompt` (a completion) and `messages` (a chat: dicts with `role` and `content`) is given."""

    request_id: str
    prompt: str | None = None
    messages: tuple[dict[str, Any], ...] = ()
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True, slots=True)
class TextChunk:
    """New text since the last chunk, the number of tokens it stands for, and why the stream ends (last chunk only)."""

    text: str
    tokens: int
    finish_reason: FinishReason | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What an engine is doing now, in requests (text), sentences (speech) or recordings (listening)."""

    running: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Voice:
    """One voice a client can ask for. `id` is unique over all loaded models; `language` is BCP 47."""

    id: str
    model: str
    language: str
    rate: int
    """Samples per second of what the engine makes."""
    licence: str = "unknown"
    description: str = ""
    languages: tuple[str, ...] = ()
    """All that it speaks, where a job can ask for another than its own."""
    word_times: bool = False
    """Whether its audio carries the times of its words."""


@dataclass(frozen=True, slots=True)
class SpeechJob:
    """One sentence to speak. `owner` is the id of the request it belongs to: audio goes to its owner and to nobody else."""

    owner: str
    index: int
    """Position of the sentence in its owner's text, from 0."""
    text: str
    """Normalised text: what is to be said, in words."""
    voice: str
    speed: float = 1.0
    """1 is the voice's own pace, 2 twice as fast."""
    seed: int | None = None
    language: str = ""
    """One of the voice's languages; "" is its own."""
    plays_at: float | None = None
    """When its owner will have played all before it, by time.monotonic(), which a machine's processes share; None: it hears nothing yet."""
    priority: int = 0
    """So many seconds earlier than it did its client counts as having asked: so it goes before others."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a job's text, and when it is heard: seconds from the first sample of the sentence's audio."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Audio:
    """Mono PCM: int16 samples of shape [n] and their rate in Hz.

    `words` are those whose times are known by now and were not told before; empty from engines that do not know them.
    """

    samples: NDArray[np.int16]
    rate: int
    words: tuple[Word, ...] = ()

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


LISTENING_RATE = 16000
"""Samples per second of all audio that is listened to: float32 in -1..1, mono, of shape [n]."""
WINDOW = 512
"""Samples behind each probability of speech."""

Task = Literal["transcribe", "translate"]


@dataclass(frozen=True, slots=True)
class ListeningJob:
    """Audio to be written down. `owner` is the id of the request it belongs to."""

    owner: str
    samples: NDArray[np.float32]
    task: Task = "transcribe"
    """translate is into English."""
    language: str = ""
    """BCP 47; "" is found out from the audio."""
    prompt: str = ""
    """Text that stands before it: names and a style to follow."""
    temperature: float | None = None
    """None begins at 0 and goes up where the text does not fit the audio."""
    words: bool = False
    """Tell when each word is heard."""
    urgent: bool = False
    """Somebody waits in a conversation: it goes before files."""
    priority: int = 0
    """Of both kinds those with a higher one go first."""


@dataclass(frozen=True, slots=True)
class Language:
    """What the audio is in, as BCP 47, told once before the first segment; `probability` is 1 where the job said so."""

    code: str
    probability: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the transcript; times in seconds from the beginning of the audio. Joined, the texts are the transcript."""

    text: str
    start: float
    end: float
    words: tuple[Word, ...] = ()
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 1.0
    no_speech_prob: float = 0.0


Heard = Language | Segment


@runtime_checkable
class Engine(Protocol):
    """The life of an engine. `start` returns once it is loaded and warm; after that, `died` returns when it has died, saying why."""

    name: str

    async def start(self) -> None:
        """Load and warm up. Raises EngineFailed or WeightsError. May be called again after `stop`."""

    async def stop(self) -> None:
        """Release everything: processes, memory, sockets. Requests in flight get EngineDied. Idempotent."""

    async def died(self) -> str:
        """Wait until a started engine dies of itself and return why. Never returns for a healthy or stopped one."""

    def load(self) -> Load:
        """What is running and waiting now, without a probe."""

    @property
    def progress(self) -> int:
        """Changes with all that is made in it for clients: steps of tokens, windows, segments."""

    async def probe(self) -> None:
        """Make the least that it can make, for nobody. Whatever comes of it is a sign of life, an error too."""

    async def kill(self, why: str) -> None:
        """End one that hangs, at once: requests in it get EngineDied, and `died` returns `why`."""


class TextEngine(Engine, Protocol):
    """A language model. Closing the iterator of `generate` aborts the request at once, on the GPU too."""

    def generate(self, request: TextRequest) -> AsyncGenerator[TextChunk, None]:
        """Stream text. Bad input is refused at the first `anext` (InvalidInput, ContextTooLong); EngineDied if it dies on the way."""

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The engine's OpenAI routes (/v1/chat/completions, /v1/completions, ...). Only called while ready."""

    @property
    def alive(self) -> bool:
        """False once one of its requests may know of its death, which `died` returns a moment later."""

    def described(self) -> dict[str, Any]:
        """Those routes as an OpenAPI document, the same object until the next load. NotReady."""


class SpeechEngine(Engine, Protocol):
    """Makes speech. Closing the iterator of `synthesize` cancels the job at its next window."""

    concurrency: int
    """How many jobs it wants at once to stay busy; more only wait inside it."""

    def voices(self) -> tuple[Voice, ...]:
        """Known once started; empty before."""

    def synthesize(self, job: SpeechJob) -> AsyncGenerator[Audio, None]:
        """Stream the audio of one sentence, in order. UnknownVoice, EngineDied, or EngineFailed for this job alone."""


class Detector(Protocol):
    """Says of one stream of audio where somebody speaks."""

    async def feed(self, samples: NDArray[np.float32]) -> list[float]:
        """The probabilities of speech of all windows that are complete with these samples, in order. EngineDied."""

    async def close(self) -> None:
        """Forget the stream. Idempotent."""


class ListeningEngine(Engine, Protocol):
    """Writes down what is said. Closing the iterator of `transcribe` cancels the job at its next segment."""

    @property
    def model(self) -> str:
        """The name of what it listens with, once started; empty before."""

    def transcribe(self, job: ListeningJob) -> AsyncGenerator[Heard, None]:
        """The language, then segments as they are found. EngineDied, or EngineFailed for this job alone."""

    async def detector(self) -> Detector:
        """For a new stream. NotReady, EngineDied."""


@dataclass(frozen=True, slots=True)
class Room:
    """Sentences that can be in the making at once: so many `places` of what `name` stands for."""

    name: Hashable
    places: int


class Renderer(Protocol):
    """The synchronous half of a speech engine: it lives in the worker process, and only there is torch imported."""

    threads: int
    """How many threads it renders on: so many streams are advanced at once, each by one thread at a time, not always the same."""

    def voices(self) -> tuple[Voice, ...]: ...

    def room(self, job: SpeechJob) -> Room | None:
        """What this job takes a place in from its first window to its last; None where there is no limit."""

    def render(self, job: SpeechJob, cancelled: Callable[[], bool]) -> Iterator[Audio]:
        """The Audio of one sentence, window by window; it asks `cancelled` between windows and returns early when that is true."""


class Listener(Protocol):
    """The synchronous half of a listening engine, in its worker process: only there are CTranslate2 and onnxruntime imported."""

    model: str
    device: str
    threads: int
    """How many recordings it transcribes at once, beside one job that is urgent."""

    def transcribe(self, job: ListeningJob, cancelled: Callable[[], bool]) -> Iterator[Heard | None]:
        """The language, then segments. None where there is nothing new yet: between two items another job may have its turn, on another
        thread. While it makes none for long it asks `cancelled` now and then, and ends when that is true: one that does neither hangs."""

    def detector(self) -> Callable[[NDArray[np.float32]], float]:
        """For a new stream: what is called with one WINDOW after the other gives the probability of speech of each."""
