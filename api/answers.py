"""How much one request asks for: an engine takes each answer, and each input, as a request of its own, and all of them at once; and what
it reads of a text that is too long, it reads to the end.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter, ValidationError

from models.errors import InvalidInput

_INT = TypeAdapter(int)
_TOLD = 10**18
MOST_INPUTS = 2048
"""OpenAI's own limit for embeddings."""
MOST_TEXT = 4 << 20
"""Characters, or token ids, in one request that the model's context does not bound. An engine reads about a million a second, and who
comes after it waits."""
_MEDIA = {"url", "image_url", "data", "file_data"}


def check(body: bytes, most: int) -> None:
    """Raises InvalidInput for more than `most`. What the engine will refuse anyway is left to it."""
    # A prompt of a list takes two bytes at least, and a name that is not written out a backslash: many bodies are not even parsed.
    if len(body) <= 2 * most and b'"n"' not in body and b"\\" not in body:
        return
    asked = _read(body)
    prompts = _prompts(asked.get("prompt"))
    wanted = prompts * _number(asked.get("n"))
    if wanted > most:
        param = "prompt" if prompts > 1 else "n"
        got = str(wanted) if wanted < _TOLD else "more than can be told"  # Python writes no more than 4300 digits
        raise InvalidInput(
            f"at most {most} answers to one request (limits.max_answers), got a request for {got}: send several", param=param
        )


def check_inputs(body: bytes) -> None:
    """Raises InvalidInput for more than MOST_INPUTS to be embedded, scored or ranked."""
    if len(body) <= 2 * MOST_INPUTS:
        return
    for name, value in _read(body).items():
        if (came := _prompts(value)) > MOST_INPUTS:
            raise InvalidInput(f"{name} has {came} items: at most {MOST_INPUTS} are taken. Send several requests.", param=name)


def check_text(body: bytes) -> None:
    """Raises InvalidInput for more than MOST_TEXT to be counted."""
    if len(body) > MOST_TEXT:
        _check_size(_read(body), "counted")


def check_cut(body: bytes) -> None:
    """Raises InvalidInput for more than MOST_TEXT to be cut to the model's context: more than fits is refused by the engine, unread."""
    if len(body) <= MOST_TEXT:
        return
    asked = _read(body)
    if asked.get("truncate_prompt_tokens") is not None or asked.get("truncation") not in (None, "disabled"):
        _check_size(asked, "cut to what fits")


def _check_size(asked: dict[str, Any], what: str) -> None:
    if (size := _size(asked)) > MOST_TEXT:
        raise InvalidInput(f"{size} characters (or tokens) came to be {what}: at most {MOST_TEXT} are taken. Send less.")


def _size(asked: Any) -> int:
    """Of its texts, but for images and recordings."""
    size, left = 0, [asked]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left.extend(item for name, item in value.items() if name not in _MEDIA or not isinstance(item, str))
        elif isinstance(value, list):
            left.extend(value)
        else:
            size += len(value) if isinstance(value, str) else 1
    return size


def _read(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)  # as the engine's own routes do, which take more than orjson
    except (ValueError, RecursionError):
        return {}
    return asked if isinstance(asked, dict) else {}


def _prompts(prompt: Any) -> int:
    return len(prompt) if isinstance(prompt, list) and not all(isinstance(item, int) for item in prompt) else 1


def _number(n: Any) -> int:
    """As the engine reads it: "128" and 128.0 are 128."""
    try:
        return _INT.validate_python(n) or 1
    except ValidationError:
        return 1
