"""Sound while it is made: raw samples on a pipe into a player that this machine has. Every Linux desktop has one; none needs a library."""

from __future__ import annotations

import asyncio
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from models.base import Audio
from models.errors import FiresideError, InvalidInput
from voice import wav

# Each reads s16le, mono, of {rate} Hz from its stdin, and ends once that has ended and all was heard.
PLAYERS = {
    "paplay": "--raw --format=s16le --channels=1 --rate={rate} --latency-msec=200",
    "aplay": "-q -t raw -f S16_LE -c 1 -r {rate} -",
    "play": "-q -t raw -e signed-integer -b 16 -L -c 1 -r {rate} -",
    "ffplay": "-nodisp -autoexit -loglevel error -f s16le -sample_rate {rate} -i pipe:0",
    "mpv": "--no-config --really-quiet --demuxer=rawaudio --demuxer-rawaudio-format=s16le "
    "--demuxer-rawaudio-channels=mono --demuxer-rawaudio-rate={rate} -",
    # Last, as those before PipeWire 1.0 cannot do this.
    "pw-play": "--raw --format=s16 --channels=1 --rate={rate} -",
}
PACKAGES = "pulseaudio-utils (paplay), alsa-utils (aplay), sox (play), ffmpeg (ffplay), mpv or pipewire (pw-play)"
WORDS = 400
"""Characters of a failed player's last words that are told."""


def find_player(name: str = "") -> str:
    """The one asked for, or the first that is installed. Raises InvalidInput, saying what to install."""
    if name and name not in PLAYERS:
        raise InvalidInput(f"expected a player out of {', '.join(PLAYERS)}; got {name!r}")
    found = [player for player in ([name] if name else PLAYERS) if shutil.which(player)]
    if not found:
        raise InvalidInput(f"no player is on PATH: install {name or PACKAGES}; or write to a file with -o FILE")
    return found[0]


class Player:
    """Begins with the first audio; a `write` waits while enough to hear is ahead."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._rate = 0
        self._process: Process | None = None
        self._words: asyncio.Task[bytes] | None = None

    async def write(self, audio: Audio) -> None:
        if self._process is None:
            self._process = await self._start(audio.rate)
        if audio.rate != self._rate:
            raise ValueError(f"expected audio at {self._rate} Hz, got {audio.rate} Hz")
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(wav.pcm(audio.samples))
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            await self._check_end(self._process)
            raise FiresideError(f"{self._name} has stopped playing") from None

    async def finish(self) -> None:
        """Until the last of it was heard."""
        if self._process is None or self._process.stdin is None:
            return
        with suppress(BrokenPipeError, ConnectionResetError):
            self._process.stdin.close()
            await self._process.stdin.wait_closed()
        await self._check_end(self._process)

    async def stop(self) -> None:
        """Silence, at once."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._words is not None:
            self._words.cancel()

    async def _start(self, rate: int) -> Process:
        self._rate = rate
        options = PLAYERS[self._name].format(rate=rate).split()
        # A session of its own: what the terminal sends on Ctrl-C is ours to obey, and some players would play on, others talk.
        process = await asyncio.create_subprocess_exec(
            self._name, *options, stdin=PIPE, stdout=DEVNULL, stderr=PIPE, start_new_session=True
        )
        assert process.stderr is not None
        self._words = asyncio.create_task(_last_words(process.stderr))
        return process

    async def _check_end(self, process: Process) -> None:
        """Raises FiresideError, with the player's words, if it failed."""
        code = await process.wait()
        words = (await self._words).decode(errors="replace") if self._words else ""
        if code:
            others = ", ".join(name for name in PLAYERS if name != self._name)
            told = " ".join(words.split()) or f"it ended with code {code}"
            raise FiresideError(
                f"{self._name} cannot play: {told}; choose another with --player ({others}), or write to a file with -o FILE"
            )


@asynccontextmanager
async def playing(name: str) -> AsyncGenerator[Player, None]:
    """All is heard at the end; if it ends otherwise, the sound does at once."""
    player = Player(name)
    try:
        yield player
        await player.finish()
    finally:
        await player.stop()


async def _last_words(stream: asyncio.StreamReader) -> bytes:
    """A pipe that nobody reads would stop its writer; of what a player says only the end matters."""
    words = b""
    while data := await stream.read(4096):
        words = (words + data)[-WORDS:]
    return words
