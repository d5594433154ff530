"""The text engine's contract on real vLLM. One engine for the whole file: a start costs a minute."""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import os
import signal
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

import settings
from api.metrics import TextTimeline
from api.patience import Patience
from models.base import Load, Receive, Sampling, Scope, Send, TextChunk, TextRequest
from models.errors import ContextTooLong, EngineDied, EngineTimeout, InvalidInput, NotReady, Overloaded
from models.probe import watched
from models.text.vllm import VllmEngine
from models.work import Work, around
from settings.limits import Limits

NAME = "smollm2-135m-instruct"
PROFILE = settings.load("cpu").text
ALIASES = settings.Aliases().text
ENDLESS = Sampling(temperature=0, max_tokens=1500)
QUESTION = ({"role": "user", "content": "What is the capital of France?"},)

pytestmark = [
    pytest.mark.engines,
    pytest.mark.anyio,
    pytest.mark.timeout(400),
    # torch and vLLM, on import: deprecations between their own modules.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
    pytest.mark.filterwarnings("ignore::FutureWarning:vllm"),
    # vLLM reads a field of its own that it calls deprecated.
    pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def weights() -> Path:
    return Path(os.environ["FIRESIDE_HOME"]) / "models" / NAME


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where torch keeps what it compiles, which it does as on a GPU."""
    folder = tmp_path_factory.mktemp("compiled")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TORCH_COMPILE_DISABLE", "0")
        environment.setenv("TORCHINDUCTOR_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
async def engine(compiled: Path) -> AsyncIterator[VllmEngine]:
    text = PROFILE.model_copy(update={"args": {**PROFILE.args, "max_num_queued_reqs": 8}, "shutdown_timeout": 20.0})
    engine = VllmEngine(NAME, weights, text, aliases=ALIASES)
    await engine.start()
    yield engine
    await engine.stop()
    assert not children()


@pytest.fixture
async def client(engine: VllmEngine) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(engine.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://engine", timeout=None) as client:
        yield client


@pytest.fixture
def forgotten(engine: VllmEngine, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is kept of an engine that a test stops: each death of EngineCore would cost the service 40 MB, for the tokenizers alone."""
    tokenizer = type(engine._llm.renderer.tokenizer)
    kept = [weakref.ref(held) for held in (engine._llm, tokenizer.apply_chat_template)]
    del tokenizer
    yield
    caplog.get_records("call").clear()  # pytest keeps what was logged, with its tracebacks
    gc.collect()
    assert [ref() for ref in kept] == [None, None]


def libraries(folder: Path) -> set[Path]:
    return set(folder.rglob("*.so"))


def children() -> list[Any]:
    return [child for child in multiprocessing.active_children() if child.name.startswith("EngineCore")]


async def ask(engine: VllmEngine, **fields: Any) -> list[TextChunk]:
    return [chunk async for chunk in engine.generate(TextRequest("test", **fields))]


def said(chunks: list[TextChunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


async def three(
    engine: VllmEngine, client: httpx.AsyncClient
) -> tuple[AsyncGenerator[TextChunk, None], asyncio.Task[httpx.Response], asyncio.Task[httpx.Response]]:
    """Long answers that all have begun: a generation, and of vLLM's routes one that is streamed and one that is not."""
    stream = engine.generate(TextRequest("held", prompt="Count:", sampling=ENDLESS))
    await anext(stream)
    body = {"model": NAME, "prompt": "Count:", "max_tokens": 1500}
    sse, whole = (asyncio.create_task(client.post("/v1/completions", json=body | {"stream": streamed})) for streamed in (True, False))
    while engine.load() != Load(running=3):
        await anext(stream)
    return stream, sse, whole


def scheduled() -> float:
    """What EngineCore's scheduler last said that it runs."""
    for family in REGISTRY.collect():
        if family.name == "vllm:num_requests_running":
            return sum(sample.value for sample in family.samples)
    raise AssertionError("vLLM has no gauge vllm:num_requests_running any more")


async def test_it_streams_and_says_why_it_ends(engine: VllmEngine) -> None:
    chunks = await ask(engine, prompt="Once upon a time", sampling=Sampling(temperature=0, max_tokens=12))
    assert len(chunks) > 6
    assert sum(chunk.tokens for chunk in chunks) == 12
    assert [chunk.finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["length"]


async def test_messages_go_through_the_chat_template_and_a_prompt_does_not(engine: VllmEngine) -> None:
    chat = await ask(engine, messages=QUESTION, sampling=Sampling(temperature=0, max_tokens=12))
    plain = await ask(engine, prompt=QUESTION[0]["content"], sampling=Sampling(temperature=0, max_tokens=12))
    assert "Paris" in said(chat)
    assert said(chat) != said(plain)


async def test_stop_strings_end_the_text_and_are_not_in_it(engine: VllmEngine) -> None:
    chunks = await ask(engine, prompt="1, 2, 3,", sampling=Sampling(temperature=0, max_tokens=30, stop=("6",)))
    assert said(chunks).strip() == "4, 5,"
    assert chunks[-1].finish_reason == "stop"


async def test_the_same_seed_gives_the_same_text_and_another_seed_another(engine: VllmEngine) -> None:
    def request(seed: int) -> dict[str, Any]:
        return {"prompt": "The strangest thing is", "sampling": Sampling(seed=seed, max_tokens=16, temperature=1.0)}

    first, again, other = [said(await ask(engine, **request(seed))) for seed in (1, 1, 2)]
    assert first == again != other


async def test_the_answer_ends_where_the_context_ends(engine: VllmEngine) -> None:
    prompt = "word " * 2030
    chunks = await ask(engine, prompt=prompt, sampling=Sampling(temperature=0, max_tokens=1000))
    assert chunks[-1].finish_reason == "length"
    assert sum(chunk.tokens for chunk in chunks) < 30


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": "word " * 3000}, "at most 2048 tokens.*at least 2049 tokens"),
        ({"prompt": "x" * 500_000}, "at most 2048 tokens.*500000 characters"),
        ({"messages": ({"role": "user", "content": "word " * 3000},)}, "at most 2048 tokens"),
    ],
)
async def test_a_prompt_too_long_is_refused_with_the_limit_and_its_length(engine: VllmEngine, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ContextTooLong, match=words):
        await anext(engine.generate(TextRequest("long", **fields)))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "messages"),
        ({"prompt": "a", "messages": QUESTION}, "messages"),
        ({"messages": ({"content": "no role"},)}, "messages"),
        ({"prompt": "a", "sampling": Sampling(temperature=-1)}, "temperature"),
        ({"prompt": "a", "sampling": Sampling(top_p=7)}, "top_p"),
        ({"prompt": "a", "sampling": Sampling(seed=2**70)}, "seed"),
        ({"prompt": "a", "sampling": Sampling(temperature=1, top_k=2**31)}, "top_k"),
    ],
)
async def test_bad_input_is_refused_before_any_text(engine: VllmEngine, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await anext(engine.generate(TextRequest("bad", **fields)))
    assert refusal.value.param == param
    assert engine.load() == Load()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"temperature": 1, "top_k": 2**40}, 400),
        # vLLM has no bounds for these, and cannot send them to EngineCore
        ({"repetition_detection": {"max_pattern_size": 2**70, "min_count": 2**70}}, 500),
    ],
)
async def test_numbers_the_engine_cannot_hold_leave_nothing_behind(
    engine: VllmEngine, client: httpx.AsyncClient, fields: dict[str, Any], status: int
) -> None:
    answer = await client.post("/v1/chat/completions", json={"messages": QUESTION, "max_tokens": 4} | fields)
    assert answer.status_code == status, answer.text
    assert engine.load() == Load()


