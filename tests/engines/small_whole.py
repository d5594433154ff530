"""Random FastPitch and Tacotron models of a few thousand weights and a vocoder for them, saved the way Coqui's trainer does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from TTS.tts.configs.fast_pitch_config import FastPitchConfig
from TTS.tts.configs.shared_configs import CharactersConfig
from TTS.tts.configs.tacotron2_config import Tacotron2Config
from TTS.tts.models import setup_model
from TTS.tts.models.forward_tts import ForwardTTSArgs
from TTS.vocoder.configs import HifiganConfig
from TTS.vocoder.models import setup_model as setup_vocoder

SMALL = {"hidden_channels_ffn": 16, "num_heads": 1, "num_layers": 1, "dropout_p": 0.0}


def fast_pitch(folder: Path, speakers: list[str] | None = None) -> None:
    arguments = ForwardTTSArgs(
        hidden_channels=16,
        duration_predictor_hidden_channels=16,
        pitch_predictor_hidden_channels=16,
        encoder_params=SMALL,
        decoder_params=SMALL,
        use_speaker_embedding=bool(speakers),
        use_aligner=False,
    )
    many = {"speakers": speakers, "use_speaker_embedding": True} if speakers else {}
    config = FastPitchConfig(model_args=arguments, **_shared(), **many)
    torch.manual_seed(0)
    model = setup_model(config)
    model.duration_predictor.proj.weight.data.zero_()
    model.duration_predictor.proj.bias.data.fill_(2.5)  # exp(2.5) - 1 frames for each character
    _save(model, config, folder)


def tacotron2(folder: Path) -> None:
    """Without a vocoder: Griffin-Lim is to do. Its attention finds no end, so that the decoder's limit is the end."""
    config = Tacotron2Config(max_decoder_steps=60, r=2, **_shared())
    config.audio.griffin_lim_iters = 10
    torch.manual_seed(0)
    model = setup_model(config)
    model.decoder.stopnet[1].linear_layer.bias.data.fill_(-100)
    _save(model, config, folder)


def vocoder(folder: Path) -> None:
    folder.mkdir()
    config = HifiganConfig(
        generator_model_params={
            "upsample_factors": [8, 8, 4],
            "upsample_kernel_sizes": [16, 16, 8],
            "upsample_initial_channel": 16,
            "resblock_kernel_sizes": [3],
            "resblock_dilation_sizes": [[1, 3, 5]],
            "resblock_type": "1",
        }
    )
    torch.manual_seed(0)
    _save(setup_vocoder(config), config, folder)


def _shared() -> dict[str, Any]:
    characters = CharactersConfig(
        characters_class="TTS.tts.utils.text.characters.Graphemes",
        characters="abcdefghijklmnopqrstuvwxyz",
        punctuations=" .,",
        pad="_",
        eos="~",
        bos="^",
        blank="*",
    )
    return {"characters": characters, "text_cleaner": "basic_cleaners"}


def _save(model: torch.nn.Module, config: Any, folder: Path) -> None:
    torch.save({"model": model.state_dict(), "config": config.to_dict()}, folder / "model.pth")
    config.save_json(str(folder / "config.json"))
