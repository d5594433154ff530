"""A vocoder of Coqui, which makes sound of the spectrograms of a model that was trained without one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from TTS.utils.audio import AudioProcessor
from TTS.vocoder.models import setup_model
from TTS.vocoder.utils.generic_utils import interpolate_vocoder_input

from models.errors import WeightsError
from models.speech.sentence import Samples

_BROKEN = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, AssertionError, pickle.UnpicklingError)


class Vocoder:
    def __init__(self, config: Any, checkpoint: Path, device: str) -> None:
        self.rate = int(config.audio["sample_rate"])
        self._scale = AudioProcessor(config.audio)
        self._device = device
        self._model = _load(config, checkpoint).to(device)

    def samples(self, model: nn.Module, spectrogram: Tensor) -> Samples:
        """`spectrogram` [T, C] is scaled as `model` was trained: Coqui's `Synthesizer._run_vocoder`."""
        wanted = self._scale.normalize(model.ap.denormalize(spectrogram.cpu().numpy().T))
        stretch = self.rate / model.ap.sample_rate
        given = torch.tensor(wanted)[None] if stretch == 1 else interpolate_vocoder_input([1, stretch], wanted)
        samples: Samples = self._model.inference(given.to(self._device)).squeeze().float().cpu().numpy()
        return samples


def _load(config: Any, checkpoint: Path) -> nn.Module:
    try:
        model = setup_model(config)
        model.load_checkpoint(config, str(checkpoint), eval=True)
    except (ImportError, *_BROKEN) as error:
        raise WeightsError(f"{checkpoint} cannot be loaded as a vocoder ({error}): pull or import the model again") from error
    return model.eval()
