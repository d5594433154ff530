"""Coqui VITS, rendered in windows: the first audio of a long sentence does not wait for its end.

Text encoder and durations run once, the flow and HiFi-GAN over windows with so much context on both sides that what is kept equals
the whole. Random numbers come from a generator of the job, never from torch's global one: a seed gives the same audio whatever runs beside.
"""

from __future__ import annotations

import math
import pickle
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from TTS.tts.configs.vits_config import VitsConfig
from TTS.tts.models.vits import Vits

from models.errors import EngineFailed, ImplausibleAudio, Overloaded, WeightsError
from models.speech.batches import Batches
from models.speech.exhausted import told_as_such
from models.speech.nets import ChannelsLast, flow_field, receptive_field, stochastic_durations, without_weight_norm
from models.speech.windows import URGENT, plan, round_up, with_context

Samples = NDArray[np.float32]

# Lengths are rounded up to these steps: a shape never seen before costs twice a repeated one.
_TOKEN_STEP = 16
_FRAME_STEP = 32
# The flow runs ahead of the decoder by this factor, but no more than so many frames: few pieces, and none makes the next window late.
_FLOW_GROWTH = 4
_LONGEST_FLOW = 512
# A phoneme is never shorter or longer than this, at the voice's own pace; what lies outside is not speech.
_SHORTEST_PHONEME = 0.012
_LONGEST_PHONEME = 1.0
# Batches that are tried when it loads, after one window alone, and the gain in windows per second that makes one worth its wait.
_BATCHES = (4, 16)
_WORTH_IT = 1.1

P = ParamSpec("P")
R = TypeVar("R")


def _inference(function: Callable[P, R]) -> Callable[P, R]:
    wrapped: Callable[P, R] = torch.inference_mode()(function)
    return wrapped


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as the voice reads it: the ids of its symbols, the phonemes that it knows, and the place of each phoneme's id in `ids`."""

    ids: tuple[int, ...] = ()
    phonemes: str = ""
    places: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Latent:
    """A sentence before the decoder: `z` [1, C, T] frames and the conditioning `g` [1, H, 1] of its speaker."""

    z: Tensor
    g: Tensor | None


@dataclass(frozen=True, slots=True)
class Prior:
    """A sentence stretched to frames, before the flow: [1, C, T] with T rounded up, of which `frames` are real.

    `ends` [tokens] are the seconds at which each token has been said.
    """

    z: Tensor
    frames: int
    g: Tensor | None
    ends: NDArray[np.float64]

    @property
    def mask(self) -> Tensor:
        return (torch.arange(self.z.shape[2], device=self.z.device) < self.frames).to(self.z.dtype)[None, None]


@dataclass(frozen=True, slots=True)
class _Asked:
    """With a seed, not a generator: a batch that fails is made again, and must find the same random numbers then."""

    ids: tuple[int, ...]
    g: Tensor | None
    speed: float
    seed: int


_Slice = tuple[Tensor, Tensor, Tensor | None]


