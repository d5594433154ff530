"""Memory that does not suffice is an error of one sentence, which may be asked for again; a broken GPU is the end of the worker."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from models.errors import EngineDied, Overloaded

# What torch has no class for: the CPU's allocator, CUDA's own outside of torch's, and those of its libraries.
_WORDS = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")


@contextmanager
def told_as_such(what: str) -> Iterator[None]:
    """Overloaded where memory did not do for `what`, and all that it took is free again; EngineDied where the GPU itself has failed."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if _of_memory(error):
            _let_go(error)
            why = f"no memory is left for {what}: try again, or raise memory.margin_gib on a GPU ({str(error).splitlines()[0][:200]})"
            raise Overloaded(why) from None
        if isinstance(error, torch.AcceleratorError):
            raise EngineDied(f"the GPU failed and the speech worker cannot go on: {error}") from error
        raise


def _of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in str(error) for words in _WORDS)


def _let_go(error: BaseException) -> None:
    """The traceback holds every tensor of the work that failed, and torch what was freed: others on the GPU need it."""
    traceback.clear_frames(error.__traceback__)
    torch.cuda.empty_cache()
