"""What several threads want at once goes to the device in one go, and every row of a batch is what it would be alone."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from TTS.config import load_config

from models.errors import ImplausibleAudio
from models.speech import phonemes
from models.speech.batches import Batches
from models.speech.vits import VitsModel
from models.speech.windows import UNHURRIED, URGENT
from tests.engines import small_vits
from tests.engines.joe import joe

pytestmark = pytest.mark.engines

TEXTS = (
    "Dinner is ready.",
    "The lighthouse keeper climbed the narrow stairs every evening, and when he reached the lamp he counted the boats at sea.",
    "Nobody spoke.",
    "She opened the window, listened to the rain, and went back to her book.",
)


class Counting(Batches):
    """While one thread has the device, the three others come to wait for it: so there are batches."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.made: list[int] = []

    def run(self, key, work, item):  # type: ignore[no-untyped-def]
        def counted(items: Sequence[object]) -> Sequence[object]:
            self.made.append(len(items))
            return work(items)

        return super().run(key, counted, item)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    phonemes.install()
    torch.set_num_threads(1)


def alone(model: VitsModel, text: str, seed: int, speaker: str = "", growth: Sequence[int] = URGENT) -> np.ndarray:
    return np.concatenate(list(model.windows(model.prior(model.tokens(text), speaker, 1 + seed / 10, seed), growth)))


def check(model: VitsModel, speakers: Sequence[str]) -> None:
    def speak(number: int) -> np.ndarray:
        return alone(model, TEXTS[number], number, speakers[number])

    expected = [speak(number) for number in range(len(TEXTS))]
    batches = model._batches = Counting(len(TEXTS))
    with ThreadPoolExecutor(len(TEXTS)) as pool:
        made = list(pool.map(speak, range(len(TEXTS))))
    assert max(batches.made) > 1, "nothing was made together"
    for one, other in zip(expected, made, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() < 1e-4


def test_sentences_made_together_are_what_they_are_alone() -> None:
    check(VitsModel(load_config(str(joe() / "config.json")), joe() / "model.pth", "cpu"), [""] * len(TEXTS))


def test_a_sentence_beside_a_bad_one_is_what_it_is_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked for together, fail together, and are made again one by one."""
    model = VitsModel(small_vits.write(tmp_path), tmp_path / "model.pth", "cpu")
    expected, check, bad = alone(model, TEXTS[0], 0), model._check, len(model.tokens(TEXTS[2]).ids)

    def refuse(frames: float, tokens: int) -> None:
        if tokens == bad:
            raise ImplausibleAudio("a bad one")
        check(frames, tokens)

    monkeypatch.setattr(model, "_check", refuse)
    batches = model._batches = Batches(2)
    with ThreadPoolExecutor(2) as pool:
        with batches._device:
            good, other = (pool.submit(alone, model, TEXTS[number], number) for number in (0, 2))
            while len(batches._waiting) < 2:
                pass
        assert np.array_equal(good.result(60), expected)
        with pytest.raises(ImplausibleAudio, match="a bad one"):
            other.result(60)


@pytest.mark.parametrize("arguments", [{}, {"use_sdp": False}, {"encoder_sample_rate": 11025, "interpolate_z": True}])
def test_so_are_several_speakers(tmp_path: Path, arguments: dict[str, object]) -> None:
    model = VitsModel(small_vits.write(tmp_path, speakers=["ann", "bob"], **arguments), tmp_path / "model.pth", "cpu")
    check(model, ["ann", "bob", "bob", "ann"])


def test_threads_without_batches_do_not_disturb_each_other() -> None:
    model = VitsModel(load_config(str(joe() / "config.json")), joe() / "model.pth", "cpu")
    expected = [alone(model, text, number) for number, text in enumerate(TEXTS)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda number: alone(model, TEXTS[number], number), range(len(TEXTS))))
    assert all(np.array_equal(one, other) for one, other in zip(expected, made, strict=True))


def test_the_size_of_the_windows_changes_nothing() -> None:
    model = VitsModel(load_config(str(joe() / "config.json")), joe() / "model.pth", "cpu")
    assert np.abs(alone(model, TEXTS[1], 1) - alone(model, TEXTS[1], 1, growth=UNHURRIED)).max() < 1e-4


def test_a_cpu_is_given_one_window_at_a_time() -> None:
    assert VitsModel(load_config(str(joe() / "config.json")), joe() / "model.pth", "cpu").fastest_batch() == 1


def on_a_gpu(folder: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> VitsModel:
    """As if: the more windows at once the faster, and memory does for `most` of them."""

    def decodes_per_second(rows: int) -> float:
        if rows > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return float(rows)

    model = VitsModel(small_vits.write(folder), folder / "model.pth", "cpu")
    monkeypatch.setattr(model, "_device", torch.device("cuda"))
    monkeypatch.setattr(model, "_decodes_per_second", decodes_per_second)
    return model


@pytest.mark.parametrize(("most", "best"), [(1, 1), (8, 4), (16, 16)])
def test_the_trial_ends_where_memory_does_not_do_for_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, best: int) -> None:
    assert on_a_gpu(tmp_path, monkeypatch, most).fastest_batch() == best


def test_a_voice_of_which_no_window_fits_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        on_a_gpu(tmp_path, monkeypatch, most=0).fastest_batch()
