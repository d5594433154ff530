"""What the server and a worker say to each other: a JSON head and raw bytes behind it, each with its length in front.

    server -> worker   load {class, config, step_timeout} · cancel {id} · the jobs of its kind {id, ...}
    worker -> server   ready {device, ...} · what is made of a job {id, ...} · done {id} · failed {id, error, message} · hung {message}

`failed` without an id is about the worker itself: it could not load. What the jobs of a kind look like is told by the codec of its kind.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

_LENGTHS = struct.Struct("<II")
PREFIX = _LENGTHS.size
LAST = ("done", "failed")
"""The kinds of frames behind which nothing comes for a job."""


@dataclass(frozen=True, slots=True)
class Frame:
    head: dict[str, Any]
    body: bytes = b""


def encode(head: dict[str, Any], body: bytes = b"") -> bytes:
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    return _LENGTHS.pack(len(text), len(body)) + text + body


def lengths(prefix: bytes) -> tuple[int, int]:
    """Of the head and of the body that follow."""
    head, body = _LENGTHS.unpack(prefix)
    return head, body


def decode(rest: bytes, head: int) -> Frame:
    """`rest` is all behind the prefix; its first `head` bytes are the head."""
    return Frame(json.loads(rest[:head]), rest[head:])
