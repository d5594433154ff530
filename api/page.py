"""GET / and what it needs below /web: the page. It is read once, and its policy lets it reach nothing but this server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import metrics

ROUTE = "/web"
"""What metrics call the page, with all its files."""
WEB = Path(__file__).parent.parent / "web"
# What is not among these, such as the vendored libraries' versions, is not served.
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Kept, but asked after each time: an update of the server is an update of all of the page.
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    kind: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> File:
        body = path.read_bytes()
        return cls(body, f"{TYPES[path.suffix]}; charset=utf-8", f'"{hashlib.sha256(body).hexdigest()[:32]}"')

    async def __call__(self, request: Request) -> Response:
        with metrics.counted(ROUTE):
            return self._answer(request)

    def _answer(self, request: Request) -> Response:
        headers = {**HEADERS, "ETag": self.etag}
        if self.etag in _tags(request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        return Response(self.body, headers={**headers, "Content-Type": self.kind})


def _tags(header: str) -> set[str]:
    """A proxy that compresses makes a weak tag of ours."""
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}


def routes() -> Iterator[Route]:
    """One for each file, so that api/lane.py knows them all by their paths."""
    for path in sorted(WEB.rglob("*")):
        if path.suffix in TYPES:
            at = path.relative_to(WEB).as_posix()
            yield Route("/" if at == "index.html" else f"/web/{at}", File.read(path).__call__, methods=["GET"])
