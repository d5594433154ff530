"""A load that hangs ends: it would keep all other engines from being loaded again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from models.errors import EngineFailed
from models.limit import loaded_within
from models.text.vllm import VllmEngine
from settings import Text

pytestmark = pytest.mark.anyio


async def test_a_text_load_that_hangs_fails_and_names_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("{}")
    engine = VllmEngine("m", lambda: tmp_path, Text(start_timeout=0.05))
    called_off = asyncio.Event()

    async def hang(*_: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            called_off.set()

    monkeypatch.setattr(engine, "_load", hang)
    with pytest.raises(EngineFailed, match=r"the text engine was not ready within 0\.05 s: raise text\.start_timeout"):
        await engine.start()
    assert called_off.is_set()


async def test_a_timeout_of_the_load_itself_is_told_as_it_is() -> None:
    with pytest.raises(TimeoutError, match="no answer from the disk"):
        async with loaded_within(60, "text"):
            raise TimeoutError("no answer from the disk")
