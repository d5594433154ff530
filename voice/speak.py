"""Text to speech: whole or as it comes from a model, sentence by sentence, later sentences made while earlier ones play."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import anyio
import numpy as np

from models.base import Audio, SpeechJob, Voice, Word
from models.errors import EngineFailed
from voice.normalize import normalize as say
from voice.schedule import Scheduler
from voice.sentences import CLOSERS, ENDS, SentenceSplitter, speakable
from voice.words import WordTimes, WrittenWord

IDLE_SECONDS = 0.3
"""A text that ends a sentence and then pauses for this long is spoken without waiting for what follows."""
FOUND_AHEAD = 64
"""Sentences that may wait unspoken before the source of the text is slowed down."""
PIECE = 1000
"""Characters of a whole text that are split in one go."""
# Seconds put in at the voice's own pace. To be heard are some 0.17 s more: what the trimmer leaves of the silence at both ends.
# So a comma comes to what joe makes of one within a sentence (0.33 s), and the others stand to it as in reading aloud.
PAUSES = dict.fromkeys(",،、，—–", 0.15) | dict.fromkeys(";؛；:：", 0.2) | {"…": 0.4}
SENTENCE_PAUSE = 0.3
PARAGRAPH_PAUSE = 0.6


class Flush(Enum):
    """In the place of a piece of text: speak what has come, though it may not be the end of a sentence."""

    FLUSH = "flush"


Pieces = AsyncIterable[str | Flush]


@dataclass(frozen=True, slots=True)
class SentenceStarted:
    """`text` is the sentence as written (joined they are the input), `spoken` what the voice is given: empty if nothing is to be said.

    It stands at character `at` of the input.
    """

    index: int
    text: str
    spoken: str
    at: int


@dataclass(frozen=True, slots=True)
class SentenceAudio:
    """A piece of the sentence `index`; it begins `start` seconds after the beginning of the whole.

    `words` are those of the input whose times have become known with it, where they were asked for.
    """

    index: int
    audio: Audio
    start: float
    words: tuple[WrittenWord, ...] = ()


@dataclass(frozen=True, slots=True)
class SentenceEnded:
    """`seconds` of audio were delivered for the sentence, the pause before it included."""

    index: int
    seconds: float


SpeechEvent = SentenceStarted | SentenceAudio | SentenceEnded


@dataclass(frozen=True, slots=True)
class _Failure:
    """An exception on its way from the task where it happened to the caller."""

    error: Exception


_END = object()


@dataclass(frozen=True, slots=True)
class _Line:
    """A sentence that has been found. `chunks` receives its audio, then _END or a _Failure; `begun` is set at the first of these."""

    index: int
    text: str
    spoken: str
    chunks: asyncio.Queue[Any]
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def audio(self) -> AsyncGenerator[Audio, None]:
        while (item := await self.chunks.get()) is not _END:
            if isinstance(item, _Failure):
                raise item.error
            yield item


class _Utterance:
    """The tasks behind one call of `speak`: one reads the text, one submits sentences in order, and one per sentence collects its audio."""

    def __init__(self, make: Callable[[_Line], AsyncGenerator[Audio, None]], admit: Callable[[], None], lookahead: int) -> None:
        self._make = make
        self._admit = admit
        self._admitted = False
        self._slots = asyncio.Semaphore(lookahead + 1)
        self._found: asyncio.Queue[Any] = asyncio.Queue(FOUND_AHEAD)
        self._lines: asyncio.Queue[Any] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sounds = False
        self._idle: asyncio.TimerHandle | None = None

    def start(self, text: str | Pieces, splitter: SentenceSplitter, prepare: Callable[[str], str]) -> None:
        source = _pieces(text) if isinstance(text, str) else text
        self._spawn(self._read(source, splitter))
        self._spawn(self._submit(prepare))

    async def lines(self) -> AsyncGenerator[_Line, None]:
        """Every sentence in order, at latest when its predecessor has been delivered."""
        while (line := await self._lines.get()) is not _END:
            if isinstance(line, _Failure):
                raise line.error
            yield line
            self._slots.release()

    async def close(self) -> None:
        """Cancel all that is left, and wait until it is gone."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, source: Pieces, splitter: SentenceSplitter) -> None:
        try:
            async for piece in source:
                self._forget_idle()
                for sentence in splitter.flush() if isinstance(piece, Flush) else splitter.feed(piece):
                    await self._found.put(sentence)
                self._await_idle(splitter)
            for sentence in splitter.flush():
                await self._found.put(sentence)
            await self._found.put(_END)
        except Exception as error:
            await self._found.put(_Failure(error))
        except asyncio.CancelledError:
            # Either nobody listens any more, or the source was cancelled from within: then silence would last for ever.
            self._lines.put_nowait(_Failure(EngineFailed("the source of the text was cancelled")))
            raise
        finally:
            self._forget_idle()
            if hasattr(source, "aclose"):
                await source.aclose()

    def _await_idle(self, splitter: SentenceSplitter) -> None:
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._flush_idle, splitter)

    def _forget_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()

    def _flush_idle(self, splitter: SentenceSplitter) -> None:
        if self._found.full():  # there is enough to say for now
            self._await_idle(splitter)
            return
        for sentence in splitter.idle():
            self._found.put_nowait(sentence)

    async def _submit(self, prepare: Callable[[str], str]) -> None:
        index = 0
        try:
            while isinstance(found := await self._found.get(), str):
                await self._slots.acquire()
                line = _Line(index, found, prepare(found), asyncio.Queue())
                if line.spoken and not self._admitted:  # not sooner: who still writes does not wait for the engine
                    self._admit()
                    self._admitted = True
                self._spawn(self._collect(line))
                self._lines.put_nowait(line)
                index += 1
                if not self._sounds:  # later sentences would only take the engine's time from the first sound
                    await line.begun.wait()
            self._lines.put_nowait(found)
        except Exception as error:
            self._lines.put_nowait(_Failure(error))

    async def _collect(self, line: _Line) -> None:
        """Read a sentence's audio as fast as it is made: the engine must not wait for a slow client. Sentences are short, so are queues."""
        try:
            if line.spoken:
                async with aclosing(self._make(line)) as chunks:
                    async for audio in chunks:
                        line.chunks.put_nowait(audio)
                        self._sounds = True
                        line.begun.set()
            line.chunks.put_nowait(_END)
        except Exception as error:
            line.chunks.put_nowait(_Failure(_located(error, line.index)))
        except asyncio.CancelledError:
            line.chunks.put_nowait(_Failure(_located(EngineFailed("it was cancelled inside the engine"), line.index)))
            raise
        finally:
            line.begun.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def speak(
    text: str | Pieces,
    *,
    owner: str,
    voice: Voice,
    scheduler: Scheduler,
    speed: float = 1.0,
    seed: int | None = None,
    lookahead: int = 3,
    normalize: bool = True,
    language: str = "",
    clause_first: bool = False,
    words: bool = False,
    priority: int = 0,
) -> AsyncGenerator[SpeechEvent, None]:
    """Speak a text, or one that is still being written. Sentences are delivered strictly in order; up to `lookahead` are made ahead.

    `normalize=False` gives the voice the text as it is. `language` is another one than the voice's own. `clause_first` lets the first
    fragment end at a comma, to be heard sooner. `words` tells when each written word is heard, if the engine tells it of spoken ones.
    With a higher `priority` it goes before others.
    Closing it cancels everything it has submitted. Raises Overloaded before the first sentence that is to be heard; an EngineFailed names
    its sentence; what the source of the text raises comes after the sentences before it.
    """

    def make(line: _Line) -> AsyncGenerator[Audio, None]:
        return scheduler.synthesize(SpeechJob(owner, line.index, line.spoken, voice.id, speed, seed, language, priority=priority))

    def prepare(sentence: str) -> str:
        if normalize:
            return say(sentence, language or voice.language)
        return sentence.strip() if speakable(sentence) else ""

    with ExitStack() as served:
        utterance = _Utterance(make, lambda: served.enter_context(scheduler.serving(owner)), lookahead)
        try:
            utterance.start(text, SentenceSplitter(language or voice.language, clause_first=clause_first), prepare)
            async with aclosing(_deliver(utterance, speed, prepare if words else None)) as events:
                async for event in events:
                    yield event
        finally:
            await utterance.close()


