"""How one GPU is shared: speech and listening load first; vLLM gets what is then free less a margin, measured anew at each of its loads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from models.errors import SettingsError

GIB = 1 << 30
# Below this no language model starts: weights, activations and a KV cache for one request.
LEAST = 1 * GIB
CHOSEN_BY_USER = ("gpu_memory_utilization", "kv_cache_memory_bytes")


def vllm_share(free: int, total: int, margin: float, args: Mapping[str, Any]) -> dict[str, float]:
    """The arguments to add to vLLM's: `gpu_memory_utilization`, a share of the whole card; nothing where `args` sets the share itself.

    `free` and `total` are NVML's bytes of the card once the others are loaded, `margin` is in GiB. vLLM takes its share of
    CUDA's total, which is NVML's or, less what the driver reserves, a little below: never more than this computes. Raises SettingsError
    when nothing useful is left, or when `args` asks for more than is free: vLLM would refuse to start, after a minute.
    """
    if total <= 0 or not 0 <= free <= total:
        raise SettingsError(f"GPU memory: expected free between 0 and total, got {free} of {total} bytes")
    if any(args.get(name) is not None for name in CHOSEN_BY_USER):
        _check_chosen(free, total, args)
        return {}
    left = free - int(margin * GIB)
    if left < LEAST:
        raise SettingsError(
            f"GPU memory: {gib(free)} of {gib(total)} are free once the others are loaded; less memory.margin_gib ({margin:g}) that "
            f"leaves {gib(max(left, 0))} for text, expected at least {gib(LEAST)}: end other programs on the GPU, put speech or "
            "listening on the CPU, or lower the margin"
        )
    return {"gpu_memory_utilization": math.floor(left / total * 10_000) / 10_000}


def _check_chosen(free: int, total: int, args: Mapping[str, Any]) -> None:
    share = args.get("gpu_memory_utilization")
    if args.get("kv_cache_memory_bytes") is not None or share is None:
        return
    if not isinstance(share, int | float) or not 0 < share <= 1:
        raise SettingsError(f"text.args.gpu_memory_utilization: expected a share of the card over 0 and up to 1, got {share!r}")
    if share * total > free:
        raise SettingsError(
            f"text.args.gpu_memory_utilization is {share:g}, {gib(int(share * total))} of {gib(total)}, but {gib(free)} are free once "
            "the others are loaded: lower it, or leave it out and let it be computed"
        )


def gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