class VitsModel:
    """One checkpoint on one device, for any number of threads; what they want at once goes in `batches`."""

    def __init__(self, config: VitsConfig, checkpoint: Path, device: str, batches: Batches | None = None) -> None:
        self._device = torch.device(device)
        self._batches = batches or Batches()
        self._model = _load(config, checkpoint)
        self._tokenizer = self._model.tokenizer
        decoder = self._model.waveform_decoder
        self.rate = int(config.audio.sample_rate)
        self.language = str(config.phoneme_language or "und")
        self.hop = math.prod(layer.stride[0] for layer in decoder.ups)
        args = config.model_args
        self._stretch = self.rate / args.encoder_sample_rate if args.encoder_sample_rate and args.interpolate_z else 1.0
        self.context = receptive_field(decoder)
        self._flow_context = flow_field(self._model.flow)
        if self._device.type == "cpu":
            self._model.waveform_decoder = ChannelsLast(decoder)
        self._model.to(self._device)

    @property
    def speakers(self) -> tuple[str, ...]:
        """By the names that the checkpoint knows them by; empty for a model that was trained without."""
        return tuple(self._model.speaker_manager.speaker_names) if self._model.embedded_speaker_dim else ()

    def tokens(self, text: str) -> Tokens:
        """No ids when nothing in the text can be spoken. Characters unknown to the voice are left out."""
        tokenizer = self._tokenizer
        if not any(character.isalnum() for character in text):
            return Tokens()  # espeak would read the name of every emoji
        if tokenizer.text_cleaner is not None:
            text = tokenizer.text_cleaner(text, lang=self.language)
        if tokenizer.phonemizer is not None:
            text = tokenizer.phonemizer.phonemize(text, separator="")
        known = [character for character in text if character in tokenizer.characters.vocab]
        if not any(character.isalnum() for character in known):
            return Tokens()  # espeak is silent on the digits of many scripts, and a voice may know no letter of a text
        ids = [tokenizer.characters.char_to_id(character) for character in known]
        if tokenizer.add_blank:
            ids = tokenizer.intersperse_blank_char(ids)
        first, step = (1, 2) if tokenizer.add_blank else (0, 1)
        if tokenizer.use_eos_bos:
            ids, first = tokenizer.pad_with_bos_eos(ids), first + 1
        return Tokens(tuple(ids), "".join(known), tuple(range(first, first + step * len(known), step)))

    def prior(self, tokens: Tokens, speaker: str = "", speed: float = 1.0, seed: int | None = None) -> Prior:
        """All that is decided before there is any sound. Raises ImplausibleAudio when its length cannot be that of the text."""
        seed = secrets.randbits(63) if seed is None else seed % 2**63
        asked = _Asked(tokens.ids, self._conditioning(speaker), speed, seed)
        return self._batches.run((id(self), "prior"), self._priors, asked)

    def encode(self, prior: Prior) -> Latent:
        """The whole sentence up to the decoder."""
        return Latent(self._stretched(self._flow(prior, 0, prior.frames)), prior.g)

    @_inference
    def decode(self, latent: Latent) -> Samples:
        """The whole sentence at once: float samples [T * hop] in -1..1."""
        return self._samples(self._model.waveform_decoder(latent.z, g=latent.g)[0, 0])

    def windows(self, prior: Prior, growth: Sequence[int] = URGENT, cancelled: Callable[[], bool] = lambda: False) -> Iterator[Samples]:
        """`decode(encode(prior))` piece by piece, in order. Ends early once `cancelled` says so."""
        z = self._grown(prior, prior.z[:, :, :0], growth[0] + self.context)
        total = int(prior.frames * self._stretch)
        for start, stop in plan(total, growth):
            if cancelled():
                return
            if z.shape[2] < min(stop + self.context, total):
                ahead = min(_FLOW_GROWTH * z.shape[2], z.shape[2] + _LONGEST_FLOW)
                z = self._grown(prior, z, max(stop + self.context, ahead))
            yield self._window(Latent(z, prior.g), start, stop)

    def fastest_batch(self) -> int:
        """How many windows this device had best decode at once, by trial; on a CPU one, as batches are slower than their rows there."""
        best = 1
        if self._device.type == "cpu":
            return best
        fastest = self._decodes_per_second(best)
        with suppress(Overloaded), told_as_such("a larger batch"):  # a voice that fits is no failure for want of one
            for rows in _BATCHES:
                rate = self._decodes_per_second(rows)
                if rate < fastest * _WORTH_IT:
                    break
                best, fastest = rows, rate
        return best

    def _decodes_per_second(self, rows: int) -> float:
        z = torch.zeros(1, self._model.args.hidden_channels, URGENT[-1] + 2 * self.context, device=self._device)
        g = torch.zeros(1, self._model.embedded_speaker_dim, 1, device=self._device) if self.speakers else None
        seconds = []
        for _ in range(3):
            begin = time.perf_counter()
            for decoded in self._decoded([(z, g)] * rows):
                decoded.cpu()
            seconds.append(time.perf_counter() - begin)
        return rows / min(seconds)

    @_inference
    def _priors(self, asked: Sequence[_Asked]) -> list[Prior]:
        lengths = [len(one.ids) for one in asked]
        ids = torch.zeros(len(asked), round_up(max(lengths), _TOKEN_STEP), dtype=torch.long)
        for row, one in enumerate(asked):
            ids[row, : len(one.ids)] = torch.tensor(one.ids)
        hidden, mean, log_deviation, mask = self._model.text_encoder(ids.to(self._device), torch.tensor(lengths, device=self._device))
        generators = [torch.Generator().manual_seed(one.seed) for one in asked]
        durations = self._durations(hidden, mask, asked, generators)
        each = zip(asked, generators, durations, mean.split(1), log_deviation.split(1), strict=True)
        return [self._prior(*row) for row in each]

    def _prior(self, asked: _Asked, generator: torch.Generator, durations: Tensor, mean: Tensor, log_deviation: Tensor) -> Prior:
        durations = durations[: len(asked.ids)]
        self._check(float(durations.sum()), len(asked.ids))
        # Rounding the ends, not the durations: the sentence is exactly 1 / speed as long.
        ends = (durations / asked.speed).cumsum(0).round().long()
        frames = int(ends[-1])
        token_of_frame = torch.searchsorted(ends, torch.arange(frames, device=self._device), right=True)
        noise = torch.randn(mean.shape[1], frames, generator=generator).to(mean) * self._model.inference_noise_scale
        stretched = mean[:, :, token_of_frame] + noise * torch.exp(log_deviation[:, :, token_of_frame])
        padded = nn.functional.pad(stretched, (0, round_up(frames, _FRAME_STEP) - frames))
        return Prior(padded, frames, asked.g, ends.double().cpu().numpy() * self._stretch * self.hop / self.rate)

    def _conditioning(self, speaker: str) -> Tensor | None:
        model = self._model
        if not self.speakers:
            return None
        speaker = speaker or self.speakers[0]
        if model.args.use_d_vector_file:
            vector = torch.tensor(model.speaker_manager.get_mean_embedding(speaker, num_samples=None, randomize=False))
            return nn.functional.normalize(vector.float()[None]).unsqueeze(-1).to(self._device)
        row = torch.tensor([model.speaker_manager.name_to_id[speaker]], device=self._device)
        embedding: Tensor = model.emb_g(row).detach()
        return embedding.unsqueeze(-1)

    def _durations(self, hidden: Tensor, mask: Tensor, asked: Sequence[_Asked], generators: Sequence[torch.Generator]) -> Tensor:
        """Frames of each token at the voice's own pace, [B, tokens]."""
        model = self._model
        given = _stacked([one.g for one in asked]) if model.args.condition_dp_on_speaker else None
        if model.args.use_sdp:
            noise = torch.zeros(len(asked), 2, hidden.shape[2])
            for row, one, generator in zip(noise, asked, generators, strict=True):
                row[:, : len(one.ids)] = torch.randn(2, len(one.ids), generator=generator)
            log = stochastic_durations(model.duration_predictor, hidden, mask, given, noise.to(hidden) * model.inference_noise_scale_dp)
        else:
            log = model.duration_predictor(hidden, mask, g=given)
        return torch.ceil(torch.exp(log) * mask * model.length_scale)[:, 0]

    def _check(self, frames: float, tokens: int) -> None:
        """`frames` at the voice's own pace. What is far too long is not even allocated."""
        phonemes = tokens / 2 if self._tokenizer.add_blank else tokens
        seconds = frames * self._stretch * self.hop / self.rate
        if not _SHORTEST_PHONEME * phonemes <= seconds <= _LONGEST_PHONEME * (phonemes + 4):
            raise ImplausibleAudio(f"the voice made {seconds:.2f} s of speech for {phonemes:.0f} phonemes, which cannot be right")

    @_inference
    def _grown(self, prior: Prior, z: Tensor, frames: int) -> Tensor:
        """`z` with more frames behind it, up to `frames` or the end. A stretched latent comes whole: its ends depend on what follows."""
        if self._stretch != 1:
            return self._stretched(self._flow(prior, 0, prior.frames))
        return torch.cat([z, self._flow(prior, z.shape[2], min(frames, prior.frames))], dim=2)

    def _flow(self, prior: Prior, start: int, stop: int) -> Tensor:
        """Frames `start` to `stop` of the latent, computed from no more of the prior than they depend on."""
        left, right = max(0, start - self._flow_context), round_up(stop + self._flow_context, _FRAME_STEP)
        part: _Slice = prior.z[:, :, left:right], prior.mask[:, :, left:right], prior.g
        z = self._batches.run((id(self), "flow", part[0].shape[2]), self._flows, part)
        return z[:, :, start - left : stop - left]

    @_inference
    def _flows(self, parts: Sequence[_Slice]) -> Sequence[Tensor]:
        z, mask, g = (_stacked(column) for column in zip(*parts, strict=True))
        return list(self._model.flow(z, mask, g=g, reverse=True).split(1))

    @_inference
    def _stretched(self, z: Tensor) -> Tensor:
        return z if self._stretch == 1 else nn.functional.interpolate(z, scale_factor=[self._stretch], mode="linear")

    def _window(self, latent: Latent, start: int, stop: int) -> Samples:
        left, right = with_context(start, stop, latent.z.shape[2], self.context)
        part = latent.z[:, :, left:right], latent.g
        samples = self._samples(self._batches.run((id(self), "decode", right - left), self._decoded, part))
        return samples[(start - left) * self.hop : (stop - left) * self.hop]

    @_inference
    def _decoded(self, parts: Sequence[tuple[Tensor, Tensor | None]]) -> Sequence[Tensor]:
        z, g = (_stacked(column) for column in zip(*parts, strict=True))
        return list(self._model.waveform_decoder(z, g=g)[:, 0])

    def _samples(self, decoded: Tensor) -> Samples:
        samples: Samples = decoded.float().cpu().numpy()
        if not np.isfinite(samples).all():
            raise EngineFailed("the voice made samples that are not numbers: its weights do not suit this device")
        return samples


def _stacked(rows: Sequence[Tensor | None]) -> Tensor | None:
    """[B, ...] of B times [1, ...]; all of them are None, or none."""
    given = [row for row in rows if row is not None]
    return torch.cat(given) if len(given) > 1 else given[0] if given else None


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
    without_weight_norm(model.eval().float())
    return model
