"""A Piper voice's ONNX graph read back as what it was exported from: VITS tensors under their torch names, and its hyperparameters.

Source of the architecture: rhasspy/piper, src/python/piper_train/vits (models.py, modules.py); of the folding: its export_onnx.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import numpy_helper

from models.errors import WeightsError

Array = NDArray[Any]
NAMED = re.compile(r"(enc_p|dec|flow|dp|emb_g)\.")
CONVOLUTIONS = ("Conv", "ConvTranspose")
# Piper's largest voices are under 120 MB.
MOST_BYTES = 1 << 30


@dataclass
class Graph:
    """`tensors` by torch name (`flow.flows.6.enc.in_layers.0.weight`); `strides` and `dilations` of each convolution by module name."""

    tensors: dict[str, Array] = field(default_factory=dict)
    strides: dict[str, int] = field(default_factory=dict)
    dilations: dict[str, int] = field(default_factory=dict)

    def shape(self, name: str) -> tuple[int, ...]:
        try:
            return tuple(self.tensors[name].shape)
        except KeyError:
            raise WeightsError(f"this ONNX file is no Piper VITS voice: it has no tensor {name}") from None

    def indices(self, pattern: str) -> list[int]:
        """The numbers that stand where `pattern` has its group, sorted."""
        found = {int(match[1]) for name in self.tensors if (match := re.match(pattern, name))}
        return sorted(found)


def read(path: Path) -> Graph:
    """Raises WeightsError for what is no ONNX file, keeps tensors elsewhere, or has tensors that do not fit their shapes."""
    if path.stat().st_size > MOST_BYTES:
        raise WeightsError(f"{path.name} has {path.stat().st_size} bytes: no Piper voice is over {MOST_BYTES}")
    try:
        model = onnx.load(str(path), load_external_data=False)
        initial = {tensor.name: _array(tensor, path) for tensor in model.graph.initializer}
    except (DecodeError, ValueError, TypeError, KeyError, MemoryError) as error:
        raise WeightsError(f"{path.name} is no readable ONNX file ({type(error).__name__}: {error}): download it again") from error
    return _graph(model.graph.node, initial)


def _array(tensor: Any, path: Path) -> Array:
    if tensor.external_data:
        raise WeightsError(f"{path.name} keeps tensor {tensor.name} in another file: expected a Piper voice, which is one file")
    if any(size < 0 for size in tensor.dims):
        raise ValueError(f"tensor {tensor.name} has a negative size")
    array: Array = numpy_helper.to_array(tensor)
    return array.copy()


def _graph(nodes: Iterable[Any], initial: dict[str, Array]) -> Graph:
    graph = Graph()
    for node in nodes:
        module = ".".join(node.name.strip("/").split("/")[:-1])
        if node.op_type in CONVOLUTIONS:
            _take_convolution(graph, node, module, initial)
        elif node.op_type == "Gather" and module in ("enc_p.emb", "emb_g") and node.input[0] in initial:
            graph.tensors[f"{module}.weight"] = initial[node.input[0]]
        elif node.op_type == "Mul" and module == "dp.flows.0":
            _take_scale(graph, node, initial)
    for name, array in initial.items():
        if NAMED.match(name):
            graph.tensors.setdefault(name, array)
    return graph


def _take_convolution(graph: Graph, node: Any, module: str, initial: dict[str, Array]) -> None:
    for name, source in zip(("weight", "bias"), node.input[1:], strict=False):
        if source in initial:
            graph.tensors[f"{module}.{name}"] = initial[source]
    attributes = {attribute.name: list(attribute.ints) for attribute in node.attribute}
    graph.strides[module] = (attributes.get("strides") or [1])[0]
    graph.dilations[module] = (attributes.get("dilations") or [1])[0]


def _take_scale(graph: Graph, node: Any, initial: dict[str, Array]) -> None:
    """The reverse pass computes (x - m) * exp(-logs), and the exporter folded exp(-logs) into a constant."""
    for source in node.input:
        if source in initial and initial[source].shape == (2, 1):
            graph.tensors["dp.flows.0.logs"] = -np.log(initial[source])


@dataclass(frozen=True)
class Shape:
    """The hyperparameters of a Piper VITS, as its weights show them."""

    symbols: int
    hidden: int
    ffn: int
    heads: int
    layers: int
    kernel: int
    flow_kernel: int
    flow_layers: int
    speakers: int
    speaker_channels: int
    resblock: str
    resblock_kernels: tuple[int, ...]
    resblock_dilations: tuple[tuple[int, ...], ...]
    upsample_rates: tuple[int, ...]
    upsample_kernels: tuple[int, ...]
    upsample_channels: int

    @property
    def hop(self) -> int:
        return int(np.prod(self.upsample_rates))


def shape_of(graph: Graph) -> Shape:
    """Raises WeightsError where Coqui's VITS has no such shape."""
    symbols, hidden = _two(graph, "enc_p.emb.weight")
    speakers, channels = _two(graph, "emb_g.weight") if "emb_g.weight" in graph.tensors else (1, 0)
    ffn, _, kernel = _three(graph, "enc_p.encoder.ffn_layers.0.conv_1.weight")
    _check(graph, hidden)
    ups = graph.indices(r"dec\.ups\.(\d+)\.weight")
    kind = "1" if "dec.resblocks.0.convs1.0.weight" in graph.tensors else "2"
    blocks = _blocks(graph, len(ups), "convs1" if kind == "1" else "convs")
    return Shape(
        symbols=symbols,
        hidden=hidden,
        ffn=ffn,
        heads=hidden // _three(graph, "enc_p.encoder.attn_layers.0.emb_rel_k")[2],
        layers=len(graph.indices(r"enc_p\.encoder\.attn_layers\.(\d+)\.conv_q\.weight")),
        kernel=kernel,
        flow_kernel=_three(graph, "flow.flows.0.enc.in_layers.0.weight")[2],
        flow_layers=len(graph.indices(r"flow\.flows\.0\.enc\.in_layers\.(\d+)\.weight")),
        speakers=speakers,
        speaker_channels=channels,
        resblock=kind,
        resblock_kernels=tuple(kernel for kernel, _ in blocks),
        resblock_dilations=tuple(dilations for _, dilations in blocks),
        upsample_rates=tuple(graph.strides[f"dec.ups.{index}"] for index in ups),
        upsample_kernels=tuple(_three(graph, f"dec.ups.{index}.weight")[2] for index in ups),
        upsample_channels=_three(graph, "dec.conv_pre.weight")[0],
    )


