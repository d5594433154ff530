"""One spoken question to a model, and its parts one at a time: what each takes, in seconds, with nothing else going on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import orjson

from benchmarks import talking, voice
from benchmarks.talking import Samples, talker
from benchmarks.wire import events, request
from voice.sentences import SentenceSplitter

INSTRUCTIONS = "You are a helpful assistant. Answer in six short sentences."
SENTENCES = 6
MOST = 400
"""Tokens in which six sentences come, or never."""


class Unfit(Exception):
    """The model's answer is too short to measure with."""


@dataclass(frozen=True, slots=True)
class Question:
    """`tokens`: the model's answer to it is cut there, at the end of its sixth sentence."""

    text: str
    samples: Samples
    tokens: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a conversation, in seconds since the last sound of the question. `heard` is its transcript."""

    stopped: float
    transcribed: float
    sentence: float
    audio: float
    audible: float
    heard: str
    said: str
    samples: Samples


@dataclass(frozen=True, slots=True)
class Parts:
    """Each by itself: from the last sound to the end of the turn, then its transcript, the first sentence to speak, and its first audio."""

    waiting: float
    transcription: float
    sentence: float
    audio: float

    @property
    def total(self) -> float:
        return self.waiting + self.transcription + self.sentence + self.audio


async def asked(port: int, text: str) -> Question:
    """Spoken by the server's own voice. Raises Unfit for a question that is answered in fewer sentences."""
    splitter, found, tokens = SentenceSplitter(), 0, 0
    async for delta in _answer(port, text, MOST):
        tokens += 1
        found += len(splitter.feed(delta))
        if found >= SENTENCES:
            return Question(text, await recording(port, text), tokens)
    raise Unfit(f"{text!r} is answered in {found} sentences")


async def recording(port: int, text: str) -> Samples:
    wanted = {"model": "tts-1", "input": text, "response_format": "pcm", "seed": 1}
    async with request(port, "POST", "/v1/audio/speech", orjson.dumps(wanted)) as reply:
        return np.frombuffer(await reply.body(), "<i2")


async def conversing(port: int, question: Question) -> Turn:
    """As a person does: it is spoken, and the answer is listened to."""
    async with talker(port, **_session(question)) as one:
        end = (await one.say(question.samples))[1]
        await one.until("response.done")
        noted = one.noted
    heard = noted.of("conversation.item.input_audio_transcription.completed")[0]["transcript"]
    said = noted.of("response.output_audio_transcript.done")[0]["transcript"]
    arrivals = [noted.at(kind) - end for kind in _MARKS]
    return Turn(*arrivals, noted.audible() - end, heard, said, noted.audio())


async def alone(port: int, question: Question, turn: Turn) -> Parts:
    """The parts of that turn."""
    first = next(iter(SentenceSplitter(clause_first=True).feed(turn.said + " x")), turn.said)
    return Parts(
        await _waiting(port, question),
        await _transcription(port, question),
        await _first_sentence(port, question.text),
        (await voice.speak(port, "http", first.strip())).first,
    )


async def in_a_row(port: int, question: Question) -> float:
    """A pipeline without overlap: the turn's end, its transcript, the whole answer, the whole speech. Seconds to the first sample."""
    waiting = await _waiting(port, question)
    began = perf_counter()
    await _transcription(port, question)
    text = "".join([delta async for delta in _answer(port, question.text, question.tokens)])
    await recording(port, text)
    return waiting + perf_counter() - began


_MARKS = (
    "input_audio_buffer.speech_stopped",
    "conversation.item.input_audio_transcription.completed",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
)


def _session(question: Question, **turn_detection: Any) -> dict[str, Any]:
    return {
        "instructions": INSTRUCTIONS,
        "max_output_tokens": question.tokens,
        "audio": {"input": {"transcription": {"language": "en"}, "turn_detection": {"type": "server_vad", **turn_detection}}},
    }


async def _waiting(port: int, question: Question) -> float:
    async with talker(port, **_session(question, create_response=False)) as one:
        end = (await one.say(question.samples))[1]
        return await one.until("input_audio_buffer.speech_stopped") - end


async def _transcription(port: int, question: Question) -> float:
    hears = {"transcription": {"language": "en"}, "turn_detection": None}
    async with talker(port, microphone=False, audio={"input": hears}) as one:
        await one.append(question.samples[: talking.speech(question.samples)[1]])
        await one.send("input_audio_buffer.commit")
        committed = await one.until("input_audio_buffer.committed")
        return await one.until("conversation.item.input_audio_transcription.completed") - committed


async def _first_sentence(port: int, text: str) -> float:
    """Or clause, where an answer may be spoken from."""
    splitter, began = SentenceSplitter(clause_first=True), perf_counter()
    async for delta in _answer(port, text, MOST):
        if splitter.feed(delta):
            return perf_counter() - began
    return perf_counter() - began


async def _answer(port: int, text: str, tokens: int) -> AsyncIterator[str]:
    messages = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": text}]
    wanted = {"model": "gpt-4o-mini", "messages": messages, "max_tokens": tokens, "stream": True}
    async with request(port, "POST", "/v1/chat/completions", orjson.dumps(wanted)) as reply:
        async for _, data in events(reply.pieces):
            if data != b"[DONE]" and (choices := orjson.loads(data)["choices"]) and (delta := choices[0]["delta"].get("content")):
                yield delta
