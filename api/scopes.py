"""Which scopes of a key a route asks for."""

from __future__ import annotations

from api import chat_stream, text, transcriptions
from api.realtime import answer

OPEN = frozenset({"/", "/livez", "/readyz"})
"""Nothing but whether the server lives, and the page, whose files are public."""
PAGE = "/web/"
METRICS = "/metrics"
UPLOADS = frozenset(transcriptions.ROUTES)

_EVERYTHING = ("text", "speech", "listening")
_EXACT: dict[str, tuple[str, ...]] = {
    METRICS: ("admin",),
    "/generate": ("text",),
    "/ws": ("speech",),
    "/v1/audio/speech": ("speech",),
    answer.ROUTE: _EVERYTHING,
    chat_stream.ROUTE: ("text",),
    **dict.fromkeys(UPLOADS, ("listening",)),
    **{route: ("text",) for route in text.ROUTES if "{" not in route},
}
_BELOW: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("/v1/audio/speech/", ("speech",)),
    ("/v1/text-to-speech/", ("speech",)),
    *((route.partition("{")[0], ("text",)) for route in text.ROUTES if "{" in route),
)


def is_open(path: str) -> bool:
    return path in OPEN or path.startswith(PAGE)


def wanted(path: str) -> tuple[str, ...]:
    """What is not named here, such as /v1/models, asks for a key, whatever it opens."""
    if (found := _EXACT.get(path)) is not None:
        return found
    return next((scopes for prefix, scopes in _BELOW if path.startswith(prefix)), ())


def works(path: str) -> bool:
    """A request to it is work for an engine, and counts against the limits of its key."""
    return path != METRICS and bool(wanted(path))
