"""The loop behind `fireside chat`: read, ask, show and speak."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from commands import remote, show
from commands.asking import Answer, Asker
from commands.lines import read_message
from commands.player import find_player
from commands.talk import Quit, Talk
from commands.telling import telling
from models.errors import FiresideError


class Chatting:
    """On one event loop, that a Ctrl-C stops while it runs, and only then."""

    def __init__(self, runner: asyncio.Runner, talk: Talk, server: str, key: str, model: str, player: str) -> None:
        self._runner = runner
        self._talk = talk
        self._server = server
        self._key = key
        self._model = model
        self._player = player
        self._waits_for = ""

    def once(self, question: str) -> None:
        """Raises FiresideError, or KeyboardInterrupt."""
        self._runner.run(self._answer(question, Answer()))

    def converse(self) -> None:
        """Until the user leaves; what goes wrong on the way is told. Raises FiresideError if no server answers."""
        names = self._runner.run(self._greet())
        show.say(f"{self._server}, {', '.join(names)}: /help lists the commands, Ctrl-D leaves")
        try:
            while True:
                with suppress(KeyboardInterrupt):  # a second Ctrl-C
                    self._turn()
        except (EOFError, Quit):
            show.console.print()

    def _turn(self) -> None:
        try:
            line = read_message()
        except KeyboardInterrupt:
            show.console.print()
            return
        try:
            if line.startswith("/"):
                self._obey(line)
            elif line.strip():
                self._ask(line)
        except FiresideError as error:
            show.fail(str(error))

    def _ask(self, question: str) -> None:
        answer = Answer()
        try:
            self._runner.run(self._answer(question, answer))
        except KeyboardInterrupt:
            show.console.print("[dim]stopped[/dim]")
        finally:
            self._talk.keep(question, answer.text)

    def _obey(self, line: str) -> None:
        before, voices = self._talk.voice, tuple[str, ...]()
        if line.split()[0] == "/voice":
            voices = self._interruptible(self._voices(line.partition(" ")[2].strip()))
        try:
            show.say(self._talk.obey(line, voices))
            if self._talk.voice is not None and not self._player:
                self._player = find_player()
        except FiresideError:
            self._talk.voice = before
            raise

    def _interruptible(self, work: Coroutine[Any, Any, tuple[str, ...]]) -> tuple[str, ...]:
        try:
            return self._runner.run(work)
        except KeyboardInterrupt:
            return ()

    async def _answer(self, question: str, into: Answer) -> None:
        async with remote.connected(self._server, self._key) as client:
            asker = Asker(client, self._model, self._tell_wait)
            with telling(show.console) as page:
                await asker.answer(self._talk.messages(question), page, into, self._talk.voice, self._player)

    async def _voices(self, wanted: str) -> tuple[str, ...]:
        """Raises UnknownVoice for a name that the server does not know."""
        async with remote.connected(self._server, self._key) as client:
            catalog = await remote.voices(client)
        if wanted not in {"", "off", "default"}:
            catalog.find(wanted)
        return tuple(voice.id for voice in catalog.voices)

    async def _greet(self) -> list[str]:
        async with remote.connected(self._server, self._key) as client:
            return [self._model] if self._model else await remote.text_models(client)

    def _tell_wait(self, why: str) -> None:
        """Once for each reason: the server is asked again and again."""
        if why != self._waits_for:
            self._waits_for = why
            show.errors.print(f"waiting: {show.harmless(why)}", markup=False, style="dim")