async def test_several_at_once_each_get_their_own(engine: VllmEngine) -> None:
    prompts = ["1, 2, 3,", "a, b, c,", "Monday, Tuesday,"]
    alone = [said(await ask(engine, prompt=prompt, sampling=Sampling(temperature=0, max_tokens=3))) for prompt in prompts]
    answers = await asyncio.gather(*(ask(engine, prompt=prompt, sampling=Sampling(temperature=0, max_tokens=3)) for prompt in prompts * 2))
    assert [said(answer) for answer in answers] == alone * 2


async def test_closing_the_generator_frees_the_engine(engine: VllmEngine) -> None:
    async with aclosing(engine.generate(TextRequest("left", prompt="Count:", sampling=ENDLESS))) as stream:
        await anext(stream)
        assert engine.load() == Load(running=1)
    assert engine.load() == Load()
    # EngineCore itself has let go of it: the next request finds it the only one.
    steps = [scheduled() async for _ in engine.generate(TextRequest("next", prompt="1, 2,", sampling=Sampling(max_tokens=6)))]
    assert max(steps[1:]) == 1


async def test_a_full_queue_is_refused(engine: VllmEngine) -> None:
    streams = [engine.generate(TextRequest(f"{n}", prompt="Count:", sampling=ENDLESS)) for n in range(8)]
    for stream in streams:
        await anext(stream)
    with pytest.raises(Overloaded, match="queue is full"):
        await ask(engine, prompt="one too many")
    for stream in streams:
        await stream.aclose()  # type: ignore[attr-defined]
    assert engine.load() == Load()


