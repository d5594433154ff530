"""What the mock refuses, in the words of vLLM 0.32.0 (sampling_params.py, renderers/params.py): clients parse them."""

from __future__ import annotations

import math

from models.base import Sampling
from models.errors import ContextTooLong, InvalidInput


def check_sampling(sampling: Sampling, max_model_len: int) -> None:
    """Raises InvalidInput naming the field, the range and what came."""
    for name in ("presence_penalty", "frequency_penalty"):
        _within(name, getattr(sampling, name), -2, 2)
    _check_temperature(sampling.temperature)
    if sampling.top_p is not None and not 0 < sampling.top_p <= 1:
        raise _named("top_p", f"top_p must be in (0, 1], got {sampling.top_p}.", sampling.top_p)
    if sampling.top_k is not None and sampling.top_k < -1:
        raise InvalidInput(f"top_k must be 0 (disable), or at least 1, got {sampling.top_k}.")
    _within("min_p", sampling.min_p, 0, 1)
    if sampling.repetition_penalty is not None and not 0 < sampling.repetition_penalty < math.inf:
        raise InvalidInput(f"repetition_penalty must be greater than zero, got {sampling.repetition_penalty}.")
    _check_max_tokens(sampling.max_tokens, max_model_len)
    if "" in sampling.stop:
        raise InvalidInput("stop cannot contain an empty string.")


def check_prompt(tokens: int, max_model_len: int) -> None:
    if tokens > max_model_len:
        # vLLM stops counting one token past the limit.
        least = max_model_len + 1
        raise ContextTooLong(
            f"This model's maximum context length is {max_model_len} tokens. However, your prompt contains at least {least} input tokens, "
            "which exceeds this limit even without any output tokens. Please reduce the length of the input prompt. "
            f"(parameter=input_tokens, value={least})",
            param="input_tokens",
        )
    if tokens == max_model_len:
        _check_max_tokens(0, max_model_len)


def _check_temperature(temperature: float | None) -> None:
    if temperature is None:
        return
    if not math.isfinite(temperature):
        raise _named("temperature", f"temperature must be a finite number, got {temperature}.", temperature)
    if temperature < 0:
        raise _named("temperature", f"temperature must be non-negative, got {temperature}.", temperature)
    if temperature > 2:
        raise _named("temperature", f"temperature must be in [0, 2], got {temperature}.", temperature)


def _check_max_tokens(max_tokens: int | None, max_model_len: int) -> None:
    if max_tokens is None:
        return
    if max_tokens < 1:
        raise _named("max_tokens", f"max_tokens must be at least 1, got {max_tokens}.", max_tokens)
    if max_tokens > max_model_len:
        problem = f"max_tokens={max_tokens} cannot be greater than max_model_len={max_model_len}. Please request fewer output tokens."
        raise _named("max_tokens", problem, max_tokens)


def _within(name: str, value: float | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise InvalidInput(f"{name} must be in [{least}, {most}], got {value}.")


def _named(param: str, problem: str, value: float) -> InvalidInput:
    return InvalidInput(f"{problem} (parameter={param}, value={value})", param=param)
