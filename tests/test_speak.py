"""From text to audio: in order, ahead of time, and nothing left behind when the listener goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from models.base import Audio, SpeechJob
from models.errors import EngineDied, EngineFailed, Overloaded
from tests.speaking import VOICE, Engine, events, gather_into, talk, texts, typed
from voice import speak as module
from voice.schedule import Scheduler
from voice.speak import Flush, SentenceAudio, SentenceEnded, SentenceStarted, SpeechEvent, speak

pytestmark = pytest.mark.anyio


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def scheduler(engine: Engine) -> Scheduler:
    return Scheduler(engine, max_waiting=4)


async def test_sentences_come_in_order_each_between_its_start_and_its_end(scheduler: Scheduler) -> None:
    found = await events("One two. Three. Four five six.", scheduler)
    assert texts(found) == ["One two. ", "Three. ", "Four five six."]
    kinds = [(type(event), event.index) for event in found]
    assert kinds == sorted(kinds, key=lambda kind: kind[1])
    for index in range(3):
        mine = [kind for kind, of in kinds if of == index]
        assert (mine[0], mine[-1]) == (SentenceStarted, SentenceEnded)
        assert set(mine[1:-1]) == {SentenceAudio}


async def test_audio_is_continuous_with_a_pause_between_sentences(scheduler: Scheduler) -> None:
    pieces = [event for event in await events("One two. Three.", scheduler) if isinstance(event, SentenceAudio)]
    assert [piece.start for piece in pieces] == pytest.approx([0.0, 0.01, 0.02, 0.32])
    assert [set(piece.audio.samples.tolist()) for piece in pieces] == [{1}, {1}, {0}, {2}]


async def test_text_is_spoken_as_words_unless_asked_otherwise(engine: Engine, scheduler: Scheduler) -> None:
    await events("I have 3 cats.", scheduler)
    await events("I have 3 cats.", scheduler, normalize=False)
    assert [job.text for job in engine.jobs] == ["I have three cats.", "I have 3 cats."]


async def test_jobs_carry_owner_voice_speed_and_seed(engine: Engine, scheduler: Scheduler) -> None:
    await events("Hi.", scheduler, speed=1.5, seed=7)
    assert engine.jobs == [SpeechJob("me", 0, "Hi.", "v", 1.5, 7)]


async def test_a_sentence_is_spoken_while_the_next_is_being_written(scheduler: Scheduler) -> None:
    goes_on = asyncio.Event()

    async def writing() -> AsyncIterator[str]:
        yield "One. Tw"
        await goes_on.wait()
        yield "o."

    stream = talk(writing(), scheduler)
    assert [await anext(stream) for _ in range(3)][-1] == SentenceEnded(0, 0.01)
    goes_on.set()
    assert texts([event async for event in stream]) == ["Two."]


async def test_a_finished_sentence_is_spoken_when_the_writer_pauses(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    goes_on = asyncio.Event()

    async def writing() -> AsyncIterator[str]:
        yield "One."
        await goes_on.wait()

    stream = talk(writing(), scheduler)
    assert await anext(stream) == SentenceStarted(0, "One.", "One.", 0)
    goes_on.set()
    assert isinstance([event async for event in stream][-1], SentenceEnded)


async def test_a_pause_is_noticed_though_there_was_much_to_say_when_it_began(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    monkeypatch.setattr(module, "FOUND_AHEAD", 1)
    full, flush_idle = asyncio.Event(), module._Utterance._flush_idle

    def noticed(*given: Any) -> None:
        flush_idle(*given)
        full.set()

    async def writing() -> AsyncIterator[str]:
        yield "One. Two. Three."
        await asyncio.Event().wait()

    monkeypatch.setattr(module._Utterance, "_flush_idle", noticed)
    engine.gate(0)
    stream = talk(writing(), Scheduler(engine, 4))
    await anext(stream)
    await full.wait()
    engine.gate(0).set()
    while not (isinstance(event := await asyncio.wait_for(anext(stream), 60), SentenceStarted) and event.text == "Three."):
        pass
    await stream.aclose()  # type: ignore[attr-defined]


async def test_later_sentences_are_made_while_the_first_plays_but_not_all(engine: Engine) -> None:
    engine.concurrency = 10
    stream = talk("One. Two. Three. Four. Five. Six.", Scheduler(engine, 4), lookahead=2)
    await anext(stream)
    await engine.has(2).wait()
    assert [job.index for job in engine.jobs] == [0, 1, 2]
    while not isinstance(await anext(stream), SentenceEnded):
        pass
    await anext(stream)
    await engine.has(3).wait()
    assert [job.index for job in engine.jobs] == [0, 1, 2, 3]
    await stream.aclose()  # type: ignore[attr-defined]


async def test_order_holds_when_a_later_sentence_is_ready_first(engine: Engine, scheduler: Scheduler) -> None:
    engine.gate(1)
    task = asyncio.create_task(events("Zero. One. Two.", scheduler))
    await engine.has(2).wait()
    engine.gate(1).set()
    assert [event.index for event in await task] == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize(("text", "first"), [("One. Two. Three.", 0), ("<br>\n\nOne. Two. Three.", 1)])
async def test_nothing_else_is_made_before_the_first_sound(engine: Engine, scheduler: Scheduler, text: str, first: int) -> None:
    engine.gate(first)
    task = asyncio.create_task(events(text, scheduler))
    await engine.has(first).wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert [job.text for job in engine.jobs] == ["One."]
    engine.gate(first).set()
    await task
    assert [job.text for job in engine.jobs] == ["One.", "Two.", "Three."]


@pytest.mark.parametrize("delivered", range(8))
async def test_leaving_at_any_point_leaves_nothing_behind(engine: Engine, scheduler: Scheduler, delivered: int) -> None:
    before = asyncio.all_tasks()
    stream = talk("One two. Three. Four. Five. Six. Seven.", scheduler)
    for _ in range(delivered):
        await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert (engine.open, scheduler.running, scheduler.waiting, scheduler._order.owners) == (0, 0, 0, 0)
    assert asyncio.all_tasks() == before


async def test_cancelling_the_listener_cancels_the_work(engine: Engine, scheduler: Scheduler) -> None:
    engine.gate(0)
    task = asyncio.create_task(events("One. Two. Three.", scheduler))
    await engine.has(0).wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert (engine.open, scheduler.running, scheduler.waiting) == (0, 0, 0)


async def test_a_failure_names_its_sentence_after_those_before_it(engine: Engine, scheduler: Scheduler) -> None:
    found: list[SpeechEvent] = []
    with pytest.raises(EngineFailed, match="sentence 2 of the text could not be spoken: on purpose"):
        await gather_into(found, talk("One. Fail now, fail. Three. Four.", scheduler, lookahead=1))
    assert [event.index for event in found if isinstance(event, SentenceEnded)] == [0]
    assert (engine.open, scheduler.running, scheduler.waiting) == (0, 0, 0)


async def test_a_dead_engine_is_still_a_dead_engine(scheduler: Scheduler) -> None:
    with pytest.raises(EngineDied, match="sentence 1"):
        await events("well, die.", scheduler)


async def test_an_engine_that_cancels_itself_is_an_error_and_no_silence(
    engine: Engine, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cancelled(job: SpeechJob) -> AsyncIterator[Audio]:
        raise asyncio.CancelledError
        yield

    monkeypatch.setattr(engine, "synthesize", cancelled)
    with pytest.raises(EngineFailed, match="cancelled inside the engine"):
        await events("One.", scheduler)


async def test_a_broken_source_is_heard_of_after_what_it_had_given(scheduler: Scheduler) -> None:
    async def breaking() -> AsyncIterator[str]:
        yield "One. Tw"
        raise OSError("cable")

    found: list[SpeechEvent] = []
    with pytest.raises(OSError, match="cable"):
        await gather_into(found, talk(breaking(), scheduler))
    assert texts(found) == ["One. "]
    assert isinstance(found[-1], SentenceEnded)


async def test_what_cannot_be_said_is_shown_and_makes_no_job(engine: Engine, scheduler: Scheduler) -> None:
    found = await events("Yes.\n\n😀\n\n", scheduler)
    assert found[-2:] == [SentenceStarted(1, "😀\n\n", "", 6), SentenceEnded(1, 0.0)]
    assert len(engine.jobs) == 1


async def test_an_empty_text_is_an_empty_stream(scheduler: Scheduler) -> None:
    assert await events("", scheduler) == []
    assert await events(typed("", ""), scheduler) == []


async def test_too_many_clients_are_refused_before_the_first_event(engine: Engine) -> None:
    scheduler = Scheduler(engine, max_waiting=1)
    with scheduler.serving("another"):
        with pytest.raises(Overloaded):
            await anext(talk("One.", scheduler))
        assert engine.jobs == []


async def test_a_client_who_still_writes_its_first_sentence_does_not_wait_for_the_engine(engine: Engine) -> None:
    scheduler, writing, done = Scheduler(engine, max_waiting=1), asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[str]:
        yield "It "
        writing.set()
        await done.wait()
        yield "is late."

    writer = asyncio.create_task(events(slowly(), scheduler))
    await writing.wait()
    other = speak("One.", owner="other", voice=VOICE, scheduler=scheduler)
    assert texts([event async for event in other]) == ["One."]
    done.set()
    assert texts(await writer) == ["It is late."]


async def test_a_long_text_is_read_as_it_is_needed(engine: Engine, scheduler: Scheduler) -> None:
    taken = 0

    async def book() -> AsyncIterator[str]:
        nonlocal taken
        for taken in range(10_000):
            yield f"This is sentence {taken}. "

    stream = talk(book(), scheduler)
    await anext(stream)
    await engine.has(3).wait()
    await stream.aclose()  # type: ignore[attr-defined]
    assert taken < 100


async def test_twenty_clients_hear_their_own_text(engine: Engine) -> None:
    scheduler = Scheduler(engine, max_waiting=20)
    wanted = [" ".join(["Word."] * (number + 1)) for number in range(20)]
    streams = [speak(text, owner=str(n), voice=VOICE, scheduler=scheduler, lookahead=2) for n, text in enumerate(wanted)]

    async def written(stream: AsyncIterator[SpeechEvent]) -> str:
        return "".join(texts([event async for event in stream]))

    assert await asyncio.gather(*map(written, streams)) == wanted
    assert (scheduler.running, scheduler.waiting, scheduler._order.owners) == (0, 0, 0)


async def test_a_flush_speaks_what_has_come(scheduler: Scheduler) -> None:
    goes_on = asyncio.Event()

    async def writing() -> AsyncIterator[str | Flush]:
        yield "One and"
        yield Flush.FLUSH
        yield Flush.FLUSH
        await goes_on.wait()
        yield " two."

    stream = talk(writing(), scheduler)
    assert await anext(stream) == SentenceStarted(0, "One and", "One and", 0)
    goes_on.set()
    assert [event.at for event in [event async for event in stream] if isinstance(event, SentenceStarted)] == [7]


async def test_another_language_than_the_voices_own_is_split_read_and_spoken_as_such() -> None:
    engine = Engine()
    speaking = speak("Am 3. Mai. Danke.", owner="ann", voice=VOICE, scheduler=Scheduler(engine, 8), language="de")
    sentences = [event.spoken for event in [event async for event in speaking] if isinstance(event, SentenceStarted)]
    assert len(sentences) == 2
    assert "3" not in sentences[0]
    assert {job.language for job in engine.jobs} == {"de"}
