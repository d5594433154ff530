"""API keys: whose each is, and what it opens. Known by their hashes, compared in constant time, read anew when their file changes."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from models.base import Scope
from models.errors import Forbidden, SettingsError
from settings import keys_file
from settings.access import SCOPES, Key
from settings.whole import Settings

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks at the file."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose key it is. Where no keys are asked for, everybody is one without a name."""

    name: str
    key: Key

    def opens(self, scope: str) -> bool:
        return scope in self.key.scopes


HOLDER = "fireside.holder"
"""Where the scope of a request has it."""
ANYBODY = Holder("", Key(hash="sha256:" + "0" * 64, scopes=SCOPES))


class KeyRing:
    """Raises SettingsError at its making if the file is broken, or named and not there. One that breaks later changes nothing."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = monotonic) -> None:
        self._settings = settings
        self._file = keys_file.path(settings)
        self._clock = clock
        self._looked = clock()
        self._told = ""
        """Why it could not be read, as far as that was said."""
        self._stamp = _stamp(self._file)
        self._take(keys_file.in_force(settings))
        self.required = bool(self._holders)
        """Whether keys are asked for. Once they are it stays so: a file that vanishes opens nothing."""

    def holder(self, presented: str) -> Holder | None:
        """Whose key this is; all are compared, so that the time tells nothing."""
        found = None
        digest = keys_file.hashed(presented)
        for holder in self._holders:
            if hmac.compare_digest(holder.key.hash, digest):
                found = holder
        return found

    def refresh(self) -> None:
        """Look whether the file has changed, at most once a second."""
        if (now := self._clock()) - self._looked < LOOK:
            return
        self._looked = now
        if (stamp := _stamp(self._file)) != self._stamp and self._reload():
            self._stamp = stamp

    def _reload(self) -> bool:
        """Whether it could be read: what cannot may be readable at the next look, though the file has not changed."""
        try:
            self._take(keys_file.all_of(self._settings))
        except SettingsError as error:
            if str(error) != self._told:
                log.error("the API keys stay as they were: %s", error)
            self._told = str(error)
            return False
        self._told = ""
        self.required = self.required or bool(self._holders)
        log.info("API keys read again: %s", ", ".join(holder.name for holder in self._holders) or "none")
        return True

    def _take(self, keys: dict[str, Key]) -> None:
        self._holders = [Holder(name, key) for name, key in keys.items()]


def holder_of(scope: Scope) -> Holder:
    """Whose request it is, as the door has found."""
    holder: Holder = scope.get(HOLDER, ANYBODY)
    return holder


def require(holder: Holder, *wanted: str) -> None:
    """Raises Forbidden where the key lacks one of these scopes."""
    if missing := [scope for scope in wanted if not holder.opens(scope)]:
        raise Forbidden(f"the API key {holder.name!r} does not open {' and '.join(missing)}: it opens {', '.join(holder.key.scopes)}.")


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
