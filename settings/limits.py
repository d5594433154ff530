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
    header_timeout: float = Field(30, gt=0)
    """Seconds a connection has to send a request's head."""
    body_timeout: float = Field(60, gt=0)
    """Seconds that may pass between two pieces of a request's body."""