async def test_vllms_openai_app_answers_by_name_and_alias(client: httpx.AsyncClient) -> None:
    for name in (NAME, *ALIASES):
        body = {"model": name, "messages": QUESTION, "temperature": 0, "max_tokens": 12}
        answer = (await client.post("/v1/chat/completions", json=body)).json()
        assert "Paris" in answer["choices"][0]["message"]["content"]


async def test_vllms_openai_app_streams(client: httpx.AsyncClient) -> None:
    body = {"model": NAME, "prompt": "1, 2, 3,", "temperature": 0, "max_tokens": 6, "stream": True}
    async with client.stream("POST", "/v1/completions", json=body) as answer:
        events = [line.removeprefix("data: ") async for line in answer.aiter_lines() if line]
    assert events.pop() == "[DONE]"
    assert "".join(json.loads(event)["choices"][0]["text"] for event in events).startswith(" 4, 5")


async def test_no_request_waits_for_what_has_to_be_compiled(client: httpx.AsyncClient, compiled: Path) -> None:
    """vLLM alone compiles at the first request for probabilities, and every stream stands still for as long."""
    before = libraries(compiled)
    assert before
    asked = [
        {"messages": QUESTION, "max_tokens": 4, "temperature": 1, "logprobs": True, "top_logprobs": 2, "n": answers}
        for answers in (1, 2, 5)
    ]
    answers = await asyncio.gather(*[client.post("/v1/chat/completions", json=body) for body in asked])
    assert [len(answer.json()["choices"]) for answer in answers] == [1, 2, 5]
    assert libraries(compiled) == before


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_takes_too_long_frees_the_engine(engine: VllmEngine, stream: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with Patience(receive, TextTimeline(), Limits(total_timeout=1)) as patience:
            await patience.over(engine.app(scope, patience.receive, send))

    body = {"model": NAME, "prompt": "Count:", "max_tokens": 1500, "ignore_eos": True, "stream": stream}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engine", timeout=None) as client:
        with pytest.raises(EngineTimeout, match="total_timeout"):
            await client.post("/v1/completions", json=body)
    async with asyncio.timeout(20):
        while engine.load() != Load():
            await asyncio.sleep(0)


async def test_an_unknown_model_is_refused_by_vllms_app(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/chat/completions", json={"model": "nobody", "messages": QUESTION})
    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "model")


async def test_the_probe_is_one_token_that_no_book_shows(engine: VllmEngine) -> None:
    before = engine.progress
    await asyncio.wait_for(engine.probe(), 60)
    assert engine.progress > before
    probing = asyncio.create_task(engine.probe())
    async with aclosing(engine.generate(TextRequest("beside", prompt="Count:", sampling=ENDLESS))) as stream:
        await anext(stream)
        assert engine.load() == Load(running=1)
    await probing


async def test_the_probe_waits_for_no_long_prompt_that_is_read_in_this_process(engine: VllmEngine) -> None:
    assert engine._loaded is not None
    over = Event()
    reading = engine._loaded.llm.renderer._executor.submit(over.wait)
    try:
        await asyncio.wait_for(engine.probe(), 60)
        assert not reading.done()
    finally:
        over.set()


async def test_the_tokens_of_an_answer_are_told_while_it_is_made(engine: VllmEngine) -> None:
    told = Work()
    with around(told):
        async with aclosing(engine.generate(TextRequest("told", prompt="Count:", sampling=ENDLESS))) as stream:
            await anext(stream)
            before = told.made()
            await anext(stream)
            assert told.made() > before > 0


async def test_an_engine_that_hangs_is_found_told_and_started_again(engine: VllmEngine, client: httpx.AsyncClient) -> None:
    stream, sse, whole = await three(engine, client)

    async def rest() -> list[TextChunk]:
        return [chunk async for chunk in stream]

    reading = asyncio.create_task(rest())
    os.kill(children()[0].pid, signal.SIGSTOP)
    async with watched(engine, settings.Probe(interval=0.5, timeout=3)):
        assert await asyncio.wait_for(engine.died(), 60) == f"{NAME} hung: no sign of life for 3 s"
    assert not engine.alive
    refused = await whole
    assert (refused.status_code, "hung: no sign of life for 3 s" in refused.text) == (503, True)
    with pytest.raises(EngineDied, match="hung: no sign of life for 3 s"):
        await reading
    *_, error, end = (await sse).text.strip().split("\n\n")
    assert "hung" in json.loads(error.removeprefix("data: "))["error"]["message"]
    assert end == "data: [DONE]"
    with pytest.raises((NotReady, EngineDied)):  # whether vLLM knows of its death already or not
        await ask(engine, prompt="a")

    await engine.stop()
    with pytest.raises(NotReady, match="not loaded"):
        await ask(engine, prompt="a")
    await engine.start()
    assert "Paris" in said(await ask(engine, messages=QUESTION, sampling=Sampling(temperature=0, max_tokens=12)))


async def test_what_was_let_go_of_late_of_an_engine_is_not_kept_by_the_next(engine: VllmEngine) -> None:
    """vLLM freezes the heap once it is loaded, garbage too: 50 MB, until the next death."""
    kept = weakref.ref(engine._llm)
    held: list[Any] = [engine._llm]
    held.append(held)
    await engine.stop()
    assert kept() is not None
    del held
    await engine.start()
    assert kept() is None


async def test_a_death_that_vllm_finds_first_is_told_as_one(engine: VllmEngine, client: httpx.AsyncClient) -> None:
    """Two look for it, and either may be the first to tell the requests."""
    from vllm.v1.engine.exceptions import EngineDeadError

    stream, sse, whole = await three(engine, client)
    names = list(engine._llm.output_processor.request_states)
    engine._llm.output_processor.propagate_error(EngineDeadError())
    with pytest.raises(EngineDied):
        [chunk async for chunk in stream]
    error = json.loads((await sse).text.strip().split("\n\n")[-2].removeprefix("data: "))["error"]
    assert (error["code"], error["message"]) == (503, "the engine has died: send this again once it is back")
    refused = await whole
    assert (refused.status_code, refused.json()["error"]["message"]) == (503, error["message"])
    await engine._llm.abort(names, internal=True)
    assert engine.alive
    assert str(engine._llm.dead_error) == error["message"]
    assert engine.load() == Load()


async def test_an_abort_that_nobody_asked_for_is_an_error(engine: VllmEngine) -> None:
    stream = engine.generate(TextRequest("held", prompt="Count:", sampling=ENDLESS))
    await anext(stream)
    await engine._llm.abort("held")
    with pytest.raises(EngineDied, match="vLLM aborted request held"):
        [chunk async for chunk in stream]


@pytest.mark.usefixtures("forgotten")
async def test_stop_ends_what_runs_with_an_error_that_says_why(engine: VllmEngine, client: httpx.AsyncClient) -> None:
    stream, sse, whole = await three(engine, client)
    await engine.stop()
    with pytest.raises(EngineDied, match="shutting down"):
        [chunk async for chunk in stream]
    assert "shutting down" in json.loads((await sse).text.strip().split("\n\n")[-2].removeprefix("data: "))["error"]["message"]
    refused = await whole
    assert (refused.status_code, "shutting down" in refused.text) == (503, True)
    assert not children()
