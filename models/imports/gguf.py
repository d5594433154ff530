"""A GGUF file, dequantised into a safetensors folder that transformers and vLLM load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import WeightsError
from models.imports import gguf_header
from models.manifest import Card, Progress
from models.store import Builder


@dataclass
class GGUFBuilder(Builder):
    path: Path
    source: str
    revision: str
    licence: str

    def __call__(self, folder: Path, progress: Progress) -> Card:
        architecture = gguf_header.check(self.path)
        progress("loading transformers", 0, 0)
        with _quiet(progress), _readable(self.path):
            _write_model(self.path, folder, progress)
            _write_tokenizer(self.path, folder, progress)
        return Card(
            kind="text",
            format="transformers",
            source=self.source,
            revision=self.revision,
            licence=self.licence,
            details={"architecture": architecture, "dequantised": True},
        )


def _write_model(path: Path, folder: Path, progress: Progress) -> None:
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    options: dict[str, Any] = {"dtype": torch.bfloat16, "quantization_config": GgufConfig(dequantize=True), "local_files_only": True}
    model, found = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, output_loading_info=True, **options)
    _check_whole(path, sorted(found["missing_keys"]))
    progress("writing safetensors", 0, 0)
    model.save_pretrained(folder)


def _check_whole(path: Path, missing: list[str]) -> None:
    """transformers fills what is missing with random numbers. A weight that is tied to another is not among it."""
    if missing:
        raise WeightsError(
            f"{path.name} is no whole model: {len(missing)} of its tensors are missing, {missing[0]} first; download or convert it again"
        )


def _write_tokenizer(path: Path, folder: Path, progress: Progress) -> None:
    from transformers import AutoTokenizer

    progress("writing the tokenizer", 0, 0)
    AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name, local_files_only=True).save_pretrained(folder)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """The header was believable; what transformers still cannot make of the file becomes one WeightsError."""
    try:
        yield
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, NotImplementedError, OSError, RuntimeError) as error:
        raise WeightsError(f"{path.name} cannot be turned into a model: {type(error).__name__}: {error}") from error


@contextmanager
def _quiet(progress: Progress) -> Iterator[None]:
    """transformers' bars and warnings would cut through ours: its count of tensors goes to `progress`."""
    from transformers import modeling_gguf_pytorch_utils as reader
    from transformers.utils import logging

    level, bars, own = logging.get_verbosity(), logging.is_progress_bar_enabled(), reader.tqdm
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    reader.tqdm = lambda items, **_: _counted(items, progress)
    try:
        yield
    finally:
        reader.tqdm = own
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _counted(items: Iterable[Any], progress: Progress) -> Iterator[Any]:
    tensors = list(items)
    for number, tensor in enumerate(tensors, 1):
        yield tensor
        progress("dequantising tensors", number, len(tensors))
