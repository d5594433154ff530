"""The listening side of one session: a stream of audio comes in, and turns of speech come out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

import numpy as np

from api.realtime.configuration import AudioInput, SemanticVad, ServerVad
from api.realtime.faults import Refused
from api.realtime.input_audio import LONGEST_TURN, Buffer, Decoder, Heard, bytes_per_second
from api.realtime.writing import Writing
from models.base import LISTENING_RATE, Detector, ListeningEngine, ListeningJob
from models.errors import FiresideError
from voice.activity import SURE, Activity, Paused, Resumed, Started, Stopped, TurnDetector
from voice.finished import LONGEST, patience

SURE_WHILE_SPEAKING = 0.2
"""Seconds of speech that interrupt an answer that is being heard: a cough is shorter."""
SHORTEST_TURN = 0.1
"""Seconds of audio in the shortest turn, as OpenAI has it."""
PADDING = 0.3
"""Seconds before the beginning of speech that belong to a turn where nothing else is said."""
_PIECE = 1.0
"""Seconds of audio that are taken in one go: others run between two of them."""


class Ear:
    """Times are seconds of all the audio that came."""

    def __init__(self, owner: str, engine: Callable[[], ListeningEngine], answering: Callable[[], bool], priority: int) -> None:
        self._owner = owner
        self._priority = priority
        self._engine = engine
        self._answering = answering
        self._settings = AudioInput()
        self._decoder = Decoder(self._settings.format.type)
        self._buffer = Buffer()
        self._detector: Detector | None = None
        self._turns = TurnDetector()
        self._origin = 0.0
        self._guess: Writing | None = None
        self._ending: set[asyncio.Task[None]] = set()
        """Guesses that were dropped."""
        self._started = 0.0

    @property
    def now(self) -> float:
        return self._buffer.end / LISTENING_RATE

    @property
    def told(self) -> float:
        """How far turns have been looked for."""
        return self._origin + self._turns.now

    @property
    def speaking(self) -> bool:
        return self._turns.speaking

    @property
    def begin(self) -> float:
        """Of the turn that is going on, with what is heard before it; or of all that is kept."""
        began = self._turns.began
        kept = self._buffer.begin / LISTENING_RATE
        return kept if began is None else max(kept, self._origin + began - self._padding)

    async def configure(self, settings: AudioInput) -> None:
        """A turn that is going on is forgotten where turns are detected otherwise from now on."""
        before, self._settings = self._settings, settings
        if settings.format != before.format:
            self._decoder = Decoder(settings.format.type)
        if settings.turn_detection != before.turn_detection:
            await self.close()

    async def hear(self, data: bytes) -> AsyncGenerator[Activity, None]:
        """What it says about speech, where turns are detected."""
        step = int(_PIECE * bytes_per_second(self._settings.format.type))
        for place in range(0, len(data), step):
            async for activity in self._take(self._decoder.decode(data[place : place + step])):
                yield activity
            await asyncio.sleep(0)

    def check_room(self, size: int) -> None:
        """Where nobody but the client says what is a turn."""
        seconds = len(self._buffer) / LISTENING_RATE + size / bytes_per_second(self._settings.format.type)
        if self._settings.turn_detection is None and seconds > LONGEST_TURN:
            told = f"the input audio buffer would have {seconds:.0f} s of audio: at most {LONGEST_TURN} s are kept. Commit or clear it."
            raise Refused("input_audio_buffer_full", told, param="audio")

    def turn(self) -> Heard:
        """The audio of the turn that has just ended."""
        return self._buffer.take(round(self._started * LISTENING_RATE), round(self.told * LISTENING_RATE))

    def all(self) -> Heard:
        """Of the turn that is going on, or what is kept."""
        begin = self.begin
        self._turns.forget()
        self._drop_guess()
        self._buffer.append(self._rest())
        return self._buffer.take(round(begin * LISTENING_RATE))

    def clear(self) -> None:
        self._turns.forget()
        self._drop_guess()
        self._rest()
        self._buffer.take()

    def take_guess(self) -> Writing | None:
        """The transcript that was begun at the last pause, if nothing was said since."""
        guess, self._guess = self._guess, None
        return guess

    def write_down(self, samples: Heard, done: Callable[[Writing], None] | None = None) -> Writing:
        """Raises NotReady."""
        asked = self._settings.transcription
        language, prompt = (asked.language or "", asked.prompt or "") if asked else ("", "")
        job = ListeningJob(self._owner, samples, language=language, prompt=prompt, urgent=True, priority=self._priority)
        return Writing(self._engine(), job, done)

    async def close(self) -> None:
        """It is deaf until more audio comes."""
        detector, self._detector = self._detector, None
        self._turns.forget()
        self._drop_guess()
        if detector:
            await detector.close()
        await asyncio.gather(*self._ending, return_exceptions=True)

    @property
    def _padding(self) -> float:
        vad = self._settings.turn_detection
        return vad.prefix_padding_ms / 1000 if isinstance(vad, ServerVad) else PADDING

    def _rest(self) -> Heard:
        """What is still in the decoder; but of a stream that a detector listens to nothing is taken away."""
        return self._decoder.flush() if self._settings.turn_detection is None else np.zeros(0, np.float32)

    async def _take(self, samples: Heard) -> AsyncGenerator[Activity, None]:
        if self._settings.turn_detection is None:
            self._buffer.append(samples)
            return
        detector = self._detector or await self._open()
        self._buffer.append(samples)
        for probability in await detector.feed(samples):
            self._turns.sure = SURE_WHILE_SPEAKING if self._answering() else SURE
            for activity in self._turns.feed(probability):
                self._follow(activity)
                yield activity
        if self.speaking and self.told - self._started > LONGEST_TURN:
            self._turns.forget()
            self._drop_guess()
            yield Stopped(self.told)
        if self._turns.began is None:
            self._buffer.forget(int((self.told - self._padding) * LISTENING_RATE))

    async def _open(self) -> Detector:
        vad = self._settings.turn_detection
        assert vad is not None
        self._detector = await self._engine().detector()
        self._origin = self.now
        self._turns = TurnDetector(threshold=vad.threshold) if isinstance(vad, ServerVad) else TurnDetector()
        self._turns.patience = self._longest()
        return self._detector

    def _longest(self) -> float:
        vad = self._settings.turn_detection
        return LONGEST[vad.eagerness] if isinstance(vad, SemanticVad) else vad.silence_duration_ms / 1000 if vad else 0.0

    def _follow(self, activity: Activity) -> None:
        match activity:
            case Started():
                self._started = self.begin
            case Resumed():
                self._turns.patience = self._longest()
                self._drop_guess()
            case Paused():
                self._begin_guess()

    def _begin_guess(self) -> None:
        """While it is waited for the end of the turn, what was said is written down as if that had been it."""
        with suppress(FiresideError):  # the turn itself will say so
            so_far = self._buffer.between(round(self.begin * LISTENING_RATE), round(self.told * LISTENING_RATE))
            self._guess = self.write_down(so_far, self._judge)

    def _judge(self, guess: Writing) -> None:
        vad = self._settings.turn_detection
        if guess is self._guess and isinstance(vad, SemanticVad):
            self._turns.patience = patience(guess.text, vad.eagerness, guess.language or "en")

    def _drop_guess(self) -> None:
        if guess := self.take_guess():
            guess.task.cancel()
            self._ending.add(guess.task)
            guess.task.add_done_callback(self._ending.discard)
