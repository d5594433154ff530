"""The file that API keys are kept in, by their hashes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from models.errors import SettingsError
from settings.access import NAME, Key
from settings.plain_yaml import read_yaml
from settings.whole import Settings

_KEYS = TypeAdapter(dict[str, Key])


def path(settings: Settings) -> Path:
    given = settings.access.keys_file
    return Path(given).expanduser() if given else settings.root / "keys.yaml"


def new_key() -> str:
    """256 random bits: nobody guesses it, so that a plain hash keeps it as well as a slow one."""
    return "fs-" + secrets.token_urlsafe(32)


def hashed(key: str) -> str:
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def read(file: Path) -> dict[str, Key]:
    """Empty where there is no file. Raises SettingsError with what is wrong in it."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the API keys in {file} cannot be read: {error}") from error
    try:
        keys = _KEYS.validate_python(read_yaml(text) or {})
    except yaml.YAMLError as error:
        raise SettingsError(f"{file} is not YAML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}" for fault in error.errors())
        raise SettingsError(f"{file} does not hold API keys: {faults}") from error
    for name in keys:
        check_name(name)
    return keys


def check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise SettingsError(f"{name!r} is no name for a key: expected 1 to 64 letters, digits, dots, hyphens and underscores")


def all_of(settings: Settings) -> dict[str, Key]:
    """Those of the configuration too; where both have a name the file's holds."""
    return {**settings.access.keys, **read(path(settings))}


def in_force(settings: Settings) -> dict[str, Key]:
    """Those that a server begins with. Raises SettingsError where it would serve without the file that it was given for them."""
    file = path(settings)
    if settings.access.keys_file and not file.is_file():
        raise SettingsError(f"access.keys_file is {file}, which is not there: make a key (`fireside keys add NAME`), or correct it")
    return all_of(settings)


@contextmanager
def changing(file: Path) -> Iterator[dict[str, Key]]:
    """The keys, which are written again at the end: one command at a time, or the last to write would undo what the others did."""
    with _locked(file.resolve()):
        keys = read(file)
        yield keys
        write(file, keys)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """By a file beside it, as it is another file itself after each change. Opened for reading: it may be another user's."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file.with_name(f".{file.name}.lock"), os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write(file: Path, keys: dict[str, Key]) -> None:
    """In one step: a server that reads it meanwhile gets the old or the new one whole. A new file is for its owner's eyes alone; one that
    was there stays whose it was, and as readable, for a server that runs as somebody else. Links to it stay links."""
    file = file.resolve()
    content = {name: key.model_dump(mode="json", exclude_defaults=True) for name, key in sorted(keys.items())}
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        yaml.safe_dump(content, out, sort_keys=False)
    with suppress(FileNotFoundError):
        before = file.stat()
        Path(temporary).chmod(before.st_mode & 0o777)
        with suppress(PermissionError):  # root alone can
            os.chown(temporary, before.st_uid, before.st_gid)
    Path(temporary).replace(file)
