"""A small Piper voice made up on the spot: a random VITS, and the ONNX file that Piper's exporter would have written for it.

The exporter's habits that are imitated: a node carries its module's name, weight norm is folded and such weights lose their name,
so does the embedding, exp(-logs) becomes a constant, only the reverse flows of the duration predictor are there.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from TTS.tts.layers.vits.stochastic_duration_predictor import StochasticDurationPredictor

from models.imports import piper_checkpoint
from models.imports.piper import SHIFT, PiperVoice
from models.imports.piper_graph import Shape

SYMBOLS = 20
MEDIUM = Shape(
    symbols=256,
    hidden=192,
    ffn=768,
    heads=2,
    layers=2,
    kernel=3,
    flow_kernel=5,
    flow_layers=4,
    speakers=1,
    speaker_channels=0,
    resblock="2",
    resblock_kernels=(3, 5, 7),
    resblock_dilations=((1, 2), (2, 6), (3, 12)),
    upsample_rates=(8, 8, 4),
    upsample_kernels=(16, 16, 8),
    upsample_channels=64,
)
HIGH = replace(
    MEDIUM,
    resblock="1",
    resblock_kernels=(3, 7, 11),
    resblock_dilations=((1, 3, 5),) * 3,
    upsample_rates=(8, 8, 2, 2),
    upsample_kernels=(16, 16, 4, 4),
)
X_LOW = replace(MEDIUM, hidden=96, ffn=384)
SHAPES = {
    "medium": MEDIUM,
    "high": HIGH,
    "x_low": X_LOW,
    "three speakers": replace(MEDIUM, speakers=3, speaker_channels=512),
    "two speakers, x_low": replace(X_LOW, speakers=2, speaker_channels=512),
    "two speakers, high": replace(HIGH, speakers=2, speaker_channels=512),
}


def description(shape: Shape) -> dict[str, Any]:
    """What lies beside the .onnx file."""
    letters = ["_", "^", "$", " ", *"abcdefghijklmnopqrstuvwxyz"][:SYMBOLS]
    names = {f"speaker {number}": number for number in range(shape.speakers)} if shape.speakers > 1 else {}
    return {
        "audio": {"sample_rate": 16000, "quality": "x_low"},
        "espeak": {"voice": "de"},
        "inference": {"noise_scale": 0.5, "length_scale": 1.25, "noise_w": 0.75},
        "phoneme_type": "espeak",
        "phoneme_id_map": {letter: [number] for number, letter in enumerate(letters)},
        "num_symbols": 256,
        "num_speakers": shape.speakers,
        "speaker_id_map": names,
        "language": {"code": "de_DE"},
        "dataset": "made-up",
    }


def network(shape: Shape) -> Any:
    """A random VITS of that shape with Piper's own duration predictor, which is as wide as the rest."""
    voice = PiperVoice.model_validate(description(shape))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = piper_checkpoint.build(piper_checkpoint.make_config(voice, shape))
        if shape.hidden != piper_checkpoint.DURATION_CHANNELS:
            width, speaker = shape.hidden, shape.speaker_channels
            model.duration_predictor = StochasticDurationPredictor(width, width, 3, 0.5, 4, cond_channels=speaker)
        for parameter in model.duration_predictor.parameters():
            nn.init.normal_(parameter, 0, 0.2)
        for flow in model.flow.flows:
            nn.init.normal_(flow.post.weight, 0, 0.05)
    return model.eval()


def write(model: Any, shape: Shape, path: Path) -> None:
    graph = Exporter(shape).graph(model)
    onnx.save(helper.make_model(graph, producer_name="pytorch"), str(path))
    path.with_name(path.name + ".json").write_text(json.dumps(description(shape)))


class Exporter:
    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.nodes: list[Any] = []
        self.initial: dict[str, Any] = {}

    def graph(self, model: Any) -> Any:
        for name, module in model.named_modules():
            if (piper := piper_name(name)) and isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
                self.convolution(piper, module)
        for name, parameter in model.named_parameters():
            if (piper := piper_name(name)) and not re.search(r"(weight|bias|original\d)$", piper):
                self.initial[piper] = parameter
        unused = torch.ones(256 - SYMBOLS, self.shape.hidden)
        self.embedding("/enc_p/emb/Gather", "sid", torch.cat([model.text_encoder.emb.weight[SHIFT:], unused]))
        if self.shape.speakers > 1:
            self.embedding("/emb_g/Gather", "emb_g.weight", model.emb_g.weight)
        self.scale(self.initial.pop("dp.flows.0.logs"))
        tensors = [numpy_helper.from_array(np.ascontiguousarray(value.detach().numpy()), name) for name, value in self.initial.items()]
        output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n"])
        return helper.make_graph(self.nodes, "voice", [], [output], tensors)

    def convolution(self, name: str, module: Any) -> None:
        kind = "ConvTranspose" if isinstance(module, nn.ConvTranspose1d) else "Conv"
        weight = f"onnx::Conv_{len(self.nodes)}" if hasattr(module, "parametrizations") else f"{name}.weight"
        inputs = ["x", weight, *([f"{name}.bias"] if module.bias is not None else [])]
        self.initial.update(dict(zip(inputs[1:], (module.weight, module.bias), strict=False)))
        path = self.path(name)
        self.nodes.append(helper.make_node(kind, inputs, ["y"], f"{path}/{kind}", strides=module.stride, dilations=module.dilation))

    def path(self, name: str) -> str:
        """`/flow/flows.6/enc/in_layers.0` for flow.flows.6.enc.in_layers.0."""
        return "/" + re.sub(r"\.(?!\d)", "/", name)

    def embedding(self, node: str, name: str, weight: Any) -> None:
        self.initial[name] = weight
        self.nodes.append(helper.make_node("Gather", [name, "input"], ["y"], node))

    def scale(self, logs: Any) -> None:
        self.initial["/dp/flows.0/Exp_output_0"] = torch.exp(-logs)
        self.nodes.append(helper.make_node("Mul", ["z", "/dp/flows.0/Exp_output_0"], ["y"], "/dp/flows.0/Mul"))


def piper_name(name: str) -> str | None:
    """Piper's name of a Coqui module or parameter; None for what its exporter leaves out."""
    if re.match(r"(posterior_encoder|duration_predictor\.(flows\.1\.|post_)|emb_g|text_encoder\.emb\.)", name):
        return None
    name = re.sub(r"^duration_predictor\.flows\.0\.translation", "dp.flows.0.m", name)
    name = re.sub(r"^duration_predictor\.flows\.0\.log_scale", "dp.flows.0.logs", name)
    name = re.sub(r"^duration_predictor\.flows\.([2-4])", lambda match: f"dp.flows.{2 * int(match[1]) - 1}", name)
    name = re.sub(r"^flow\.flows\.(\d)", lambda match: f"flow.flows.{2 * int(match[1])}", name)
    name = re.sub(r"^waveform_decoder\.cond_layer", "dec.cond", name)
    for coqui, piper in (("duration_predictor.", "dp."), ("text_encoder.", "enc_p."), ("waveform_decoder.", "dec.")):
        name = name.replace(coqui, piper) if name.startswith(coqui) else name
    return name if re.match(r"(dp|enc_p|dec|flow)\.", name) else None
