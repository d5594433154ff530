"""The `fireside` command."""

from __future__ import annotations

import sys

if sys.argv[1:2] == ["serve"]:  # before what takes time to import
    from commands.launch import leave_on_signals

    leave_on_signals()

from commands import keys, models, voices
from commands.chat import chat
from commands.check import check
from commands.options import commands
from commands.say import say
from commands.serve import serve

app = commands("A self-hosted inference server for one local GPU machine: text on vLLM, speech on Coqui.")
app.command()(serve)
app.command()(check)
app.command()(say)
app.command()(chat)
app.add_typer(models.app, name="models")
app.add_typer(voices.app, name="voices")
app.add_typer(keys.app, name="keys")

if __name__ == "__main__":
    app()
