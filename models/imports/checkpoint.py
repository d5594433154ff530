"""torch files, loaded as data: never as code."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

import torch

from models.errors import WeightsError

# torch's reader walks a broken pickle until something gives way: any of these is the file's fault.
BROKEN = (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError, AssertionError, struct.error, MemoryError)


def load_safely(path: Path) -> Any:
    """torch.load with `weights_only`. Raises WeightsError for a broken file and for one that wants to run code."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path.name} holds more than tensors and plain data, and is not loaded: {error}") from error
    except BROKEN as error:
        raise WeightsError(f"{path.name} is no whole torch file ({type(error).__name__}): copy or download it again") from error
