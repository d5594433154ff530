"""eSpeak NG inside this process, from the `espeakng_loader` wheel: no package of the operating system, no process per clause."""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import re
import threading

import espeakng_loader

SEPARATOR = "_"

_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_UTF8 = 1
_IPA = 0x02 | ord(SEPARATOR) << 8
_LONGEST_DATA_PATH = 130  # espeak keeps its data path in a buffer of 160 bytes and appends file names to it
_LANGUAGE_FLAG = re.compile(r"\(.+?\)")
_TEXT_KEPT_SAFE = str.maketrans({"\0": " "})

_lock = threading.Lock()


class _Voice(ctypes.Structure):
    """`espeak_VOICE` of speak_lib.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


@functools.lru_cache(maxsize=8192)
def phonemes(text: str, language: str) -> str:
    """IPA of `text` with `_` between phonemes, stress marks kept and language flags removed, as `espeak-ng -q --ipa=1` prints it.

    Clauses are joined without a space, as Coqui joins the lines of that command. Safe to call from any thread.
    Two things differ from the command: `[[...]]` is read as text, not as phonemes, and some tone numbers of Mandarin and Vietnamese.
    Raises LookupError for a language that espeak does not speak.
    """
    with _lock:
        _choose(language)
        return "".join(_LANGUAGE_FLAG.sub("", clause).strip() for clause in _clauses(text))


@functools.lru_cache(maxsize=1)
def languages() -> dict[str, str]:
    """Every language code that espeak knows, and the name of its voice."""
    with _lock:
        listed = _library().espeak_ListVoices(None)
        voices = (entry.contents for entry in itertools.takewhile(bool, listed))
        # The first byte is a priority, then comes the code of the language.
        return {ctypes.string_at(voice.languages + 1).decode(): voice.name.decode() for voice in voices}


@functools.lru_cache(maxsize=1)
def version() -> str:
    return str(_library().espeak_Info(None).decode())


@functools.lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    library.espeak_Info.restype = ctypes.c_char_p
    if library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(_data()), _DONT_EXIT) < 0:
        raise OSError(f"espeak-ng could not read its data at {_data()}: reinstall the package espeakng-loader")
    return library


@functools.lru_cache(maxsize=1)
def _data() -> str:
    path = str(espeakng_loader.get_data_path())
    if len(os.fsencode(path)) <= _LONGEST_DATA_PATH:
        return path
    return f"/proc/self/fd/{os.open(path, os.O_PATH)}"  # a short name, for as long as this process lives


_chosen = ""


def _choose(language: str) -> None:
    """By name, then by language, like the command. The voice is global state of espeak: the caller holds the lock."""
    global _chosen
    if language == _chosen:
        return
    code = ctypes.create_string_buffer(language.encode())
    wanted = _Voice(languages=ctypes.addressof(code))
    library = _library()
    if library.espeak_SetVoiceByName(code) != 0 and library.espeak_SetVoiceByProperties(ctypes.byref(wanted)) != 0:
        raise LookupError(f"espeak-ng has no voice for language {language!r}")
    _chosen = language


def _clauses(text: str) -> list[str]:
    buffer = ctypes.create_string_buffer(text.translate(_TEXT_KEPT_SAFE).encode())
    position = ctypes.c_void_p(ctypes.addressof(buffer))
    clauses = []
    while position.value:
        clause: bytes | None = _library().espeak_TextToPhonemes(ctypes.byref(position), _UTF8, _IPA)
        clauses.append((clause or b"").decode())
    return clauses
