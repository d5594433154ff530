"""Random VITS models of a few thousand weights, saved the way Coqui's trainer does."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from TTS.tts.configs.shared_configs import CharactersConfig
from TTS.tts.configs.vits_config import VitsArgs, VitsConfig
from TTS.tts.models.vits import Vits

D_VECTOR = 8


def write(folder: Path, speakers: list[str] | None = None, languages: list[str] | None = None, **arguments: object) -> VitsConfig:
    """config.json and model.pth; with `speakers` and `languages` one embedding for each."""
    many = {"use_speaker_embedding": bool(speakers), "use_language_embedding": bool(languages)}
    return _save(_config(arguments | many, speakers or [], languages or []), folder)


def write_with_d_vectors(folder: Path, speakers: list[str]) -> VitsConfig:
    """Two clips of each speaker in speakers.json, which lay elsewhere when the model was trained."""
    clips = {f"{name}-{clip}.wav": {"name": name, "embedding": torch.randn(D_VECTOR).tolist()} for name in speakers for clip in range(2)}
    (folder / "speakers.json").write_text(json.dumps(clips))
    config = _config({"use_d_vector_file": True, "d_vector_dim": D_VECTOR, "d_vector_file": [str(folder / "speakers.json")]}, [])
    _save(config, folder)
    config.model_args.d_vector_file = ["/home/ann/speakers.json"]
    config.save_json(str(folder / "config.json"))
    return config


def _config(arguments: dict[str, object], speakers: list[str], languages: list[str] | None = None) -> VitsConfig:
    return VitsConfig(
        model_args=VitsArgs(
            hidden_channels=16,
            hidden_channels_ffn_text_encoder=16,
            num_layers_text_encoder=1,
            num_layers_flow=2,
            num_layers_posterior_encoder=1,
            upsample_initial_channel_decoder=32,
            **{"init_discriminator": False, **arguments},
        ),
        characters=CharactersConfig(
            characters_class="TTS.tts.models.vits.VitsCharacters",
            characters="abcdefghijklmnopqrstuvwxyz ",
            punctuations=".,",
            phonemes="",
            pad="_",
        ),
        text_cleaner="basic_cleaners",
        speakers=speakers,
        languages=languages or [],
    )


def _save(config: VitsConfig, folder: Path) -> VitsConfig:
    torch.manual_seed(0)
    torch.save({"model": Vits(config).state_dict(), "config": config.to_dict()}, folder / "model.pth")
    config.save_json(str(folder / "config.json"))
    return config
