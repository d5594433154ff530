"""What has come from one client and is still to be obeyed, in order: but a cancel does not wait behind audio."""

from __future__ import annotations

import asyncio
from collections import deque

from api.realtime.client_events import MAX_AUDIO, Append, ClientEvent
from models.errors import FiresideError

MOST = 1000
"""Events that may wait before the client waits, too."""
MOST_CHARACTERS = 2 * MAX_AUDIO
"""Of their frames together: two of the longest."""


class Inbox:
    """An event that is none stands there as what is wrong with it. Whoever takes one says `done` before the next."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[ClientEvent | FiresideError, str | None, int]] = deque()
        self._current: ClientEvent | FiresideError | None = None
        self._characters = 0
        self._changed = asyncio.Condition()

    @property
    def only_audio(self) -> bool:
        """Nothing is to be obeyed before an event that comes now, but audio."""
        return all(isinstance(event, Append) for event in (*(waiting[0] for waiting in self._waiting), self._current) if event)

    async def put(self, event: ClientEvent | FiresideError, named: str | None, characters: int) -> None:
        async with self._changed:
            await self._changed.wait_for(self.has_room)
            self._waiting.append((event, named, characters))
            self._characters += characters
            self._changed.notify_all()

    async def take(self) -> tuple[ClientEvent | FiresideError, str | None]:
        """With the id that the client gave it."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._waiting)
            event, named, characters = self._waiting.popleft()
            self._current = event
            self._characters -= characters
            self._changed.notify_all()
        return event, named

    def done(self) -> None:
        self._current = None

    def has_room(self) -> bool:
        return len(self._waiting) < MOST and self._characters < MOST_CHARACTERS
