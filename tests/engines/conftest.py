"""The cpu profile behind a real `bentoml serve`: vLLM and Coqui, loaded once for the session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Server, serve


@pytest.fixture(scope="session")
def real_server() -> Iterator[Server]:
    assert "FIRESIDE_HOME" in os.environ, "run by `make test-engines`, which prepares the weights and names their folder"
    with serve("cpu", ready_within=400) as running:
        yield running


@pytest.fixture(scope="session")
def server_url(real_server: Server) -> str:
    return real_server.url


@pytest.fixture(scope="session")
def xtts_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random XTTS; not to be changed."""
    from tests.engines import small_xtts

    folder = tmp_path_factory.mktemp("xtts")
    small_xtts.write(folder)
    return folder
