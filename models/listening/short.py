"""One turn of a conversation through Whisper, as soon as possible: one reading, and without encoding silence up to 30 seconds.

CTranslate2's encoder takes fewer frames than Whisper was trained on. Then the decoder may not find the end, and repeat itself; it does find
it where it has to tell times, and hears PADDING seconds of silence behind the speech. docs/listening.md has the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_compression_ratio, get_suppressed_tokens

from models.base import LISTENING_RATE, Language, ListeningJob, Segment

PADDING = 1.5
LONGEST = 30.0 - PADDING
"""Seconds of a turn that still has its padding within Whisper's window."""
_TIMES = 0.02
_REPETITIVE = 2.4
_UNLIKELY = -1.0
_SILENT = 0.6
_HARDLY_LIKELY = -0.8


class Turn:
    """`segments` is what was heard; `doubtful` that it is to be heard again, with all of Whisper's means."""

    def __init__(self, whisper: WhisperModel, job: ListeningJob) -> None:
        self._whisper = whisper
        self._job = job
        self._seconds = len(job.samples) / LISTENING_RATE
        encoded = whisper.encode(self._features())
        self.language = self._language(encoded)
        read = self._read(encoded)
        silent = read.no_speech_prob > _SILENT and read.avg_logprob < _HARDLY_LIKELY
        unlikely = read.compression_ratio > _REPETITIVE or read.avg_logprob < _UNLIKELY
        self.doubtful = not silent and (unlikely or self._endless)
        self.segments = [] if silent or not read.text.strip() else [read]

    def _features(self) -> Any:
        features = self._whisper.feature_extractor(np.pad(self._job.samples, (0, int(PADDING * LISTENING_RATE))))
        frames = min(features.shape[-1], 3000) // 2 * 2  # the encoder's convolution takes two at a time
        return np.ascontiguousarray(features[:, :frames])

    def _language(self, encoded: Any) -> Language:
        if not self._whisper.model.is_multilingual:
            return Language("en", 1.0)
        if self._job.language:
            return Language(self._job.language, 1.0)
        token, probability = self._whisper.model.detect_language(encoded)[0][0]
        return Language(token.strip("<|>"), float(probability))

    def _read(self, encoded: Any) -> Segment:
        whisper, job = self._whisper, self._job
        tokenizer = Tokenizer(whisper.hf_tokenizer, whisper.model.is_multilingual, task=job.task, language=self.language.code)
        before = tokenizer.encode(" " + job.prompt.strip()) if job.prompt.strip() else []
        prompt = whisper.get_prompt(tokenizer, before)
        # Nobody says more in the time: one that repeats itself is stopped there.
        most = 12 + int(6 * self._seconds)
        result = whisper.model.generate(
            encoded,
            [prompt],
            beam_size=1,
            max_length=min(max(2 * most, len(prompt) + most), whisper.max_length),  # of which CTranslate2 makes half
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
        )[0]
        told = self._segment(tokenizer, result.sequences_ids[0])
        self._endless = len(told.tokens) >= most
        likely = float(result.scores[0]) * len(told.tokens) / (len(told.tokens) + 1)
        return replace(told, avg_logprob=likely, no_speech_prob=float(result.no_speech_prob))

    def _segment(self, tokenizer: Tokenizer, tokens: Sequence[int]) -> Segment:
        tokens = self._until_the_end(tokens, tokenizer.timestamp_begin)
        text = tokenizer.decode(tokens)
        times = [(token - tokenizer.timestamp_begin) * _TIMES for token in tokens if token >= tokenizer.timestamp_begin]
        start, end = (times[0], times[-1]) if len(times) > 1 else (0.0, self._seconds)
        ratio = float(get_compression_ratio(text.strip())) if text.strip() else 1.0
        return Segment(text, start, min(end, self._seconds), tokens=tuple(tokens), compression_ratio=ratio)

    def _until_the_end(self, tokens: Sequence[int], first_time: int) -> Sequence[int]:
        """Whisper may go on behind what is the end by its own times, and say it all again."""
        for place, token in enumerate(tokens[1:], 1):
            if (token - first_time) * _TIMES >= self._seconds - _TIMES:
                return tokens[: place + 1]
        return tokens
