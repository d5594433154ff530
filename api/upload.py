"""A form with a file, taken in no further than is allowed; what does not fit into a megabyte waits on disk."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser

from models.errors import InvalidInput, TooLarge


@asynccontextmanager
async def form(request: Request, max_bytes: int) -> AsyncGenerator[FormData, None]:
    """Raises TooLarge as soon as the body is, and InvalidInput for what is no form. Its files are gone at the end."""
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        raise InvalidInput(f"the body is {kind or 'of no type'}: expected multipart/form-data with the audio as its file.")
    announced = request.headers.get("content-length", "")
    if announced.isdigit():
        _check(int(announced), max_bytes)
    try:
        content = await MultiPartParser(request.headers, _limited(request.stream(), max_bytes), max_files=1, max_fields=100).parse()
    except MultiPartException as error:
        raise InvalidInput(f"the form cannot be read: {error.message} Expected multipart/form-data with one file.") from error
    except UnicodeError as error:  # of a charset that the client chose
        raise InvalidInput(f"the form's fields cannot be read: {error}. Expected UTF-8, without a charset of its own.") from error
    try:
        yield content
    finally:
        await content.close()


async def _limited(chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncGenerator[bytes, None]:
    came = 0
    async for chunk in chunks:
        came += len(chunk)
        _check(came, max_bytes)
        yield chunk


def _check(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise TooLarge(
            f"the body has {size} bytes or more: at most {max_bytes} are taken. Send the recording in parts, or in a format that is "
            "smaller: mp3, ogg.",
            param="file",
        )
