"""A Piper voice (VITS as ONNX beside its .json) turned into a stock Coqui VITS checkpoint: model.pth and config.json.

No Coqui class is changed. Ids in Coqui are Piper's plus SHIFT, because IPAPhonemes puts pad, eos, bos and blank before `characters`; the
same symbols come again in `characters`, and the last occurrence wins in its map. Coqui's order ^ _ p1 _ p2 _ ... pn _ $ is Piper's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from models.errors import WeightsError
from models.manifest import Card, Progress
from models.store import Builder

SHIFT = 4
PRIVATE_USE = 0xE000
MOST_SYMBOLS = 4096


class PiperAudio(BaseModel):
    sample_rate: int = Field(ge=8000, le=48000)
    quality: str = ""


class PiperEspeak(BaseModel):
    voice: str = Field(pattern=r"^[A-Za-z0-9_-]+$")


class PiperInference(BaseModel):
    noise_scale: float = Field(0.667, ge=0)
    length_scale: float = Field(1.0, gt=0)
    noise_w: float = Field(0.8, ge=0)


class PiperLanguage(BaseModel):
    code: str = ""


class PiperVoice(BaseModel):
    """The .onnx.json of a Piper voice: https://github.com/rhasspy/piper/blob/master/TRAINING.md."""

    audio: PiperAudio
    espeak: PiperEspeak
    inference: PiperInference = PiperInference()
    phoneme_type: str = "espeak"
    phoneme_id_map: dict[str, list[int]]
    num_speakers: int = Field(1, ge=1, le=100_000)
    speaker_id_map: dict[str, int] = {}
    language: PiperLanguage = PiperLanguage()
    dataset: str = ""

    @property
    def bcp47(self) -> str:
        return (self.language.code or self.espeak.voice).replace("_", "-")

    @property
    def speakers(self) -> list[str]:
        """Names by id; a speaker without a name is called by its number. Empty for a single voice."""
        if self.num_speakers == 1:
            return []
        names = {number: name for name, number in self.speaker_id_map.items()}
        return [names.get(number, str(number)) for number in range(self.num_speakers)]


@dataclass
class PiperBuilder(Builder):
    path: Path
    source: str
    revision: str
    licence: str

    def __call__(self, folder: Path, progress: Progress) -> Card:
        from models.imports import piper_checkpoint

        voice, card = read_voice(self.path), _model_card(self.path)
        piper_checkpoint.write(self.path, voice, folder, progress)
        if card:
            (folder / "MODEL_CARD").write_text(card, encoding="utf-8")
        return Card(
            kind="speech",
            format="coqui",
            source=self.source,
            revision=self.revision,
            licence=self.licence if self.licence != "unknown" else _licence(card),
            details=_details(self.path, voice),
        )


def read_voice(path: Path) -> PiperVoice:
    """The description beside the .onnx file. Raises WeightsError where it is missing or not Piper's."""
    beside = path.with_name(path.name + ".json")
    try:
        voice = PiperVoice.model_validate_json(beside.read_bytes())
    except FileNotFoundError:
        raise WeightsError(f"no {beside.name} beside {path.name}: a Piper voice is these two files; download both") from None
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"]) or "content"
        raise WeightsError(f"{beside.name} does not describe a Piper voice: {place}: {fault['msg']}") from error
    if not voice.phoneme_type.lower().endswith("espeak"):
        raise WeightsError(f"{beside.name}: phoneme_type is {voice.phoneme_type!r}; only voices on espeak phonemes can be imported")
    return voice


def symbols(voice: PiperVoice) -> list[str]:
    """One character per id, from 0; ids that Piper left out get characters no text contains. Raises WeightsError."""
    by_id = {ids[0]: symbol for symbol, ids in voice.phoneme_id_map.items() if len(ids) == 1}
    if len(by_id) != len(voice.phoneme_id_map) or not by_id or not 0 <= min(by_id) <= max(by_id) < MOST_SYMBOLS:
        raise WeightsError("phoneme_id_map: expected one id of its own for each symbol, from 0")
    if long := [symbol for symbol in by_id.values() if len(symbol) != 1]:
        raise WeightsError(f"phoneme_id_map: expected single characters, got {long[0]!r}")
    if [by_id.get(number) for number in range(3)] != ["_", "^", "$"]:
        raise WeightsError("phoneme_id_map: expected '_', '^' and '$' as 0, 1 and 2")
    return [by_id.get(number, chr(PRIVATE_USE + number)) for number in range(max(by_id) + 1)]


def _details(path: Path, voice: PiperVoice) -> dict[str, Any]:
    return {
        "piper": path.name.removesuffix(".onnx"),
        "language": voice.bcp47,
        "espeak_voice": voice.espeak.voice,
        "quality": voice.audio.quality,
        "rate": voice.audio.sample_rate,
        "speakers": voice.speakers,
    }


def _model_card(path: Path) -> str:
    card = path.with_name("MODEL_CARD")
    return card.read_text(encoding="utf-8", errors="replace")[:20_000] if card.is_file() else ""


def _licence(card: str) -> str:
    match = re.search(r"^\W*licen[cs]e:\s*(.{1,200}?)\s*$", card, re.IGNORECASE | re.MULTILINE)
    return match[1] if match else "unknown"
