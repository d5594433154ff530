"""What is known of a request once it is over, an entry of the log: whose it was, what it took, and how it ended.

A socket has an entry for each utterance, answer or refusal, and one for its end. Metrics, traces and logs all read the same entries.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from models import work
from models.work import Work

Event = Literal["request", "utterance", "response", "transcript", "message", "socket"]
OTHER = "other"
"""The route of what is none of ours: of paths that nobody serves there is no end."""


@dataclass(eq=False)
class Entry(Work):
    event: Event = "request"
    request_id: str = ""
    key: str = ""
    """The name of the client's key; empty where none is needed."""
    method: str = ""
    route: str = ""
    """As it is declared, with its parameters' names."""
    status: int = 0
    """Of the HTTP answer; 101 for a socket that was accepted."""
    outcome: str = ""
    """ok, cancelled, or the error's code: the label of fireside_requests_total."""
    code: str | None = None
    """Of the error, if there is one."""
    gone: bool = False
    """The client left before the end."""
    model: str = ""
    voice: str = ""
    ttft: float | None = None
    ttfa: float | None = None
    """From the request, or the end of the user's turn."""
    first_token: float = 0.0
    first_audio: float = 0.0
    """Moments, by the clock of `began`; 0 where there was none."""
    audio_seconds: float = 0.0
    stalled_seconds: float = 0.0
    """That who plays the audio as it is made had nothing to play."""
    heard_seconds: float = 0.0
    contents: dict[str, str] = field(default_factory=dict)
    """What was said, where that is to be logged."""
    trace_id: str = ""
    headers: Iterable[tuple[bytes, bytes]] = ()
    began: float = field(default_factory=time.perf_counter)
    began_at: float = field(default_factory=time.time)
    """The same moment, by the wall's clock, in seconds."""
    finished: float = 0.0

    @property
    def seconds(self) -> float:
        return self.finished - self.began

    @property
    def on_socket(self) -> bool:
        """Of a socket that was opened: its requests are what comes over it."""
        return self.event == "socket" and self.status == 101

    def part(self, event: Event, route: str) -> Entry:
        """Of a socket: one thing that is done on it."""
        return Entry(
            event=event, request_id=self.request_id, key=self.key, method=self.method, route=route, status=self.status, headers=self.headers
        )


Reader = Callable[[Entry], None]
readers: list[Reader] = []
"""Who reads each entry, in this order."""


def current() -> Entry:
    """Of the request that is served here; one that nobody reads where there is none."""
    found = work.known()
    return found if isinstance(found, Entry) else Entry()


def tell(entry: Entry) -> None:
    """It is over."""
    entry.finished = time.perf_counter()
    entry.settle()
    for read in readers:
        read(entry)
