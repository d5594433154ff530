"""WS /v1/realtime over the mocks' own worker processes, behind the app as it is served."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from openai import AsyncOpenAI

from api import metrics
from api.app import create_app
from api.runtime import Runtime
from models.base import Load
from models.host import EngineHost
from models.listening.engine import WorkerListeningEngine
from models.speech.engine import WorkerSpeechEngine
from models.text.mock import MockTextEngine
from settings import MockText, Settings
from tests.realtime import Client, connected, house, online
from tests.servers import ROOT, Server
from tests.test_realtime import ANSWERED, SPOKEN, TRANSCRIBE, TRANSCRIBED

pytestmark = pytest.mark.anyio
PAGE = ROOT / "docs" / "realtime.md"


@asynccontextmanager
async def served(runtime: Runtime) -> AsyncIterator[str]:
    async with online(create_app(runtime)) as url:
        await runtime.start()
        try:
            while not runtime.ready():
                await asyncio.sleep(0.01)
            yield url
        finally:
            await runtime.stop()


def made(**speech: Any) -> Runtime:
    voices = WorkerSpeechEngine("speech", "models.speech.mock:MockRenderer", speech, 30, 4)
    ears = WorkerListeningEngine("listening", "models.listening.mock:MockListener", {"replies": ["What time is it?"]}, 30)
    text = MockTextEngine("mock-text", (), MockText(replies=("It is ten. Or later.",)))
    return Runtime(Settings(), text=EngineHost(text), speech=EngineHost(voices), listening=EngineHost(ears))


@asynccontextmanager
async def talking(url: str) -> AsyncIterator[Client]:
    async with AsyncOpenAI(base_url=url, api_key="none") as sdk, sdk.realtime.connect(model="gpt-realtime") as connection:
        client = Client(connection)
        await client.until("session.created")
        yield client


async def test_speech_is_heard_and_answered() -> None:
    runtime = made()
    async with served(runtime) as url:
        async with talking(url) as client:
            await client.send("session.update", session=TRANSCRIBE)
            await client.say(1.0)
            await client.say(1.0, loud=False)
            await client.until("response.done")
            assert client.kinds()[2:] == [*SPOKEN, TRANSCRIBED, *ANSWERED]
            assert client.of(TRANSCRIBED)[0]["transcript"] == "What time is it?"
            assert len(client.audio()) / 48000 > 1.0
        assert all(load == Load() for _, _, load in runtime.loads())


async def test_the_voices_die_in_mid_answer_and_the_session_lives_on() -> None:
    runtime = made(realtime_factor=3)
    async with served(runtime) as url, talking(url) as client:
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        assert runtime.speech
        os.kill(runtime.speech.engine.pid, signal.SIGKILL)  # type: ignore[attr-defined]
        done = (await client.until("response.done"))["response"]
        assert done["status_details"]["error"]["code"] == "engine_died"
        while not runtime.ready():
            await asyncio.sleep(0.01)
        await client.send("response.create", response={"max_output_tokens": 5})
        assert (await client.until("response.done"))["response"]["status"] == "incomplete"


async def test_the_listener_dies_and_is_asked_anew() -> None:
    runtime = made()
    async with served(runtime) as url, talking(url) as client:
        await client.say(0.5)
        await client.until("input_audio_buffer.speech_started")
        assert runtime.listening
        os.kill(runtime.listening.engine.pid, signal.SIGKILL)  # type: ignore[attr-defined]
        while runtime.ready():
            await asyncio.sleep(0.01)
        await client.say(0.1)
        assert (await client.until("error"))["error"]["code"] in {"engine_died", "not_ready"}
        while not runtime.ready():
            await asyncio.sleep(0.01)
        await client.send("nobody", event_id="last")
        await client.until_refused("last")
        await client.say(1.0)
        await client.say(1.0, loud=False)
        await client.until("response.done")


async def test_responses_are_counted_and_measured() -> None:
    before = _counted("ok")
    async with served(made()) as url, talking(url) as client:
        await client.send("response.create")
        await client.until("response.done")
        await client.refused("response.cancel")
    assert _counted("ok") == before + 1
    assert metrics.ttfa.labels("/v1/realtime")._sum.get() > 0


async def test_the_first_audio_is_waited_for_since_the_turn_s_end() -> None:
    before = metrics.ttfa.labels("/v1/realtime")._sum.get()
    async with house() as home, connected(home) as client:
        assert home.listener
        home.listener.hold = asyncio.Event()
        await client.say(0.5)
        await client.say(0.6, loud=False)
        await client.until("input_audio_buffer.committed")
        began = time.perf_counter()
        await asyncio.sleep(0.3)  # what transcribing takes
        home.listener.hold.set()
        waited = time.perf_counter() - began
        await client.until("response.done")
    assert metrics.ttfa.labels("/v1/realtime")._sum.get() - before >= waited


def _counted(outcome: str) -> float:
    return float(metrics.requests.labels("/v1/realtime", outcome)._value.get())


async def test_a_served_profile_talks(server: Server) -> None:
    async with talking(server.url + "/v1") as client:
        await client.write("Hello")
        await client.send("response.create")
        done = (await client.until("response.done"))["response"]
        assert done["status"] == "completed"
        assert client.audio()


async def test_a_served_profile_listens_and_is_interrupted(server: Server) -> None:
    async with talking(server.url + "/v1") as client:
        await client.send("session.update", session=TRANSCRIBE)
        await client.say(1.0)
        await client.say(1.0, loud=False)
        assert (await client.until(TRANSCRIBED))["transcript"]
        await client.until("response.done")
        heard = client.of("response.output_item.added")[0]["item"]["id"]
        await client.say(0.5)
        await client.until("input_audio_buffer.speech_started")
        said = client.of("response.output_audio_transcript.done")[0]["transcript"]
        assert said.startswith(kept := await client.transcript(heard))
        assert len(kept) < len(said)
    server.until("fireside_running", 0)


async def test_the_page_s_program_runs(server: Server) -> None:
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    program = found[1].replace("http://127.0.0.1:3000", server.url)
    ran = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    said, _ = await ran.communicate()
    assert ran.returncode == 0
    assert len(said) > 10
