"""A random XTTS of a few weights, saved as Coqui publishes the real one. Who imports this module gives every XTTS a small vocoder:
its size is in no configuration, and the real one takes a second for a second.
"""

from __future__ import annotations

import functools
import string
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from TTS.tts.configs.xtts_config import XttsArgs, XttsConfig
from TTS.tts.layers.xtts.hifigan_decoder import HifiDecoder
from TTS.tts.models import xtts

from models.speech.coqui import CoquiRenderer

xtts.HifiDecoder = functools.partial(HifiDecoder, upsample_initial_channel_decoder=32)

CHANNELS = 64
LANGUAGES = ["en", "de", "zh-cn", "ja"]
SPEAKERS = ("Ann Odd", "bob")


class Renderer(CoquiRenderer):
    """For worker processes: importing it is what matters."""


def write(folder: Path, *, speakers: tuple[str, ...] = SPEAKERS, end: float = 1.0, seed: int = 0, **arguments: object) -> XttsConfig:
    """config.json, model.pth, vocab.json, speakers_xtts.pth. `end` is how much the model likes to end its sentences."""
    torch.manual_seed(seed)
    _vocabulary().save(str(folder / "vocab.json"))
    config = _config(arguments)
    model = xtts.Xtts(config)
    model.gpt.mel_head.bias.data[config.model_args.gpt_stop_audio_token] = end
    _give_it_a_voice(model.hifigan_decoder.waveform_decoder)
    torch.save({"model": model.state_dict(), "config": config.to_dict()}, folder / "model.pth")
    voices = {name: {"gpt_cond_latent": torch.randn(1, 32, CHANNELS), "speaker_embedding": torch.randn(1, 512, 1)} for name in speakers}
    if speakers:
        torch.save(voices, folder / "speakers_xtts.pth")
    config.model_args.gpt_number_text_tokens = config.model_args.gpt_start_text_token = config.model_args.gpt_stop_text_token = None
    config.save_json(str(folder / "config.json"))
    return config


def _give_it_a_voice(vocoder: torch.nn.Module) -> None:
    """As it is initialised, a constant drowns what depends on the latents."""
    for name, weights in vocoder.named_parameters():
        if name.endswith("bias"):
            weights.data.zero_()
        elif name.startswith("conds"):
            weights.data *= 0.1
        elif name.startswith("ups") and name.endswith("original0"):
            weights.data *= 4


def _config(arguments: dict[str, object]) -> XttsConfig:
    size = _vocabulary().get_vocab_size()
    return XttsConfig(
        languages=LANGUAGES,
        gpt_cond_len=6,
        gpt_cond_chunk_len=4,
        model_args=XttsArgs(
            **{
                "gpt_layers": 2,
                "gpt_n_model_channels": CHANNELS,
                "gpt_n_heads": 4,
                "decoder_input_dim": CHANNELS,
                "gpt_num_audio_tokens": 258,
                "gpt_start_audio_token": 256,
                "gpt_stop_audio_token": 257,
                "gpt_max_audio_tokens": 200,
                "gpt_number_text_tokens": size,
                "gpt_start_text_token": 1,
                "gpt_stop_text_token": 2,
                "gpt_use_perceiver_resampler": True,
                **arguments,
            }
        ),
    )


def _vocabulary() -> Tokenizer:
    words = ["[UNK]", "[START]", "[STOP]", "[SPACE]", *(f"[{language}]" for language in LANGUAGES), *string.ascii_lowercase, *"äöüß.,;:!?'"]
    vocabulary = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    vocabulary.pre_tokenizer = Split(Regex(r"\[[A-Za-z-]+\]|."), "isolated")
    return vocabulary
