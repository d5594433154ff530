"""Loading vLLM's engine: configuration checked, EngineCore started, and the reason in one line when it does not come up.

Importing this file imports vLLM (seconds): do it in a thread, after the environment is set.
"""

from __future__ import annotations

import argparse
import multiprocessing
from typing import Any

from pydantic import ValidationError
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.platforms import current_platform
from vllm.usage.usage_lib import UsageContext
from vllm.utils.func_utils import _supports_kw
from vllm.utils.import_utils import resolve_obj_by_qualname
from vllm.v1.engine.async_llm import AsyncLLM

from models.errors import EngineFailed, FiresideError, SettingsError, WeightsError
from models.parent import kill_tree
from models.text.vllm_core import tie
from models.text.vllm_llm import CarefulLLM
from models.text.vllm_log import ErrorLog, class_of
from models.text.vllm_worker import OutOfGroup

EXTENSION = {"worker_extension_cls": f"{OutOfGroup.__module__}.{OutOfGroup.__name__}"}
# The classes of a failed load that speak of the files, by the name that a traceback of the child process shows.
BROKEN_FILES = ("SafetensorError", "FileNotFoundError", "UnpicklingError", "JSONDecodeError")


def load(args: argparse.Namespace, errors: ErrorLog) -> AsyncLLM:
    """Load the model; returns when EngineCore is up. Blocks for minutes, and the engine lives no longer than the thread that calls this.

    Raises SettingsError or WeightsError for what vLLM refuses, EngineFailed with the child's own reason when it did not come up;
    no process is left behind.
    """
    config = _config(args)
    tie()
    try:
        return CarefulLLM.from_vllm_config(
            config,
            usage_context=UsageContext.OPENAI_API_SERVER,
            enable_log_requests=args.enable_log_requests,
            aggregate_engine_logging=args.aggregate_engine_logging,
            disable_log_stats=args.disable_log_stats,
        )
    except Exception as error:  # vLLM says nothing of what it may raise here
        cause = errors.root_cause() or f"{type(error).__name__}: {one_line(error)}"
        kind = WeightsError if class_of(cause) in BROKEN_FILES else EngineFailed
        raise kind(f"vLLM could not load {args.model}: {cause}") from error


def on_gpu() -> bool:
    """An NVIDIA one, seen through NVML: no CUDA context is made."""
    return bool(current_platform.is_cuda())


def _config(args: argparse.Namespace) -> Any:
    try:
        return AsyncEngineArgs.from_cli_args(args).create_engine_config(UsageContext.OPENAI_API_SERVER)
    except FiresideError:
        raise
    except OSError as error:
        raise WeightsError(f"vLLM cannot read {args.model}: {one_line(error)}") from error
    except RuntimeError as error:
        raise EngineFailed(f"vLLM cannot run here: {one_line(error)}") from error
    except (ValueError, TypeError, KeyError, AssertionError) as error:
        raise SettingsError(f"vLLM refuses text.args or the model at {args.model}: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(": ".join([*map(str, fault["loc"]), fault["msg"]]) for fault in error.errors())
    return " ".join(str(error).split()) or type(error).__name__


def kill_children() -> None:
    """Kill the engine processes this one has started, and theirs: the only way to end a load that waits for them.

    A worker of EngineCore's that still imports does not see its parent die.
    """
    for child in multiprocessing.active_children():
        if child.name.startswith("EngineCore") and child.pid is not None:
            kill_tree(child.pid)


async def leave_group(llm: AsyncLLM) -> None:
    """Take the workers out of this process's group: see OutOfGroup. A user's own extension stays in it, unless it inherits from that."""
    extension = resolve_obj_by_qualname(llm.vllm_config.parallel_config.worker_extension_cls)
    if issubclass(extension, OutOfGroup):
        await llm.collective_rpc(OutOfGroup.leave_group.__name__)


def close_sockets(llm: AsyncLLM) -> None:
    """After `shutdown`: end the threads of vLLM's sockets, which it leaves to the garbage collector. Blocks for a moment."""
    resources = llm.engine_core.resources
    # Ending a context waits for its open sockets. The loop has closed them; if one is left, leaving it is better than waiting for ever.
    if all(socket is None or socket.closed for socket in (resources.input_socket, resources.output_socket)):
        resources.ctx.destroy(linger=0)


def forget_tokenizers() -> None:
    """After `shutdown`: vLLM caches what it knows of methods by the methods, those of the engine's tokenizers too, 15 MB each."""
    _supports_kw.cache_clear()
