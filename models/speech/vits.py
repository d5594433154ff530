"""Coqui VITS, rendered in windows: the first audio of a long sentence does not wait for its end.

Text encoder and durations run once, the flow and HiFi-GAN over windows with so much context on both sides that what is kept equals
the whole. Random numbers come from a generator of the job, never from torch's global one: a seed gives the same audio whatever runs beside.
"""

from __future__ import annotations

import itertools
import math
import pickle
import secrets
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize
from TTS.tts.configs.vits_config import VitsConfig
from TTS.tts.models.vits import Vits

from models.errors import EngineFailed, WeightsError

Samples = NDArray[np.float32]

# Frames per window. The first is small so that audio starts at once; longer ones cost less context but make a cancel wait.
WINDOWS = (18, 32, 64, 128)
# Lengths are rounded up to these steps: a shape never seen before costs twice a repeated one.
_TOKEN_STEP = 16
_FRAME_STEP = 32
# The flow runs ahead of the decoder by this factor: few pieces, and none of them makes the next window late.
_FLOW_GROWTH = 4
# A phoneme is never shorter or longer than this, at the voice's own pace; what lies outside is not speech.
_SHORTEST_PHONEME = 0.012
_LONGEST_PHONEME = 1.0


P = ParamSpec("P")
R = TypeVar("R")


def _inference(function: Callable[P, R]) -> Callable[P, R]:
    wrapped: Callable[P, R] = torch.inference_mode()(function)
    return wrapped


@dataclass(frozen=True, slots=True)
class Latent:
    """A sentence before the decoder: `z` [1, C, T] frames and the conditioning `g` [1, H, 1] of its speaker."""

    z: Tensor
    g: Tensor | None


@dataclass(frozen=True, slots=True)
class _Prior:
    """The sentence stretched to frames, before the flow: [1, C, T] with T rounded up, of which `frames` are real."""

    z: Tensor
    frames: int
    g: Tensor | None

    @property
    def mask(self) -> Tensor:
        return (torch.arange(self.z.shape[2], device=self.z.device) < self.frames).to(self.z.dtype)[None, None]


