"""A folder that is a model already: a transformers folder, a Coqui folder, or a faster-whisper one. Copied in, never linked."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import WeightsError
from models.manifest import MANIFEST, Card, Format, Kind, Progress
from models.store import CHUNK, Builder

COQUI_CHECKPOINTS = ("model.pth", "model_file.pth", "model_file.pth.tar", "checkpoint.pth")
# Paths that a Coqui configuration holds, at its top and in model_args.
COQUI_PATHS = ("speakers_file", "language_ids_file", "d_vector_file", "speaker_encoder_model_path", "speaker_encoder_config_path")
MOST_HEADER = 100 << 20
SKIPPED = (".git", ".cache", "__pycache__")


@dataclass
class FolderBuilder(Builder):
    path: Path
    source: str
    revision: str
    licence: str

    def __call__(self, folder: Path, progress: Progress) -> Card:
        recognise(self.path)
        copy_tree(self.path, folder, progress)
        return finish(folder, self.source, self.revision, self.licence)


def finish(folder: Path, source: str, revision: str, licence: str) -> Card:
    """Check a filled folder and make it independent of where it lies."""
    kind, form = recognise(folder)
    with _as_expected(folder / "config.json"):
        details = _details(folder, form)
    return Card(kind=kind, format=form, source=source, revision=revision, licence=licence, details=details)


def _details(folder: Path, form: Format) -> dict[str, Any]:
    if form == "coqui":
        return make_portable(folder)
    if form == "transformers":
        check_safetensors(folder)
        return {"architecture": str((_config(folder).get("architectures") or ["unknown"])[0])}
    return {}


@contextmanager
def _as_expected(path: Path) -> Iterator[None]:
    """A configuration is JSON, and may have anything in the place of anything."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise WeightsError(f"{path.name} is not as a model's: {type(error).__name__}: {error}") from error


def recognise(folder: Path) -> tuple[Kind, Format]:
    """What the files of a folder make. Raises WeightsError naming what would have been a model."""
    config = _config(folder)
    if any(folder.glob("*.safetensors")) and (config.get("architectures") or config.get("model_type")):
        if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json")):
            raise WeightsError(
                f"{folder} has safetensors but no tokenizer: expected tokenizer.json, tokenizer.model, vocab.json or tekken.json"
            )
        return "text", "transformers"
    if (folder / "model.bin").is_file() and any(folder.glob("vocabulary.*")):
        return "listening", "ctranslate2"
    if coqui_checkpoint(folder) and "audio" in config:
        return "speech", "coqui"
    raise WeightsError(
        f"{folder} is no model folder known here: expected config.json with *.safetensors and a tokenizer (text), "
        "config.json with model.pth (a Coqui voice), or model.bin with vocabulary.* (faster-whisper)"
    )


def coqui_checkpoint(folder: Path) -> Path | None:
    return next((folder / name for name in COQUI_CHECKPOINTS if (folder / name).is_file()), None)


def copy_tree(source: Path, target: Path, progress: Progress) -> None:
    files = [path for path in sorted(source.rglob("*")) if path.is_file() and _wanted(path.relative_to(source))]
    total, done = sum(path.stat().st_size for path in files), 0
    for path in files:
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as reader, copy.open("wb") as writer:
            while block := reader.read(CHUNK):
                writer.write(block)
                done += len(block)
                progress("copying", done, total)


def _wanted(path: Path) -> bool:
    return path.parts[0] not in SKIPPED and path.name != MANIFEST


def check_safetensors(folder: Path) -> None:
    """Every file's header fits the file, and every file that an index names is there. Source: huggingface/safetensors, README, "Format"."""
    for path in folder.glob("*.safetensors"):
        _check_header(path)
    for index in folder.glob("*.safetensors.index.json"):
        shards = {str(shard) for shard in _json(index).get("weight_map", {}).values()}
        if missing := sorted(shard for shard in shards if Path(shard).name != shard or not (folder / shard).is_file()):
            raise WeightsError(f"{index.name} names files that are not there: {', '.join(missing[:3])}; copy the whole model folder")


def _check_header(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else size + 1
        if length > min(MOST_HEADER, size - 8):
            raise WeightsError(f"{path.name} is no whole safetensors file: its header is longer than the file; copy or download it again")
        content = file.read(length)
    end = 8 + length + _data_size(path, content)
    if end != size:
        raise WeightsError(f"{path.name} has {size} bytes where its header promises {end}: copy or download it again")


def _data_size(path: Path, header: bytes) -> int:
    try:
        tensors = json.loads(header)
        return max((int(tensor["data_offsets"][1]) for name, tensor in tensors.items() if name != "__metadata__"), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{path.name} is no safetensors file: its header cannot be read") from error


def make_portable(folder: Path) -> dict[str, Any]:
    """Let a Coqui folder stand on its own: model.pth by that name, and speakers in the configuration instead of a path to a file.

    Other files that the configuration names are left by their names; the engine looks for them beside it.
    """
    checkpoint = coqui_checkpoint(folder)
    if checkpoint and checkpoint.name != "model.pth":
        checkpoint.rename(folder / "model.pth")
    config = _config(folder)
    speakers = _speakers(folder, config)
    for part in (config, config.get("model_args") or {}):
        _bare_names(folder, part)
        if speakers and "speakers_file" in part:
            part["speakers_file"] = None
    if speakers:
        config["speakers"] = speakers
    (folder / "config.json").write_text(json.dumps(config, indent=4, ensure_ascii=False), encoding="utf-8")
    languages = [str(language) for language in config.get("languages") or []]
    return {
        "language": str(config.get("phoneme_language") or "") or ", ".join(languages),
        "rate": config["audio"].get("output_sample_rate") or config["audio"].get("sample_rate"),
        "speakers": [name.strip() for name in speakers or _studio(folder)],
    }


def _studio(folder: Path) -> list[str]:
    """Those that come with XTTS."""
    path = folder / "speakers_xtts.pth"
    if not path.is_file():
        return []
    from models.imports.checkpoint import load_safely

    return [str(name) for name in load_safely(path)]


def _bare_names(folder: Path, part: dict[str, Any]) -> None:
    for key in COQUI_PATHS:
        value = part.get(key)
        if isinstance(value, str) and value and (folder / Path(value).name).is_file():
            part[key] = Path(value).name


def _speakers(folder: Path, config: dict[str, Any]) -> list[str]:
    """Speakers' names in the order of their ids, from the configuration or from the file it names (.json, or .pth by its safe loader)."""
    arguments = config.get("model_args") or {}
    if not (config.get("use_speaker_embedding") or arguments.get("use_speaker_embedding")):
        return []
    if config.get("speakers"):
        return [str(name) for name in config["speakers"]]
    named = Path(config.get("speakers_file") or arguments.get("speakers_file") or "speaker_ids.json").name
    path = next((folder / name for name in (named, "speaker_ids.json", "speaker_ids.pth") if (folder / name).is_file()), None)
    return _in_order(_ids(path), path.name) if path else []


def _ids(path: Path) -> Any:
    if path.suffix == ".json":
        return _json(path)
    from models.imports.checkpoint import load_safely

    return load_safely(path)


def _in_order(ids: Any, name: str) -> list[str]:
    try:
        by_id = {int(number): str(speaker) for speaker, number in ids.items()}
        return [by_id[number] for number in range(len(ids))]
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        raise WeightsError(f"{name}: expected speakers' names with ids from 0 up, each once") from error


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    return _json(path) if path.is_file() else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path.name} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path.name}: expected an object at the top, got {type(content).__name__}")
    return content
