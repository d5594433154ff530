"""One conversation at the terminal: what was said, and the commands between the messages."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from commands.asking import Messages
from models.errors import InvalidInput

HELP = """\
/new            begin anew: what was said is forgotten, the system's message stays
/system TEXT    what the model is told first; alone: show it, with - take it away
/voice NAME     speak the answers with this voice, or with "default"; off: be silent; alone: show the voices
/save FILE      write the conversation as Markdown, or as messages if it ends in .json
/quit           leave, as Ctrl-D does
A message of several lines: end a line with \\, or put \"\"\" before and after them. Ctrl-C stops an answer."""
TITLES = {"system": "System", "user": "You", "assistant": "Fireside"}


class Quit(Exception):
    """The user leaves."""


@dataclass(slots=True)
class Talk:
    """`voice` is None while nothing is spoken, and "" for the server's default one."""

    system: str = ""
    voice: str | None = None
    said: Messages = field(default_factory=list)

    def messages(self, question: str) -> Messages:
        told = [{"role": "system", "content": self.system}] if self.system else []
        return [*told, *self.said, {"role": "user", "content": question}]

    def keep(self, question: str, answer: str) -> None:
        """An answer that was stopped counts as far as it was seen; one of which nothing came leaves no trace."""
        if answer:
            self.said += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]

    def save(self, path: Path) -> str:
        """Raises InvalidInput rather than write over a file."""
        if not self.said:
            raise InvalidInput("nothing has been said yet")
        try:
            with path.expanduser().open("x", encoding="utf-8") as file:
                file.write(self._json() if path.suffix == ".json" else self._markdown())
        except FileExistsError:
            raise InvalidInput(f"{path} is there already: choose another name") from None
        except OSError as error:
            raise InvalidInput(f"{path} cannot be written: {error.strerror}") from None
        return f"written to {path}"

    def _all(self) -> Messages:
        return self.messages("")[:-1]

    def _json(self) -> str:
        return json.dumps(self._all(), ensure_ascii=False, indent=2) + "\n"

    def _markdown(self) -> str:
        return "\n".join(f"## {TITLES[message['role']]}\n\n{message['content'].strip()}\n" for message in self._all())

    def obey(self, line: str, voices: tuple[str, ...]) -> str:
        """What there is to say after a command. Raises Quit, and InvalidInput for what is none."""
        name, _, rest = line[1:].partition(" ")
        rest = rest.strip()
        match name:
            case "new":
                self.said = []
                return "a new conversation"
            case "system":
                return self._set_system(rest)
            case "voice":
                return self._set_voice(rest, voices)
            case "save" if rest:
                return self.save(Path(rest))
            case "save":
                raise InvalidInput("/save: expected the name of a file to write, such as talk.md or talk.json")
            case "quit" | "exit":
                raise Quit
            case "help" | "?":
                return HELP
        raise InvalidInput(f"/{name} is no command: /help lists them. To send it as a message, put a blank before it.")

    def _set_system(self, text: str) -> str:
        if text:
            self.system = "" if text == "-" else text
        return f"system: {self.system}" if self.system else "no system message"

    def _set_voice(self, name: str, voices: tuple[str, ...]) -> str:
        if name:
            self.voice = None if name == "off" else "" if name == "default" else name
        now = "answers are not spoken" if self.voice is None else f"answers are spoken by {self.voice or 'the default voice'}"
        return now if name else f"{now}; voices: {', '.join(voices) or 'none'}"