async def _deliver(utterance: _Utterance, speed: float, say: Callable[[str], str] | None) -> AsyncGenerator[SpeechEvent, None]:
    """With word times if it is known how words are said."""
    clock, pause, at = 0.0, 0.0, 0
    async with aclosing(utterance.lines()) as lines:
        async for line in lines:
            yield SentenceStarted(line.index, line.text, line.spoken, at)
            begin = clock
            told = WordTimes(line.text, line.spoken, say, at) if say and line.spoken else None
            async with aclosing(_paused(line, pause)) as chunks:
                async for audio in chunks:
                    yield SentenceAudio(line.index, audio, clock, told.tell(_moved(audio.words, begin)) if told else ())
                    clock += audio.seconds
            at += len(line.text)
            yield SentenceEnded(line.index, clock - begin)
            pause = pause_after(line.text) / speed if clock > begin else pause


async def _paused(line: _Line, seconds: float) -> AsyncGenerator[Audio, None]:
    """The line's audio after a pause, if it has any. Word times count from the beginning of the pause."""
    pause = 0.0
    async with aclosing(line.audio()) as chunks:
        async for audio in chunks:
            if seconds:
                silence = Audio(np.zeros(round(seconds * audio.rate), np.int16), audio.rate)
                pause, seconds = silence.seconds, 0.0
                yield silence
            yield replace(audio, words=_moved(audio.words, pause))


def _moved(words: tuple[Word, ...], seconds: float) -> tuple[Word, ...]:
    return tuple(Word(word.text, word.start + seconds, word.end + seconds) for word in words)


def pause_after(sentence: str) -> float:
    """Seconds of silence that a reader leaves after this sentence or fragment; none where a sentence too long for one job was broken."""
    words = sentence.rstrip()
    lines = sentence.count("\n", len(words))
    if lines > 1 or (lines and words.lstrip().startswith("#")):
        return PARAGRAPH_PAUSE
    ending = words.rstrip(CLOSERS + " \t").replace("...", "…")
    return PAUSES.get(ending[-1:], SENTENCE_PAUSE if lines or ending.endswith(tuple(ENDS)) else 0.0)


async def _pieces(text: str) -> AsyncGenerator[str, None]:
    """A long text bit by bit, so that a book is neither split at once on the event loop nor held in pieces all at once."""
    for start in range(0, len(text), PIECE):
        yield text[start : start + PIECE]


def _located(error: Exception, index: int) -> Exception:
    """The same kind of error, saying where in the text it happened, but not the words: those do not belong into logs."""
    if not isinstance(error, EngineFailed):
        return error
    located = type(error)(f"sentence {index + 1} of the text could not be spoken: {error}")
    located.__cause__ = error
    return located
