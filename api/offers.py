"""Requests that offer to go on in another protocol, which need not be taken up: they are read as if they did not.

Java's clients offer HTTP/2 with whatever they send. httptools takes what follows such a head for the other protocol's, and a body with it.
"""

from __future__ import annotations

from typing import Any

from httptools import HttpParserUpgrade, HttpRequestParser


class OfferReader:
    """httptools' parser, for uvicorn's protocol: offers other than WebSocket's are left out."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._parser = self._new()

    @property
    def another(self) -> bool:
        """Than HTTP/1.1. A CONNECT is none: it asks for nothing else."""
        return bool(self._parser.should_upgrade()) and self._parser.get_method() != b"CONNECT"

    def feed_data(self, data: bytes) -> None:
        while data:
            try:
                self._parser.feed_data(data)
                return
            except HttpParserUpgrade as offer:
                if not self._protocol._declines:
                    raise
                data = self._without_offer() + data[offer.args[0] :]
                self._parser = self._new()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def _new(self) -> HttpRequestParser:
        parser = HttpRequestParser(self._protocol)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        return parser

    def _without_offer(self) -> bytes:
        lines = [b"%b %b HTTP/%b" % (self._parser.get_method(), self._protocol.url, self._parser.get_http_version().encode())]
        lines += [b"%b: %b" % pair for pair in self._protocol.headers if pair[0] != b"upgrade"]
        return b"\r\n".join(lines) + b"\r\n\r\n"
