"""What one client may take of the server."""

from __future__ import annotations

from pydantic import Field

from settings.part import Part


class Limits(Part):
    max_body_bytes: int = Field(64 << 20, ge=1024)
    """Largest body of a request, in bytes; recordings have listening.max_bytes."""
    max_header_bytes: int = Field(64 << 10, ge=1024)
    """Most bytes of a request before its body."""
    max_json_depth: int = Field(100, ge=4)
    """Most levels of objects and lists within each other in a body."""
    max_answers: int = Field(1024, ge=1)
    """Most answers that one request for text may ask for: its prompts, times `n`."""
    header_timeout: float = Field(30, gt=0)
    """Seconds a connection has to send a request's head."""
    body_timeout: float = Field(60, gt=0)
    """Seconds that may pass between two pieces of a request's body; of one that takes longer in all, 16 KiB a second must come."""
    send_timeout: float = Field(120, gt=0)
    """Seconds in which a client that is waited for has to read 48 kB; then its connection is cut."""
    token_timeout: float = Field(60, gt=0)
    """Seconds that may pass between two pieces of a streamed text, while no tokens are made either."""
    total_timeout: float = Field(3600, gt=0)
    """Seconds that one request for text may take."""
    idle_timeout: float = Field(900, gt=0)
    """Seconds that a socket may stay open while nothing comes on it and nothing is made for it."""
    max_sockets: int = Field(1024, ge=1)
    """Sockets open at once; more are told so, and closed with 1013."""
