"""XTTS on a small random model: what it makes is what Coqui makes, streamed, in parts, by several at once."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from TTS.config import load_config

from models.errors import EngineFailed, InvalidInput, WeightsError
from models.speech.xtts import XttsModel
from models.speech.xtts_gpt import Utterance
from tests.engines import small_xtts

pytestmark = pytest.mark.engines
TEXT = "hello there, my friend."


def load(folder: Path, copies: int = 2, home: Path | None = None) -> XttsModel:
    torch.set_num_threads(1)
    return XttsModel(load_config(str(folder / "config.json")), folder, "cpu", copies, home)


@pytest.fixture(scope="module")
def xtts(xtts_folder: Path) -> XttsModel:
    return load(xtts_folder)


def pieces(model: XttsModel, text: str = TEXT, *, speaker: str = "bob", language: str = "", speed: float = 1.0) -> list[np.ndarray]:
    return list(model.stream(text, speaker, language, speed, 1, lambda: False))


def seeded(model: XttsModel, seed: int | None) -> np.ndarray:
    return np.concatenate(list(model.stream(TEXT, "bob", "", 1.0, seed, lambda: False)))


def said(model: XttsModel, text: str = TEXT, **options: object) -> np.ndarray:
    return np.concatenate(pieces(model, text, **options))


@pytest.mark.parametrize("speed", [1.0, 1.3])
def test_joined_it_is_what_coqui_makes_of_the_same_seed_in_one_go(xtts: XttsModel, speed: float) -> None:
    voice, config = xtts._speakers["bob"], xtts._config
    torch.manual_seed(1)  # Coqui draws from the one generator of torch
    [whole] = xtts._model.inference_stream(
        TEXT,
        "en",
        voice.latents,
        voice.embedding,
        stream_chunk_size=0,
        speed=speed,
        **{name: config[name] for name in ("temperature", "top_k", "top_p", "repetition_penalty")},
    )
    made = pieces(xtts, speed=speed)
    assert len(made) > 2
    np.testing.assert_allclose(np.concatenate(made), whole.numpy(), atol=1e-5)


def test_the_cache_changes_nothing(xtts: XttsModel) -> None:
    """A release of transformers once broke it in silence."""
    gpt, voice, tokens = xtts._model.gpt, xtts._speakers["bob"], xtts._tokens(TEXT, "en")
    one_by_one = Utterance(gpt, voice.latents, tokens, xtts._sampling, torch.Generator().manual_seed(1))
    inputs, latents = [one_by_one._inputs], []
    while not one_by_one.ended:
        latents.append(one_by_one.step())
        inputs.append(one_by_one._inputs)
    with torch.inference_mode():
        hidden = gpt.gpt(inputs_embeds=torch.cat(inputs[:-1], dim=1), use_cache=False).last_hidden_state
        at_once = gpt.final_norm(hidden)[0, -len(latents) :]
    np.testing.assert_allclose(torch.cat(latents).numpy(), at_once.numpy(), atol=1e-4)


def test_two_at_once_are_as_each_alone(xtts: XttsModel) -> None:
    alone = [seeded(xtts, seed) for seed in (1, 2)]
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(lambda seed: seeded(xtts, seed), (1, 2)))
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one, other)
    assert not np.array_equal(alone[0][:1000], alone[1][:1000])


def test_a_stream_goes_from_thread_to_thread(xtts: XttsModel) -> None:
    stream = xtts.stream(TEXT, "bob", "", 1.0, 1, lambda: False)
    made: list[np.ndarray] = []
    while True:
        with ThreadPoolExecutor(1) as thread:
            piece = thread.submit(next, stream, None).result()
        if piece is None:
            break
        made.append(piece)
    assert np.array_equal(np.concatenate(made), said(xtts))


def test_without_a_seed_no_two_are_alike(xtts: XttsModel) -> None:
    assert not np.array_equal(seeded(xtts, None), seeded(xtts, None))


def begun(model: XttsModel, cancelled: list[bool]) -> Iterator[np.ndarray]:
    stream = model.stream(TEXT, "bob", "", 1.0, 1, lambda: cancelled[0])
    next(stream)
    return stream


def test_room_is_taken_by_what_has_begun_until_it_is_closed_or_cancelled(xtts: XttsModel) -> None:
    idle, cancelled = xtts.stream(TEXT, "bob", "", 1.0, 1, lambda: False), [False]
    streams = [begun(xtts, cancelled) for _ in range(2)]
    assert not xtts.free()
    streams[0].close()
    assert xtts.free()
    again = begun(xtts, [False])
    assert not xtts.free()
    cancelled[0] = True
    assert list(streams[1]) == []
    assert xtts.free()
    del again, idle
    gc.collect()
    assert len(said(xtts))


def test_a_text_over_the_limits_is_made_in_parts_and_none_is_lost(xtts: XttsModel, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[str] = []
    monkeypatch.setitem(xtts._model.tokenizer.char_limits, "en", 30)
    monkeypatch.setattr(xtts, "_part", lambda tokens, *_: iter([encoded.append(xtts._model.tokenizer.decode(tokens[0]))]))
    text = "when the fire had burned down, nobody spoke for a while; and then, all at once, everybody did."
    assert len(pieces(xtts, text)) == len(encoded) > 3
    assert " ".join(part.removeprefix("[en]") for part in encoded) == text
    assert all(len(part) <= 30 + len("[en]") for part in encoded)


def test_tokens_are_limited_too(tmp_path: Path) -> None:
    small_xtts.write(tmp_path, gpt_max_text_tokens=12)
    model = load(tmp_path)
    assert not model._fits("hello there, my friend.", "en")
    assert len(said(model))


def test_one_voice_speaks_many_languages(xtts: XttsModel) -> None:
    english = said(xtts)
    assert np.array_equal(said(xtts, language="en-GB"), english)
    assert not np.array_equal(said(xtts, language="de")[:1000], english[:1000])
    with pytest.raises(InvalidInput, match="does not speak 'tlh': it speaks en, de"):
        said(xtts, language="tlh")


def test_its_voices_are_those_that_came_with_it(xtts: XttsModel) -> None:
    [ann, bob] = (speaker.voice for speaker in xtts.voices("xtts", "CPML"))
    assert (ann.id, bob.id) == ("xtts/Ann Odd", "xtts/bob")
    assert (ann.language, ann.languages[:2], ann.rate, ann.licence) == ("en", ("en", "de"), 24000, "CPML")
    assert not np.array_equal(said(xtts)[:1000], said(xtts, speaker="Ann Odd")[:1000])


def test_a_sentence_without_end_is_an_error_and_not_half_a_sentence(tmp_path: Path) -> None:
    small_xtts.write(tmp_path, end=-100, gpt_max_audio_tokens=20)
    with pytest.raises(EngineFailed, match="did not come to the end"):
        said(load(tmp_path))


def test_a_model_without_voices_says_how_to_get_one(tmp_path: Path) -> None:
    small_xtts.write(tmp_path, speakers=())
    with pytest.raises(WeightsError, match="fireside voices clone"):
        load(tmp_path).voices("xtts", "CPML")


def test_what_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    small_xtts.write(tmp_path)
    (tmp_path / "model.pth").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="cannot be loaded as an XTTS model"):
        load(tmp_path)
    (tmp_path / "vocab.json").unlink()
    with pytest.raises(WeightsError, match=r"vocab\.json"):
        load(tmp_path)
