"""Piper's tensors under Coqui's names, and the configuration that goes with them."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from TTS.config.shared_configs import BaseAudioConfig
from TTS.tts.configs.shared_configs import CharactersConfig
from TTS.tts.configs.vits_config import VitsArgs, VitsConfig
from TTS.tts.models.vits import Vits

from models.errors import WeightsError
from models.imports.piper import SHIFT, PiperVoice, symbols
from models.imports.piper_graph import Graph, Shape, read, shape_of
from models.manifest import Progress

Tensors = dict[str, torch.Tensor]

# Coqui builds its duration predictor with this many channels, whatever the rest has.
DURATION_CHANNELS = 192
DURATION_BINS = 10
# Modules that only training uses: the ONNX file has them not, and inference never calls them.
UNUSED = ("posterior_encoder.", "duration_predictor.flows.1.", "duration_predictor.post_")
NAMES = (
    (r"^dp\.flows\.0\.m$", "duration_predictor.flows.0.translation"),
    (r"^dp\.flows\.0\.logs$", "duration_predictor.flows.0.log_scale"),
    (r"^dp\.", "duration_predictor."),
    (r"^enc_p\.", "text_encoder."),
    (r"^dec\.cond\.", "waveform_decoder.cond_layer."),
    (r"^dec\.", "waveform_decoder."),
)


def write(path: Path, voice: PiperVoice, folder: Path, progress: Progress) -> None:
    """Write model.pth and config.json into `folder`. Raises WeightsError where graph and description do not fit Coqui's VITS."""
    progress("reading the ONNX graph", 0, 3)
    graph = read(path)
    shape = shape_of(graph)
    _check_voice(voice, shape)
    progress("converting the tensors", 1, 3)
    config = make_config(voice, shape)
    model = build(config)
    model.load_state_dict(convert(graph, shape, voice, model))
    progress("writing the checkpoint", 2, 3)
    torch.save({"model": model.state_dict(), "config": config.to_dict(), "step": 0}, folder / "model.pth")
    config.save_json(str(folder / "config.json"))


def _check_voice(voice: PiperVoice, shape: Shape) -> None:
    if voice.num_speakers != shape.speakers:
        raise WeightsError(
            f"the description tells of {voice.num_speakers} speakers, the weights have {shape.speakers}: they are of two voices"
        )
    if len(symbols(voice)) > shape.symbols:
        raise WeightsError(f"the description has {len(symbols(voice))} phonemes, the weights {shape.symbols}: they are of two voices")


def make_config(voice: PiperVoice, shape: Shape) -> VitsConfig:
    """Coqui's configuration. Speakers' names go into it, not into a file of their own, so that the folder can be moved."""
    return VitsConfig(
        run_name=f"piper-{voice.dataset or 'voice'}",
        audio=BaseAudioConfig(
            sample_rate=voice.audio.sample_rate, fft_size=1024, win_length=1024, hop_length=shape.hop, num_mels=80, do_trim_silence=False
        ),
        model_args=_model_args(voice, shape),
        use_phonemes=True,
        phonemizer="espeak",
        phoneme_language=voice.espeak.voice,
        text_cleaner="no_cleaners",
        add_blank=True,
        enable_eos_bos_chars=True,
        characters=_characters(voice),
        speakers=voice.speakers,
        use_speaker_embedding=bool(voice.speakers),
        test_sentences=[],
        datasets=[],
    )


def _model_args(voice: PiperVoice, shape: Shape) -> VitsArgs:
    return VitsArgs(
        num_chars=len(symbols(voice)) + SHIFT,
        out_channels=513,
        hidden_channels=shape.hidden,
        hidden_channels_ffn_text_encoder=shape.ffn,
        num_heads_text_encoder=shape.heads,
        num_layers_text_encoder=shape.layers,
        kernel_size_text_encoder=shape.kernel,
        kernel_size_flow=shape.flow_kernel,
        dilation_rate_flow=1,
        num_layers_flow=shape.flow_layers,
        use_sdp=True,
        # Training's modules stay at their random start: keep them small.
        num_layers_posterior_encoder=1,
        init_discriminator=False,
        resblock_type_decoder=shape.resblock,
        resblock_kernel_sizes_decoder=list(shape.resblock_kernels),
        resblock_dilation_sizes_decoder=[list(dilations) for dilations in shape.resblock_dilations],
        upsample_rates_decoder=list(shape.upsample_rates),
        upsample_kernel_sizes_decoder=list(shape.upsample_kernels),
        upsample_initial_channel_decoder=shape.upsample_channels,
        inference_noise_scale=voice.inference.noise_scale,
        inference_noise_scale_dp=voice.inference.noise_w,
        length_scale=voice.inference.length_scale,
        **_speaker_args(shape),
    )


def _speaker_args(shape: Shape) -> dict[str, Any]:
    if shape.speakers == 1:
        return {}
    return {"use_speaker_embedding": True, "speaker_embedding_channels": shape.speaker_channels}


def _characters(voice: PiperVoice) -> CharactersConfig:
    return CharactersConfig(
        characters_class="TTS.tts.utils.text.characters.IPAPhonemes",
        characters="".join(symbols(voice)),
        punctuations="",
        phonemes=None,
        pad="_",
        eos="$",
        bos="^",
        blank="_",
        is_unique=False,
        is_sorted=False,
    )


