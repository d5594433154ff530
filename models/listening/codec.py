"""How listening looks on the wire (models/wire.py) between the server and its worker. Audio is float32 samples in the body.
`begun` is when the job had its first turn, by time.monotonic().

server -> worker   audio {id} + a part of the job's samples · transcribe {id, job} once they are all there
                   detect {id} · windows {id, number} + whole windows
worker -> server   ready {model} · language {id, begun, code, probability} · segment {id, begun, segment}
                   probabilities {id, number} + float32
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.base import Heard, Language, ListeningJob, Segment, Word
from models.wire import Frame

PART = 1 << 18
"""Samples in one frame: a recording of an hour must not hold up the windows of a conversation."""


def parts(samples: NDArray[np.float32]) -> Iterator[bytes]:
    return (samples[start : start + PART].tobytes() for start in range(0, len(samples), PART))


def samples_of(content: bytes | bytearray) -> NDArray[np.float32]:
    return np.frombuffer(content, np.float32)


def job_head(job: ListeningJob) -> dict[str, Any]:
    return {"job": {name: getattr(job, name) for name in job.__dataclass_fields__ if name != "samples"}}


def job_of(head: dict[str, Any], content: bytes | bytearray) -> ListeningJob:
    return ListeningJob(samples=samples_of(content), **head["job"])


def heard_head(heard: Heard) -> dict[str, Any]:
    if isinstance(heard, Language):
        return {"kind": "language", **asdict(heard)}
    return {"kind": "segment", "segment": asdict(heard)}


def heard_of(frame: Frame) -> Heard:
    head = frame.head
    if head["kind"] == "language":
        return Language(head["code"], head["probability"])
    told = head["segment"]
    words = tuple(Word(**word) for word in told["words"])
    return Segment(**told | {"words": words, "tokens": tuple(told["tokens"])})
