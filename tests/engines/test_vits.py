"""VITS in windows against the same model whole, on the joe voice and on small random models of the other shapes."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from TTS.config import load_config
from TTS.vocoder.models.hifigan_generator import HifiganGenerator

from models.errors import ImplausibleAudio, WeightsError
from models.speech import phonemes
from models.speech.nets import receptive_field
from models.speech.vits import VitsModel
from tests.engines import small_vits
from tests.engines.joe import joe

pytestmark = pytest.mark.engines

SHORT = "Dinner is ready."
LONG = "The lighthouse keeper climbed the narrow stairs every evening, and when he reached the lamp he counted the boats at sea."


@pytest.fixture(scope="module")
def voice() -> VitsModel:
    phonemes.install()
    torch.set_num_threads(1)
    return VitsModel(load_config(str(joe() / "config.json")), joe() / "model.pth", "cpu")


def samples(voice: VitsModel, text: str, **options: float) -> np.ndarray:
    return np.concatenate(list(voice.windows(voice.prior(voice.tokens(text), **options))))


@pytest.mark.parametrize("text", ["Hi.", SHORT, LONG])
def test_windows_equal_the_whole_decode(voice: VitsModel, text: str) -> None:
    whole = voice.decode(voice.encode(voice.prior(voice.tokens(text), seed=7)))
    assert np.abs(samples(voice, text, seed=7) - whole).max() < 1e-4


def test_the_whole_decode_equals_coquis_own_inference(voice: VitsModel) -> None:
    model = voice._model
    given = model.inference_noise_scale, model.inference_noise_scale_dp
    model.inference_noise_scale = model.inference_noise_scale_dp = 0.0
    tokens = voice.tokens(SHORT)
    theirs = model.inference(torch.tensor([tokens.ids]))["model_outputs"][0, 0].numpy()
    ours = voice.decode(voice.encode(voice.prior(tokens, seed=1)))
    model.inference_noise_scale, model.inference_noise_scale_dp = given
    assert np.abs(ours - theirs).max() < 1e-4


def test_a_seed_gives_the_same_audio_whatever_is_made_between(voice: VitsModel) -> None:
    first = samples(voice, SHORT, seed=7)
    interleaved = voice.windows(voice.prior(voice.tokens(SHORT), seed=7))
    parts = []
    for part in interleaved:
        parts.append(part)
        torch.manual_seed(0)
        samples(voice, "Something else.", seed=8)
    assert np.array_equal(np.concatenate(parts), first)
    assert not np.array_equal(samples(voice, SHORT, seed=8)[:20000], first[:20000])


def test_speed_divides_the_length(voice: VitsModel) -> None:
    normal, fast, slow = (len(samples(voice, LONG, seed=7, speed=speed)) for speed in (1.0, 2.0, 0.5))
    assert fast / normal == pytest.approx(0.5, abs=0.01)
    assert slow / normal == pytest.approx(2, abs=0.01)


def test_a_cancelled_sentence_ends_at_the_next_window(voice: VitsModel) -> None:
    asked = itertools.count(1)
    assert len(list(voice.windows(voice.prior(voice.tokens(LONG)), cancelled=lambda: next(asked) > 2))) == 2


@pytest.mark.parametrize("text", ["", "...", "?!", "🙂🔥", "—"])
def test_a_text_without_words_has_no_tokens(voice: VitsModel, text: str) -> None:
    assert voice.tokens(text).ids == ()


def test_the_weight_norm_is_gone_and_the_posterior_encoder_too(voice: VitsModel) -> None:
    names = list(voice._model.state_dict())
    assert not [name for name in names if "parametrizations" in name or name.startswith("posterior_encoder")]


@pytest.mark.parametrize("resblock", ["1", "2"])
def test_the_receptive_field_is_wide_enough_and_not_wasteful(resblock: str) -> None:
    torch.manual_seed(0)
    dilations = [[1, 3, 5]] * 3 if resblock == "1" else [[1, 2], [2, 6], [3, 12]]
    decoder = HifiganGenerator(8, 1, resblock, dilations, [3, 7, 11], [16, 16, 4], 32, [8, 8, 2]).eval()
    field, z = receptive_field(decoder), torch.randn(1, 8, 120)
    other = z.clone()
    other[:, :, 60] += 100
    with torch.inference_mode():
        touched = torch.nonzero((decoder(z) - decoder(other))[0, 0]).flatten() // 128
    assert 60 - field <= touched.min()
    assert touched.max() <= 60 + field
    assert touched.max() - touched.min() >= 2 * field - 5  # a frame is lost to rounding at every stage


def small(folder: Path, **arguments: object) -> VitsModel:
    return VitsModel(small_vits.write(folder, **arguments), folder / "model.pth", "cpu")


def windowed_and_whole(model: VitsModel, speaker: str = "") -> tuple[np.ndarray, np.ndarray]:
    tokens = model.tokens("the quick brown fox jumps over the lazy dog. " * 3)
    windowed = np.concatenate(list(model.windows(model.prior(tokens, speaker, seed=3))))
    return windowed, model.decode(model.encode(model.prior(tokens, speaker, seed=3)))


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"use_sdp": False},
        {"resblock_type_decoder": "2", "resblock_dilation_sizes_decoder": [[1, 2], [2, 6], [3, 12]]},
        {"init_discriminator": True},
        {"encoder_sample_rate": 11025, "interpolate_z": True},
        {"speakers": ["ann", "bob"]},
    ],
    ids=["stock", "plain durations", "resblock 2", "with discriminator", "stretched latent", "two speakers"],
)
def test_every_shape_of_vits_is_the_same_in_windows(tmp_path: Path, arguments: dict[str, object]) -> None:
    model = small(tmp_path, **arguments)
    windowed, whole = windowed_and_whole(model, model.speakers[0] if model.speakers else "")
    assert windowed.shape == whole.shape
    assert np.abs(windowed - whole).max() < 1e-4


def test_speakers_sound_different(tmp_path: Path) -> None:
    model = small(tmp_path, speakers=["ann", "bob"])
    assert model.speakers == ("ann", "bob")
    ann, bob = (windowed_and_whole(model, speaker)[0] for speaker in model.speakers)
    assert not np.array_equal(ann[:5000], bob[:5000])


@pytest.mark.parametrize("scale", [1000.0, 1e12, float("inf")])
def test_an_impossible_length_is_refused_before_any_audio(voice: VitsModel, scale: float) -> None:
    given = voice._model.length_scale
    voice._model.length_scale = scale
    with pytest.raises(ImplausibleAudio, match="cannot be right"):
        voice.prior(voice.tokens(SHORT))
    voice._model.length_scale = given


def test_a_broken_checkpoint_is_named(tmp_path: Path) -> None:
    small(tmp_path)
    (tmp_path / "model.pth").write_bytes(b"half a file")
    with pytest.raises(WeightsError, match=r"model\.pth"):
        VitsModel(load_config(str(joe() / "config.json")), tmp_path / "model.pth", "cpu")
