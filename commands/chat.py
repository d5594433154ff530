"""`fireside chat`: a conversation with the model at the terminal, or one question on the command line."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Annotated, Any, NoReturn

import typer

from commands import show
from commands.options import Profile

Message = Annotated[str, typer.Option("--message", "-m", help="Ask this one question; what comes on a pipe is put behind it.")]
System = Annotated[str, typer.Option("--system", "-s", help="What the model is told first.")]
ModelName = Annotated[str, typer.Option(help="A model of the server, or an alias. [default: the server's]")]
Speak = Annotated[bool, typer.Option("--speak", help="Speak the answers, sentence by sentence, while they come.")]
VoiceName = Annotated[str, typer.Option(help="Speak them with this voice. [default: the server's]")]
PlayerName = Annotated[str, typer.Option("--player", help="paplay, aplay, play, ffplay, mpv or pw-play. [default: the first installed]")]
Server = Annotated[
    str,
    typer.Option(
        metavar="URL",
        envvar="FIRESIDE_URL",
        help="The server to talk with. [default: the one on this machine, by the profile]",
        show_default=False,
    ),
]
Key = Annotated[str, typer.Option("--api-key", envvar="FIRESIDE_API_KEY", help="The server's key.", show_default=False)]


def chat(
    message: Message = "",
    system: System = "",
    model: ModelName = "",
    speak: Speak = False,
    voice: VoiceName = "",
    player: PlayerName = "",
    server: Server = "",
    api_key: Key = "",
    profile: Profile = None,
) -> None:
    """Talk with the model of a running server. Without a terminal, or with -m, one question is answered."""
    from commands.chatting import Chatting  # brings the audio libraries, which no other command needs
    from commands.player import find_player
    from commands.talk import Talk

    signal.signal(signal.SIGTERM, _leave)
    talk = Talk(system, voice if speak or voice else None)
    heard = find_player(player) if player or talk.voice is not None else ""
    try:
        with asyncio.Runner() as runner:
            chatting = Chatting(runner, talk, server or _local(profile), api_key, model, heard)
            if message or not _at_terminal():
                chatting.once(_question(message))
            else:
                chatting.converse()
    except BrokenPipeError:
        pass  # as `| head` means it
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _question(message: str) -> str:
    """Both the message and what is on a pipe, if both are given."""
    piped = "" if sys.stdin is None or _at_terminal() else _piped()
    question = "\n\n".join(part for part in (message, piped) if part.strip())
    if not question:
        raise typer.BadParameter("no question: give it with -m, on standard input, or talk at a terminal")
    return question


def _at_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _piped() -> str:
    data = sys.stdin.buffer.read()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"standard input is not UTF-8 text: byte {error.start} is 0x{data[error.start]:02x}") from None


def _local(profile: str | None) -> str:
    from settings import load

    return load(profile).server.url


def _leave(*_: Any) -> NoReturn:
    """SIGTERM, with the terminal as it was."""
    show.console.show_cursor()
    raise SystemExit(143)
