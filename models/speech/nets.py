"""What is done to Coqui's networks before they speak, and what their layers say about themselves."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


def without_weight_norm(model: nn.Module) -> None:
    for module in model.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")


class ChannelsLast(nn.Module):  # type: ignore[misc]
    """HiFi-GAN with its channels last in memory: oneDNN reads that as it is, where it would copy the input of every Conv1d back and forth.

    The decoder of `joe` in windows of 128 frames: 1.2 times as fast on AVX-512.
    """

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = _in_two_dimensions(decoder)

    def forward(self, z: Tensor, g: Tensor | None = None) -> Tensor:
        """[B, C, T] to [B, 1, T * hop]."""
        rows = z[:, :, None].to(memory_format=torch.channels_last)
        samples: Tensor = self.decoder(rows, g=None if g is None else g[:, :, None])
        return samples[:, :, 0]


def _in_two_dimensions(module: nn.Module) -> nn.Module:
    for name, child in module.named_children():
        setattr(module, name, _conv2d(child) if isinstance(child, nn.Conv1d | nn.ConvTranspose1d) else _in_two_dimensions(child))
    return module


def _conv2d(layer: nn.Conv1d | nn.ConvTranspose1d) -> nn.Module:
    assert not isinstance(layer.padding, str)
    make = nn.ConvTranspose2d if isinstance(layer, nn.ConvTranspose1d) else nn.Conv2d
    flat = make(
        layer.in_channels,
        layer.out_channels,
        (1, layer.kernel_size[0]),
        stride=(1, layer.stride[0]),
        padding=(0, layer.padding[0]),
        dilation=(1, layer.dilation[0]),
        groups=layer.groups,
        bias=False,
        **({"output_padding": (0, layer.output_padding[0])} if isinstance(layer, nn.ConvTranspose1d) else {}),
    )
    flat.weight = nn.Parameter(layer.weight.detach()[:, :, None].to(memory_format=torch.channels_last))
    flat.bias = layer.bias
    return flat.eval()


def receptive_field(decoder: nn.Module) -> int:
    """Frames of latent on either side that a sample of HiFi-GAN depends on, from the kernels and strides of its layers."""
    per_stage = len(decoder.resblocks) // len(decoder.ups)
    field = _reach(decoder.conv_post)
    for stage in reversed(range(len(decoder.ups))):
        blocks = decoder.resblocks[stage * per_stage : (stage + 1) * per_stage]
        field += max(sum(_reach(layer) for layer in block.modules() if isinstance(layer, nn.Conv1d)) for block in blocks)
        field = _before_upsampling(field, decoder.ups[stage])
    return int(field + _reach(decoder.conv_pre))


def flow_field(flow: nn.Module) -> int:
    """The same of a VITS flow."""
    return sum(_reach(layer) for block in flow.flows for layer in block.enc.in_layers)


def _reach(layer: nn.Conv1d) -> int:
    return int(layer.dilation[0] * (layer.kernel_size[0] - 1) // 2)


def _before_upsampling(field: int, layer: nn.ConvTranspose1d) -> int:
    kernel, stride, padding = int(layer.kernel_size[0]), int(layer.stride[0]), int(layer.padding[0])
    return math.ceil((field + max(padding, kernel - 1 - padding)) / stride)


def stochastic_durations(predictor: nn.Module, hidden: Tensor, mask: Tensor, g: Tensor | None, noise: Tensor) -> Tensor:
    """Logarithms of the durations, [B, 1, T]: StochasticDurationPredictor.forward(reverse=True) of Coqui, with the noise given."""
    hidden = predictor.pre(hidden)
    if g is not None:
        hidden = hidden + predictor.cond(g)
    hidden = predictor.proj(predictor.convs(hidden, mask)) * mask
    flows = list(reversed(predictor.flows))
    z = noise
    for flow in (*flows[:-2], flows[-1]):  # Coqui, too, leaves out the one before the last: it has no effect
        z = flow(torch.flip(z, [1]), mask, g=hidden, reverse=True)
    return z[:, :1]