class VitsModel:
    """One checkpoint on one device. Not for two threads at once."""

    def __init__(self, config: VitsConfig, checkpoint: Path, device: str) -> None:
        self._device = torch.device(device)
        self._model = _load(config, checkpoint).to(self._device)
        self._tokenizer = self._model.tokenizer
        decoder = self._model.waveform_decoder
        self.rate = int(config.audio.sample_rate)
        self.language = str(config.phoneme_language or "und")
        self.hop = math.prod(layer.stride[0] for layer in decoder.ups)
        args = config.model_args
        self._stretch = self.rate / args.encoder_sample_rate if args.encoder_sample_rate and args.interpolate_z else 1.0
        self.context = receptive_field(decoder)
        self._flow_context = _flow_field(self._model.flow)

    @property
    def speakers(self) -> tuple[str, ...]:
        """By the names that the checkpoint knows them by; empty for a model that was trained without."""
        return tuple(self._model.speaker_manager.speaker_names) if self._model.embedded_speaker_dim else ()

    def tokens(self, text: str) -> list[int]:
        """Ids of the phonemes of `text`; empty when nothing in it can be spoken. Characters unknown to the voice are left out."""
        tokenizer = self._tokenizer
        if not any(character.isalnum() for character in text):
            return []  # espeak would read the name of every emoji
        if tokenizer.text_cleaner is not None:
            text = tokenizer.text_cleaner(text, lang=self.language)
        if tokenizer.phonemizer is not None:
            text = tokenizer.phonemizer.phonemize(text, separator="")
        known = [character for character in text if character in tokenizer.characters.vocab]
        ids: list[int] = [tokenizer.characters.char_to_id(character) for character in known]
        if tokenizer.add_blank:
            ids = tokenizer.intersperse_blank_char(ids)
        return tokenizer.pad_with_bos_eos(ids) if tokenizer.use_eos_bos else ids

    @_inference
    def encode(self, tokens: Sequence[int], speaker: str = "", speed: float = 1.0, seed: int | None = None) -> Latent:
        """The whole sentence up to the decoder. Raises EngineFailed when its length cannot be that of the text."""
        prior = self._prior(tokens, speaker, speed, seed)
        return Latent(self._stretched(self._flow(prior, 0, prior.frames)), prior.g)

    @_inference
    def decode(self, latent: Latent) -> Samples:
        """The whole sentence at once: float samples [T * hop] in -1..1."""
        return self._samples(self._model.waveform_decoder(latent.z, g=latent.g))

    def windows(
        self,
        tokens: Sequence[int],
        speaker: str = "",
        speed: float = 1.0,
        seed: int | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Generator[Samples, None, None]:
        """`decode(encode(...))` piece by piece, in order. Ends early once `cancelled` says so."""
        prior = self._prior(tokens, speaker, speed, seed)
        z = self._grown(prior, prior.z[:, :, :0], WINDOWS[0] + self.context)
        total = int(prior.frames * self._stretch)
        for start, stop in _plan(total):
            if cancelled():
                return
            if z.shape[2] < min(stop + self.context, total):
                z = self._grown(prior, z, max(stop + self.context, _FLOW_GROWTH * z.shape[2]))
            yield self._window(Latent(z, prior.g), start, stop)

    @_inference
    def _prior(self, tokens: Sequence[int], speaker: str, speed: float, seed: int | None) -> _Prior:
        model, generator = self._model, torch.Generator().manual_seed(secrets.randbits(63) if seed is None else seed % 2**63)
        g = self._conditioning(speaker)
        ids = torch.zeros(1, _round_up(len(tokens), _TOKEN_STEP), dtype=torch.long, device=self._device)
        ids[0, : len(tokens)] = torch.tensor(tokens)
        hidden, mean, log_deviation, mask = model.text_encoder(ids, torch.tensor([len(tokens)], device=self._device))
        durations = self._durations(hidden, mask, g, generator, len(tokens)) / speed
        # Rounding the ends, not the durations: the sentence is exactly 1 / speed as long.
        ends = durations.cumsum(0).round().long()
        frames = self._checked(int(ends[-1]), len(tokens), speed)
        token_of_frame = torch.searchsorted(ends, torch.arange(frames, device=self._device), right=True)
        noise = torch.randn(mean.shape[1], frames, generator=generator).to(mean) * model.inference_noise_scale
        stretched = mean[:, :, token_of_frame] + noise * torch.exp(log_deviation[:, :, token_of_frame])
        return _Prior(nn.functional.pad(stretched, (0, _round_up(frames, _FRAME_STEP) - frames)), frames, g)

    def _conditioning(self, speaker: str) -> Tensor | None:
        model = self._model
        if not self.speakers:
            return None
        speaker = speaker or self.speakers[0]
        if model.args.use_d_vector_file:
            vector = torch.tensor(model.speaker_manager.get_mean_embedding(speaker, num_samples=None, randomize=False))
            return nn.functional.normalize(vector.float()[None]).unsqueeze(-1).to(self._device)
        row = torch.tensor([model.speaker_manager.name_to_id[speaker]], device=self._device)
        return model.emb_g(row).unsqueeze(-1)

    def _durations(self, hidden: Tensor, mask: Tensor, g: Tensor | None, generator: torch.Generator, tokens: int) -> Tensor:
        """Frames of each token at the voice's own pace, [tokens]."""
        model = self._model
        given = g if model.args.condition_dp_on_speaker else None
        if model.args.use_sdp:
            noise = torch.zeros(1, 2, hidden.shape[2])
            noise[:, :, :tokens] = torch.randn(2, tokens, generator=generator)
            log = _stochastic_durations(model.duration_predictor, hidden, mask, given, noise.to(hidden) * model.inference_noise_scale_dp)
        else:
            log = model.duration_predictor(hidden, mask, g=given)
        return torch.ceil(torch.exp(log) * mask * model.length_scale)[0, 0, :tokens]

    def _checked(self, frames: int, tokens: int, speed: float) -> int:
        phonemes = tokens / 2 if self._tokenizer.add_blank else tokens
        seconds = frames * self._stretch * self.hop / self.rate * speed
        if not _SHORTEST_PHONEME * phonemes <= seconds <= _LONGEST_PHONEME * (phonemes + 4):
            raise EngineFailed(
                f"the voice made {seconds:.2f} s of speech for {phonemes:.0f} phonemes, which cannot be right: "
                "try again, or with another seed"
            )
        return frames

    @_inference
    def _grown(self, prior: _Prior, z: Tensor, frames: int) -> Tensor:
        """`z` with more frames behind it, up to `frames` or the end. A stretched latent comes whole: its ends depend on what follows."""
        if self._stretch != 1:
            return self._stretched(self._flow(prior, 0, prior.frames))
        return torch.cat([z, self._flow(prior, z.shape[2], min(frames, prior.frames))], dim=2)

    def _flow(self, prior: _Prior, start: int, stop: int) -> Tensor:
        """Frames `start` to `stop` of the latent, computed from no more of the prior than they depend on."""
        left, right = max(0, start - self._flow_context), _round_up(stop + self._flow_context, _FRAME_STEP)
        z: Tensor = self._model.flow(prior.z[:, :, left:right], prior.mask[:, :, left:right], g=prior.g, reverse=True)
        return z[:, :, start - left : stop - left]

    def _stretched(self, z: Tensor) -> Tensor:
        return z if self._stretch == 1 else nn.functional.interpolate(z, scale_factor=[self._stretch], mode="linear")

    @_inference
    def _window(self, latent: Latent, start: int, stop: int) -> Samples:
        left, right = _with_context(start, stop, latent.z.shape[2], self.context)
        samples = self._samples(self._model.waveform_decoder(latent.z[:, :, left:right], g=latent.g))
        return samples[(start - left) * self.hop : (stop - left) * self.hop]

    def _samples(self, decoded: Tensor) -> Samples:
        samples: Samples = decoded[0, 0].float().cpu().numpy()
        if not np.isfinite(samples).all():
            raise EngineFailed("the voice made samples that are not numbers: its weights do not suit this device")
        return samples


def receptive_field(decoder: nn.Module) -> int:
    """Frames of latent on either side that a sample of HiFi-GAN depends on, from the kernels and strides of its layers."""
    per_stage = len(decoder.resblocks) // len(decoder.ups)
    field = _reach(decoder.conv_post)
    for stage in reversed(range(len(decoder.ups))):
        blocks = decoder.resblocks[stage * per_stage : (stage + 1) * per_stage]
        field += max(sum(_reach(layer) for layer in block.modules() if isinstance(layer, nn.Conv1d)) for block in blocks)
        field = _before_upsampling(field, decoder.ups[stage])
    return int(field + _reach(decoder.conv_pre))


def _reach(layer: nn.Conv1d) -> int:
    return int(layer.dilation[0] * (layer.kernel_size[0] - 1) // 2)


def _before_upsampling(field: int, layer: nn.ConvTranspose1d) -> int:
    kernel, stride, padding = int(layer.kernel_size[0]), int(layer.stride[0]), int(layer.padding[0])
    return math.ceil((field + max(padding, kernel - 1 - padding)) / stride)


def _flow_field(flow: nn.Module) -> int:
    return sum(_reach(layer) for block in flow.flows for layer in block.enc.in_layers)


def _stochastic_durations(predictor: nn.Module, hidden: Tensor, mask: Tensor, g: Tensor | None, noise: Tensor) -> Tensor:
    """Logarithms of the durations, [1, 1, T]: StochasticDurationPredictor.forward(reverse=True) of Coqui, with the noise given."""
    hidden = predictor.pre(hidden)
    if g is not None:
        hidden = hidden + predictor.cond(g)
    hidden = predictor.proj(predictor.convs(hidden, mask)) * mask
    flows = list(reversed(predictor.flows))
    z = noise
    for flow in (*flows[:-2], flows[-1]):  # Coqui, too, leaves out the one before the last: it has no effect
        z = flow(torch.flip(z, [1]), mask, g=hidden, reverse=True)
    return z[:, :1]


def _plan(frames: int) -> Iterator[tuple[int, int]]:
    """Where windows start and stop. A small rest goes with the window before it: most of a short window would be context."""
    start = 0
    for size in itertools.chain(WINDOWS, itertools.repeat(WINDOWS[-1])):
        stop = frames if frames - start <= size * 5 // 4 else start + size
        yield start, stop
        if stop == frames:
            return
        start = stop


def _with_context(start: int, stop: int, frames: int, context: int) -> tuple[int, int]:
    left, right = max(0, start - context), min(frames, stop + context)
    if right == frames and left > 0:
        left = max(0, right - _round_up(right - left, _TOKEN_STEP))
    return left, right


def _round_up(number: int, step: int) -> int:
    return -(-number // step) * step


def _load(config: VitsConfig, checkpoint: Path) -> Vits:
    config.model_args.init_discriminator = False
    try:
        model = Vits(config)
        weights = torch.load(checkpoint, map_location="cpu", weights_only=True)["model"]
        model.load_state_dict({name: tensor for name, tensor in weights.items() if not name.startswith(("disc.", "speaker_encoder."))})
    except (OSError, RuntimeError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{checkpoint} cannot be loaded as a VITS checkpoint ({error}): pull or import the model again") from error
    if model.embedded_speaker_dim and not model.speaker_manager.speaker_names:
        raise WeightsError(f"{checkpoint} was trained with speakers, and no speakers are named beside it: pull or import the model again")
    model.posterior_encoder = None  # only training and voice conversion need it
    return _without_weight_norm(model.eval().float())


def _without_weight_norm(model: Vits) -> Vits:
    for module in model.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    return model
