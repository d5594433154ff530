"""How the GPU is shared between speech and text."""

from __future__ import annotations

from typing import Any

import pytest

from models.errors import SettingsError
from models.memory import GIB, vllm_share


def test_text_gets_what_is_free_less_the_margin_as_a_share_of_the_card() -> None:
    assert vllm_share(22 * GIB, 24 * GIB, 1.0, {}) == {"gpu_memory_utilization": 0.875}


def test_the_share_is_rounded_down_so_that_it_never_asks_for_more_than_is_free() -> None:
    share = vllm_share(22 * GIB + 12345, 24 * GIB, 0.0, {})["gpu_memory_utilization"]
    assert share * 24 * GIB <= 22 * GIB + 12345


@pytest.mark.parametrize("args", [{"gpu_memory_utilization": 0.5}, {"kv_cache_memory_bytes": 4 * GIB}])
def test_what_the_user_chose_stays(args: dict[str, Any]) -> None:
    assert vllm_share(22 * GIB, 24 * GIB, 1.0, args) == {}


@pytest.mark.parametrize("free", [0, GIB, 2 * GIB - 1])
def test_a_full_card_is_refused_with_what_to_do(free: int) -> None:
    with pytest.raises(SettingsError, match=r"expected at least 1\.0 GiB.*lower the margin"):
        vllm_share(free, 24 * GIB, 1.0, {})


@pytest.mark.parametrize(("share", "word"), [(0.92, "but 20.0 GiB are free"), (1.5, "up to 1"), ("half", "up to 1"), (0, "up to 1")])
def test_a_share_that_vllm_would_refuse_is_refused_at_once(share: Any, word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        vllm_share(20 * GIB, 24 * GIB, 1.0, {"gpu_memory_utilization": share})


@pytest.mark.parametrize(("free", "total"), [(1, 0), (-1, 10), (11, 10)])
def test_figures_that_cannot_be_are_refused(free: int, total: int) -> None:
    with pytest.raises(SettingsError, match="free between 0 and total"):
        vllm_share(free, total, 1.0, {})
