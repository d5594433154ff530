"""The vocoder of XTTS over latents that are still coming.

`Xtts.inference_stream` of Coqui decodes the whole sentence again for every chunk and fades one into the next. Here each sample is
decoded once, with as much around it as it depends on, so that there is no seam and a long sentence costs no more per second.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from models.errors import EngineFailed
from models.speech.nets import receptive_field
from models.speech.sentence import Samples


class StreamedDecoder:
    """One sentence: what `feed` and `finish` give, joined, is what `HifiDecoder` makes of all its latents at once."""

    def __init__(self, decoder: nn.Module, embedding: Tensor, speed: float) -> None:
        self._decoder, self._embedding = decoder, embedding
        self._context = receptive_field(decoder.waveform_decoder)
        self._scales = _scales(decoder, speed)
        self._latents: list[Tensor] = []
        self._done = 0

    def add(self, latent: Tensor) -> None:
        """[1, C]"""
        self._latents.append(latent)

    def feed(self) -> Samples:
        """What no later latent can change any more."""
        with torch.inference_mode():
            z, settled = self._frames()
            return self._decoded(z[:, :, :settled], settled - self._context)

    def finish(self) -> Samples:
        with torch.inference_mode():
            z, _ = self._frames()
            return self._decoded(z, z.shape[2])

    def _frames(self) -> tuple[Tensor, int]:
        """Everything so far stretched to the vocoder's frames [1, C, T], and how many of them will stay as they are."""
        z, settled = torch.cat(self._latents).T[None], len(self._latents)
        for scale in self._scales:
            if int(z.shape[2] * scale) < 1:
                return z[:, :, :0], 0
            z = nn.functional.interpolate(z, scale_factor=[scale], mode="linear")
            settled = max(0, math.floor((settled - 0.5) * scale - 0.5) - 1)
        return z, settled

    def _decoded(self, z: Tensor, stop: int) -> Samples:
        if stop <= self._done:
            return np.zeros(0, np.float32)
        left, hop = max(0, self._done - self._context), int(self._decoder.output_hop_length)
        right = min(z.shape[2], stop + self._context)
        decoded = self._decoder.waveform_decoder(z[:, :, left:right], g=self._embedding)[0, 0].float().cpu().numpy()
        samples: Samples = decoded[(self._done - left) * hop : (stop - left) * hop]
        if not np.isfinite(samples).all():
            raise EngineFailed("the voice made samples that are not numbers: its weights do not suit this device")
        self._done = stop
        return samples


def _scales(decoder: nn.Module, speed: float) -> list[float]:
    """As Coqui stretches: for the speed, to frames, to the rate of the output."""
    scales = [1 / speed, decoder.ar_mel_length_compression / decoder.output_hop_length]
    return [scale for scale in (*scales, decoder.output_sample_rate / decoder.input_sample_rate) if scale != 1]