def build(config: VitsConfig) -> Vits:
    """The model of a configuration, without a phonemizer: none is needed to fill it. Its random start is always the same."""
    plain = copy.deepcopy(config)
    plain.use_phonemes = False
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Vits(plain)


def convert(graph: Graph, shape: Shape, voice: PiperVoice, model: Vits) -> Tensors:
    """The whole state of `model`, with Piper's tensors in it. Raises WeightsError for one that is missing, unknown or misshapen."""
    state: Tensors = dict(model.state_dict())
    done: set[str] = set()
    for name, tensor in _renamed(graph, shape, voice).items():
        for target, value in _weight_normed(name, tensor, state).items():
            _check_tensor(target, value, state)
            state[target] = value
            done.add(target)
    if missing := sorted(name for name in set(state) - done if not name.startswith(UNUSED)):
        raise WeightsError(f"this ONNX file lacks {len(missing)} of the tensors of a Piper voice, e.g. {missing[0]}")
    return state


def _renamed(graph: Graph, shape: Shape, voice: PiperVoice) -> Tensors:
    tensors = {coqui_name(name): torch.from_numpy(np.ascontiguousarray(array)).float() for name, array in graph.tensors.items()}
    embedding = tensors["text_encoder.emb.weight"]
    tensors["text_encoder.emb.weight"] = torch.cat([torch.zeros(SHIFT, shape.hidden), embedding[: len(symbols(voice))]])
    return _widened(tensors, DURATION_CHANNELS // shape.hidden) if _narrow(shape) else tensors


def coqui_name(name: str) -> str:
    name = re.sub(r"^dp\.flows\.([1-9]\d*)\.", lambda match: f"dp.flows.{(int(match[1]) + 1) // 2}.", name)  # 3, 5, 7 become 2, 3, 4
    name = re.sub(r"^flow\.flows\.(\d+)\.", lambda match: f"flow.flows.{int(match[1]) // 2}.", name)  # 0, 2, 4, 6 become 0, 1, 2, 3
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def _weight_normed(name: str, tensor: torch.Tensor, state: Tensors) -> Tensors:
    """Where Coqui keeps a weight norm the folded weight is the direction, and its norm over all but the first dimension the length."""
    parts = name.removesuffix("weight") + "parametrizations.weight.original"
    if not name.endswith(".weight") or parts + "0" not in state:
        return {name: tensor}
    length = tensor.flatten(1).norm(dim=1).reshape(-1, *[1] * (tensor.dim() - 1))
    return {parts + "0": length, parts + "1": tensor}


def _check_tensor(name: str, tensor: torch.Tensor, state: Tensors) -> None:
    if name not in state:
        raise WeightsError(f"this ONNX file has a tensor that no Coqui VITS has: {name}")
    if state[name].shape != tensor.shape:
        raise WeightsError(f"tensor {name}: expected shape {tuple(state[name].shape)}, got {tuple(tensor.shape)}")
    if not bool(torch.isfinite(tensor).all()):
        raise WeightsError(f"tensor {name} holds values that are no numbers: the file is damaged; download it again")


def _narrow(shape: Shape) -> bool:
    if DURATION_CHANNELS % shape.hidden:
        raise WeightsError(f"this voice has {shape.hidden} channels; Coqui's duration predictor can hold a divisor of {DURATION_CHANNELS}")
    return shape.hidden != DURATION_CHANNELS


def _widened(tensors: Tensors, times: int) -> Tensors:
    """Piper's x_low has a duration predictor of 96 channels where Coqui always builds 192: repeat its channels.

    The result computes the same: norms over repeated channels have the same mean and variance, a sum over them is taken over the first
    copy alone, and the 1/sqrt(channels) of the spline's widths and heights (ConvFlow.forward) is put back into their weights.
    """
    return {name: _widen(name, tensor, times) if name.startswith("duration_predictor.") else tensor for name, tensor in tensors.items()}


def _widen(name: str, tensor: torch.Tensor, times: int) -> torch.Tensor:
    if name.startswith("duration_predictor.flows.0."):
        return tensor
    if re.search(r"flows\.\d+\.proj\.", name):
        return _reading_first_copy(_rescaled(tensor, times), times)
    tensor = torch.cat([tensor] * times)
    mixes = re.search(r"(convs_1x1\.\d+|^duration_predictor\.proj)\.weight$", name)
    return _reading_first_copy(tensor, times) if mixes else tensor


def _rescaled(tensor: torch.Tensor, times: int) -> torch.Tensor:
    """Rows of a spline projection: 10 widths, 10 heights, 9 derivatives."""
    tensor = tensor.clone()
    tensor[: 2 * DURATION_BINS] *= times**0.5
    return tensor


def _reading_first_copy(tensor: torch.Tensor, times: int) -> torch.Tensor:
    """A weight that reads `times` copies of its input and counts the first alone; a bias stays."""
    if tensor.dim() != 3:
        return tensor
    return torch.cat([tensor, *[torch.zeros_like(tensor)] * (times - 1)], dim=1)
