"""Everything that can go wrong, as one tree. `api/errors.py` maps it to statuses, close codes and words, and nothing else does.

FiresideError
├── SettingsError          the configuration cannot be used
├── WeightsError           a model's files are missing or broken
│   └── TermsNotAgreed     they are there, and the configuration does not agree to their terms
├── Unauthorized           no API key, or one that is none
├── Forbidden              the key, the host or the origin opens no such thing
├── RateLimited            the key's limit is reached: wait
├── TooSlow                the request did not come in time
├── InvalidInput           the client's fault: what was expected, what came, what to do
│   ├── ContextTooLong
│   ├── TooLarge
│   ├── UnknownModel
│   └── UnknownVoice
├── NotReady               the engine is loading or restarting: try again
├── Overloaded             the queue is full: try again
└── EngineFailed           this request failed inside the engine
    ├── EngineDied         the engine died with the request in it
    └── EngineTimeout      nothing came within the limit
"""

from __future__ import annotations

STOPPED = "the server is shutting down and has ended this request: send it again once it is back"
"""What EngineDied says when an engine was stopped with the request in it."""


class FiresideError(Exception):
    """The root. The message is written for the person who has to act on it."""


class SettingsError(FiresideError):
    pass


class WeightsError(FiresideError):
    pass


class TermsNotAgreed(WeightsError):
    pass


class Unauthorized(FiresideError):
    pass


class Forbidden(FiresideError):
    pass


class RateLimited(FiresideError):
    """`retry_after` in seconds."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooSlow(FiresideError):
    pass


class InvalidInput(FiresideError):
    """`param` names the field that was wrong, where there is one."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class ContextTooLong(InvalidInput):
    pass


class TooLarge(InvalidInput):
    pass


class UnknownModel(InvalidInput):
    pass


class UnknownVoice(InvalidInput):
    pass


class NotReady(FiresideError):
    """`retry_after` in seconds."""

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Overloaded(FiresideError):
    """`retry_after` in seconds."""

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineFailed(FiresideError):
    pass


class ImplausibleAudio(EngineFailed):
    """What was made cannot be the text that was to be said: it is silent, much too short or much too long."""


class EngineDied(EngineFailed):
    retry_after = 5
    """Seconds; it is loaded again."""


class EngineTimeout(EngineFailed):
    pass
