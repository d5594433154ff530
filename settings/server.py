"""The listening side."""

from __future__ import annotations

import ipaddress

from pydantic import Field, field_validator

from settings.part import Part


class Server(Part):
    host: str = "127.0.0.1"
    """IP address to listen on. Loopback unless you say otherwise."""
    port: int = Field(3000, ge=1, le=65535)
    """Port for HTTP and WebSocket."""
    drain_timeout: float = Field(30, gt=0)
    """Seconds that requests in flight get to finish after SIGTERM; then they end with an error, and the process ends."""

    @property
    def url(self) -> str:
        """Where a program on this machine finds it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @field_validator("host")
    @classmethod
    def _address(cls, host: str) -> str:
        """BentoML takes no names."""
        if host == "localhost":
            return "127.0.0.1"
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ValueError("expected an IP address: 127.0.0.1 for this machine alone, 0.0.0.0 for every network it is in") from None
        return host
