"""`fireside say`: a text as sound, in a file, on a pipe or from the loudspeaker."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from commands.options import Profile

Words = Annotated[
    list[str] | None, typer.Argument(metavar="[TEXT]...", help="What to say; - for standard input, as it comes.", show_default=False)
]
File = Annotated[Path | None, typer.Option("--file", "-f", help="Say what is in this UTF-8 text file, be it a book.")]
Out = Annotated[str, typer.Option("--out", "-o", help="Write to this file: .wav .mp3 .opus .ogg .flac .aac .pcm; - for standard output.")]
Play = Annotated[bool, typer.Option("--play", help="Play it while it is made, beside -o too. [default: without -o]")]
FormatName = Annotated[str, typer.Option("--format", help="wav, mp3, opus, flac, aac or pcm. [default: by the file's suffix, else wav]")]
VoiceName = Annotated[str, typer.Option(help="A voice of the profile, or an alias. [default: the profile's]")]
ModelName = Annotated[str, typer.Option(help="The speech model to take a voice of.")]
Speed = Annotated[float, typer.Option(min=0.25, max=4, help="1 is the voice's own pace.")]
Seed = Annotated[int | None, typer.Option(help="The same seed, text, voice and speed give the same audio.")]
Normalize = Annotated[bool, typer.Option("--normalize/--no-normalize", help="Read numbers, dates and markup as a person would.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with FILE where a run that was stopped left it; else begin.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite FILE; with --resume go on though text or options have changed.")]
Server = Annotated[str, typer.Option(metavar="URL", help="Let a running server speak. [default: the profile's engine, started for this]")]
Key = Annotated[str, typer.Option("--api-key", envvar="FIRESIDE_API_KEY", help="The server's key.", show_default=False)]
PlayerName = Annotated[str, typer.Option("--player", help="paplay, aplay, play, ffplay, mpv or pw-play. [default: the first installed]")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, nothing but errors.")]


def say(
    words: Words = None,
    file: File = None,
    out: Out = "",
    play: Play = False,
    format: FormatName = "",  # noqa: A002 (the user's word for it)
    voice: VoiceName = "",
    model: ModelName = "",
    speed: Speed = 1.0,
    seed: Seed = None,
    normalize: Normalize = True,
    resume: Resume = False,
    force: Force = False,
    server: Server = "",
    api_key: Key = "",
    player: PlayerName = "",
    quiet: Quiet = False,
    profile: Profile = None,
) -> None:
    """Say a text: into a file (-o), or from the loudspeaker. A text that comes on a pipe is spoken while it comes."""
    from commands.job import Job  # brings the audio libraries, which no other command needs
    from commands.reading import Manner

    manner = Manner(voice, model, speed, seed, normalize)
    try:
        job = Job.of(words or [], file, out, play=play, format=format, resume=resume, force=force, player=player, quiet=quiet)
        asyncio.run(job.run(manner, profile, server, api_key))
    except BrokenPipeError:
        pass  # as `| head` means it
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except asyncio.CancelledError:
        raise typer.Exit(143) from None
