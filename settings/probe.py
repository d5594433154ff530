"""How an engine that hangs is found."""

from __future__ import annotations

from pydantic import Field

from settings.part import Part


class Probe(Part):
    interval: float = Field(30, ge=0)
    """Seconds without a sign of life after which the engine is asked for the least it can make; 0: it never is, and may hang unnoticed."""
    timeout: float = Field(60, gt=0)
    """Seconds without a sign of life, so asked, after which it hangs: it is killed and loaded again, and requests in it get an error."""