def _blocks(graph: Graph, ups: int, convs: str) -> list[tuple[int, tuple[int, ...]]]:
    """(kernel, dilations) of the residual blocks after the first upsampling; the same follow every other one."""
    number = len(graph.indices(r"dec\.resblocks\.(\d+)\."))
    if not ups or number % ups:
        raise WeightsError(f"this voice's decoder has {number} residual blocks for {ups} upsamplings: expected the same number for each")
    return [_block(graph, f"dec.resblocks.{block}.{convs}") for block in range(number // ups)]


def _block(graph: Graph, convs: str) -> tuple[int, tuple[int, ...]]:
    indices = graph.indices(re.escape(convs) + r"\.(\d+)\.weight")
    kernel = _three(graph, f"{convs}.0.weight")[2]
    return kernel, tuple(graph.dilations[f"{convs}.{index}"] for index in indices)


def _check(graph: Graph, hidden: int) -> None:
    """What Coqui's VITS has fixed must be so here."""
    facts = {
        "inter channels": (graph.shape("enc_p.proj.weight")[0], 2 * hidden),
        "relative attention window": (_three(graph, "enc_p.encoder.attn_layers.0.emb_rel_k")[1], 9),
        "flows": (len(graph.indices(r"flow\.flows\.(\d+)\.pre\.weight")), 4),
        "duration flows": (graph.indices(r"dp\.flows\.(\d+)\.pre\.weight"), [3, 5, 7]),
    }
    for what, (got, expected) in facts.items():
        if got != expected:
            raise WeightsError(f"this Piper voice cannot become a Coqui VITS: {what}: expected {expected}, got {got}")


def _two(graph: Graph, name: str) -> tuple[int, int]:
    return _dimensions(graph, name, 2)  # type: ignore[return-value]


def _three(graph: Graph, name: str) -> tuple[int, int, int]:
    return _dimensions(graph, name, 3)  # type: ignore[return-value]


def _dimensions(graph: Graph, name: str, number: int) -> tuple[int, ...]:
    shape = graph.shape(name)
    if len(shape) != number or not all(shape):
        raise WeightsError(f"this ONNX file is no Piper VITS voice: {name} has shape {shape}, expected {number} dimensions")
    return shape
