"""The statistics beside some models of Coqui: numpy would unpickle them, and so run whatever is in them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from numpy.lib import format as npy

from models.errors import WeightsError

_PLAIN = {"_reconstruct", "ndarray", "dtype", "scalar", "encode", "_frombuffer"}


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] in ("numpy", "_codecs") and name in _PLAIN:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it would run {module}.{name}")


def check(path: Path) -> None:
    """Raises WeightsError for a .npy file that holds more than arrays and plain data."""
    try:
        with path.open("rb") as file:
            npy.read_magic(file)  # type: ignore[no-untyped-call]
            npy.read_array_header_1_0(file)  # type: ignore[no-untyped-call]
            _Plain(file).load()
    except (pickle.UnpicklingError, ValueError, EOFError, OSError, LookupError, AttributeError, TypeError) as error:
        raise WeightsError(f"{path} holds more than arrays and plain data, or is broken, and is not loaded: {error}") from error
