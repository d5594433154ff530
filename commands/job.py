"""What one `fireside say` is to do: which text, into what. All that can be refused is refused before a voice is loaded."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from commands import manuscript, show
from commands.manuscript import Arriving, Manuscript
from commands.meter import meter
from commands.player import find_player, playing
from commands.reading import Manner, Sink, Speaker, engine_of, read, server_at
from commands.recording import Recording, Target, check, clock, recording
from commands.stream import streaming
from settings import Settings, load
from voice.encode import FORMATS, Format

SUFFIXES: dict[str, Format] = {**{f".{name}": name for name in FORMATS}, ".ogg": "opus", ".raw": "pcm"}
STDIN, STDOUT = 0, 1


@dataclass(frozen=True, slots=True)
class Job:
    """`target` is a file that gets its name when it is complete, `stream` a descriptor that is written as it comes, `player` a program."""

    text: Manuscript | Arriving
    format: Format
    target: Target | None
    stream: int | None
    player: str
    resume: bool
    force: bool
    quiet: bool

    @classmethod
    def of(
        cls,
        words: Sequence[str],
        file: Path | None,
        out: str,
        *,
        play: bool,
        format: str,  # noqa: A002
        resume: bool,
        force: bool,
        player: str,
        quiet: bool,
    ) -> Job:
        """Raises InvalidInput, or typer.BadParameter for options that do not go together."""
        made = _format(out, format)
        target = Target(Path(out), made) if _is_file(out) else None
        if resume and target is None:
            raise typer.BadParameter("--resume needs a file to go on with: name it with -o FILE")
        text = _text(words, file)
        if resume and isinstance(text, Arriving):
            raise typer.BadParameter("--resume needs a text that can be read again: give it with -f FILE")
        if target:
            check(target, resume=resume, force=force)
        heard = find_player(player) if play or not out else ""
        return cls(text, made, target, _descriptor(out) if out and not target else None, heard, resume, force, quiet)

    async def run(self, manner: Manner, profile: str | None, server: str, key: str) -> None:
        _end_on_sigterm()
        async with server_at(server, key, manner) if server else self._engine(load(profile), manner) as speaker:
            await self._read(speaker)

    def _engine(self, settings: Settings, manner: Manner) -> AbstractAsyncContextManager[Speaker]:
        if settings.speech.engine == "mock" and self._console():
            self._tell("the mock profile makes tones: for a voice choose another with --profile, or a running server with --server")
        return engine_of(settings, manner, hurry=self.target is None)

    async def _read(self, speaker: Speaker) -> None:
        async with AsyncExitStack() as stack:
            sinks: list[Sink] = [await stack.enter_async_context(sink) for sink in self._sinks()]
            made = await stack.enter_async_context(self._recording(speaker, self.target)) if self.target else None
            total = self.text.characters if isinstance(self.text, Manuscript) else None
            with meter(self._console(), self.text.name, total) as progress:
                reached = await read(speaker, self.text, [*sinks, *([made] if made else [])], made, progress)
        if self.target and self._console():
            self._tell(f"{self.target.path}: {clock(reached.seconds)} of speech, {reached.pace:.1f} times real time")

    def _sinks(self) -> list[AbstractAsyncContextManager[Sink]]:
        sinks: list[AbstractAsyncContextManager[Sink]] = []
        if self.player:
            sinks.append(playing(self.player))
        if self.stream is not None:
            sinks.append(streaming(self.stream, self.format))
        return sinks

    def _recording(self, speaker: Speaker, target: Target) -> AbstractAsyncContextManager[Recording]:
        terms = _terms(self.text, speaker) if isinstance(self.text, Manuscript) else None
        return recording(target, terms, resume=self.resume, force=self.force, tell=self._tell)

    def _console(self) -> Console | None:
        """Where progress is shown, if anybody looks."""
        return Console(stderr=True) if sys.stderr.isatty() and not self.quiet else None

    def _tell(self, text: str) -> None:
        if not self.quiet:
            show.errors.print(text, markup=False)


def _text(words: Sequence[str], file: Path | None) -> Manuscript | Arriving:
    if words and file:
        raise typer.BadParameter("a text and --file are both given: give one of them")
    if file and str(file) != "-":
        return manuscript.from_file(file)
    if words and list(words) != ["-"]:
        return manuscript.from_argument(" ".join(words))
    if sys.stdin is None or (not words and not file and sys.stdin.isatty()):
        raise typer.BadParameter("no text: give it here, in a file with -f FILE, or on standard input")
    return Arriving("standard input", STDIN)


def _format(out: str, name: str) -> Format:
    if name:
        wanted = next((known for known in FORMATS if known == name), None)
        if wanted is None:
            raise typer.BadParameter(f"--format: expected one of {', '.join(FORMATS)}; got {name!r}")
        return wanted
    if not _is_file(out):
        return "wav"
    suffix = Path(out).suffix.lower()
    if suffix not in SUFFIXES:
        raise typer.BadParameter(f"-o {out}: expected a name that ends in {', '.join(SUFFIXES)}; or say which with --format")
    return SUFFIXES[suffix]


def _is_file(out: str) -> bool:
    """A regular file, there or to be: not a pipe, a terminal or /dev/null."""
    if out in ("", "-"):
        return False
    return not Path(out).exists() or stat.S_ISREG(Path(out).stat().st_mode)


def _descriptor(out: str) -> int:
    if out != "-":
        return os.open(out, os.O_WRONLY)
    if os.isatty(STDOUT):
        raise typer.BadParameter("-o - would write audio to the terminal: send it on with | or >, name a file, or leave -o out to hear it")
    return STDOUT


def _terms(text: Manuscript, speaker: Speaker) -> dict[str, Any]:
    return {"text": text.sha256, **asdict(speaker.manner), "voice": speaker.voice.id}


def _end_on_sigterm() -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
