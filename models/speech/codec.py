"""How speech looks on the wire (models/wire.py) between the server and its worker.

server -> worker   render {id, job}
worker -> server   ready {voices, device} · audio {id, rate, words} + int16 samples
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from models.base import Audio, SpeechJob, Voice, Word
from models.wire import Frame


def job_head(job: SpeechJob) -> dict[str, Any]:
    return {"job": asdict(job)}


def job_of(head: dict[str, Any]) -> SpeechJob:
    return SpeechJob(**head["job"])


def audio_head(audio: Audio) -> dict[str, Any]:
    return {"kind": "audio", "rate": audio.rate, "words": [(word.text, word.start, word.end) for word in audio.words]}


def audio_of(frame: Frame) -> Audio:
    words = tuple(Word(*word) for word in frame.head["words"])
    return Audio(np.frombuffer(frame.body, np.int16), int(frame.head["rate"]), words)


def voices_head(voices: tuple[Voice, ...]) -> dict[str, Any]:
    return {"voices": [asdict(voice) for voice in voices]}


def voices_of(head: dict[str, Any]) -> tuple[Voice, ...]:
    return tuple(Voice(**told | {"languages": tuple(told["languages"])}) for told in head["voices"])
