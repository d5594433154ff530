"""Who is let in, and from where."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from settings.part import Part

Scope = Literal["text", "speech", "listening", "admin"]
SCOPES: tuple[Scope, ...] = ("text", "speech", "listening", "admin")
HASH = re.compile(r"sha256:[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Key(Part):
    """What is kept of an API key: never the key itself."""

    hash: str
    """`sha256:` and the key's SHA-256 in hexadecimal; `fireside keys add` makes a key and this of it."""
    scopes: tuple[Scope, ...] = ("text", "speech", "listening")
    """What it opens; admin is /metrics."""
    concurrency: int = Field(0, ge=0)
    """Requests, and utterances of sockets, at a time; 0 is without a limit."""
    requests_per_minute: int = Field(0, ge=0)
    """Requests, and utterances of sockets; 0 is without a limit."""
    tokens_per_minute: int = Field(0, ge=0)
    """Tokens of the text engine, read and written. A request is let in while those of the minute, which the first of
    them begins, are fewer; 0 is without a limit."""
    priority: int = Field(0, ge=-100, le=100)
    """Where requests wait for an engine, those of a higher number go first."""

    @field_validator("hash")
    @classmethod
    def _is_a_hash(cls, value: str) -> str:
        if not HASH.fullmatch(value):
            raise ValueError("expected sha256: and 64 hexadecimal digits; `fireside keys add NAME` makes a key and its hash")
        return value


class Access(Part):
    keys: dict[str, Key] = Field(default_factory=dict)
    """API keys by the names that logs and metrics call them."""
    keys_file: str = ""
    """YAML file with more of them, which `fireside keys` keeps; empty is keys.yaml in `home`. A change of it holds within a second."""
    open: bool = False
    """Serve without keys on addresses that others reach, too. Whoever reaches the port may then use all of it."""
    metrics: Literal["key", "open"] = "key"
    """key: where there are keys, /metrics asks for one with the scope admin. open: it asks for none."""
    hosts: tuple[str, ...] = ()
    """Names that this server goes by, e.g. voice.example.com or *.example.com, where it serves without keys. Addresses, localhost and names
    without a dot are always right; any other name may be a trick of a web page to reach this machine (DNS rebinding)."""
    origins: tuple[str, ...] = ()
    """Web pages from elsewhere that may use this server in a browser (CORS), e.g. https://chat.example.com; * is any."""

    @field_validator("keys")
    @classmethod
    def _names(cls, keys: dict[str, Key]) -> dict[str, Key]:
        for name in keys:
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name for a key: expected 1 to 64 letters, digits, dots, hyphens and underscores")
        return keys
