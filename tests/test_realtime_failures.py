"""What becomes of a session when something fails or is not there."""

from __future__ import annotations

import json
from typing import Any

import pytest
import websockets

from models.errors import EngineDied, EngineFailed, NotReady
from tests.realtime import connected, house, serving
from tests.test_realtime import ANSWERED, TRANSCRIBE

pytestmark = pytest.mark.anyio

CLOCK = {"type": "function", "name": "clock", "description": "The time", "parameters": {"type": "object", "properties": {}}}


async def test_a_session_is_configured_while_an_engine_is_loading_again() -> None:
    async with house() as home, connected(home) as client:

        def loading() -> Any:
            raise NotReady("the voices are loading")

        known = home.runtime.require_speech
        home.runtime.require_speech = home.runtime.loaded_speech = loading
        await client.configure(instructions="Be brief.")
        assert (await client.refused("session.update", session={"audio": {"output": {"voice": "mute"}}}))["code"] == "not_ready"
        await client.send("response.create")
        assert (await client.until("response.done"))["response"]["status_details"]["error"]["code"] == "not_ready"
        home.runtime.require_speech = home.runtime.loaded_speech = known
        await client.send("response.create")
        assert (await client.until("response.done"))["response"]["status"] == "completed"


async def test_an_answer_that_cannot_be_spoken_fails_and_the_session_goes_on() -> None:
    async with house() as home, connected(home) as client:
        home.text.enqueue(["It is fine. Now I fail here. And go on.", "Fine."])
        await client.send("response.create")
        done = (await client.until("response.done"))["response"]
        assert done["status_details"]["error"]["code"] == "engine_failed"
        assert client.kinds()[1:] == ANSWERED
        await client.send("response.create")
        assert (await client.until("response.done"))["response"]["status"] == "completed"
        assert home.text.history[-1].messages[-1]["content"] == "It is fine. Now I fail here"


async def test_an_answer_that_cannot_be_written_fails_and_the_session_goes_on() -> None:
    async with house() as home, connected(home) as client:
        home.text.enqueue([EngineFailed("out of luck")])
        await client.send("response.create")
        done = (await client.until("response.done"))["response"]
        assert done["status"] == "failed"
        assert "out of luck" in done["status_details"]["error"]["message"]
        await client.configure()


@pytest.mark.parametrize("told", [True, False])
async def test_a_turn_that_cannot_be_transcribed_is_told(told: bool) -> None:
    async with house() as home, connected(home) as client:
        assert home.listener
        home.listener.script.append(EngineDied("the listener died"))
        if told:
            await client.send("session.update", session=TRANSCRIBE)
        await client.say(0.5)
        await client.say(0.7, loud=False)
        event = await client.until("conversation.item.input_audio_transcription.failed" if told else "error")
        assert event["error"]["code"] == "engine_died"
        await client.say(0.5)
        await client.say(0.7, loud=False)
        await client.until("response.done")


async def test_that_nobody_listens_is_told_once_until_somebody_does() -> None:
    async with house() as home, connected(home) as client:

        def loading() -> Any:
            raise NotReady("the listener is starting")

        known = home.runtime.require_listening
        for _ in range(2):
            home.runtime.require_listening = loading
            await client.say(1, loud=False)
            assert (await client.until("error"))["error"]["code"] == "not_ready"
            await client.configure()  # refuses to see another error
            home.runtime.require_listening = known
            await client.say(0.5)
            await client.say(0.7, loud=False)
            await client.until("response.done")
        home.runtime.require_listening = loading
        assert (await client.refused("input_audio_buffer.append", audio="?"))["code"] == "invalid_value"


async def test_without_a_listener_text_is_answered_and_audio_refused() -> None:
    async with house(listener=None) as home, connected(home) as client:
        assert client.events[0]["session"]["audio"]["input"]["turn_detection"] is None
        error = await client.refused("input_audio_buffer.append", audio="AAAA")
        assert "no listening engine" in error["message"]
        await client.refused("input_audio_buffer.commit")
        await client.send("response.create")
        await client.until("response.done")


async def test_without_a_speaker_answers_are_text() -> None:
    async with house(speaker=None) as home, connected(home) as client:
        assert client.events[0]["session"]["output_modalities"] == ["text"]
        error = await client.refused("session.update", session={"type": "realtime", "output_modalities": ["audio"]})
        assert error["param"] == "session.output_modalities"
        await client.refused("response.create", response={"output_modalities": ["audio"]})
        await client.send("response.create")
        assert (await client.until("response.done"))["response"]["output"][0]["content"][0]["type"] == "output_text"


@pytest.mark.parametrize(("model", "code"), [("nobody", 1007), ("gpt-4o", None)])
async def test_a_model_that_there_is_not_is_refused_at_once(model: str, code: int | None) -> None:
    async with house() as home, serving(home) as url, websockets.connect(f"ws{url[4:]}/realtime?model={model}") as socket:
        first = json.loads(await socket.recv())
        assert first["type"] == ("error" if code else "session.created")
        if code:
            assert first["error"]["code"] == "model_not_found"
            await socket.wait_closed()
            assert socket.close_code == code


async def test_what_nobody_has_thought_of_is_told_and_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    async with house() as home, serving(home) as url, websockets.connect(f"ws{url[4:]}/realtime") as socket:
        assert json.loads(await socket.recv())["type"] == "session.created"
        monkeypatch.setattr("api.realtime.session.RealtimeSession._truncate", lambda *_: 1 // 0)
        await socket.send('{"type": "response.create"}')
        await socket.send('{"type": "conversation.item.truncate", "item_id": "a", "audio_end_ms": 1}')
        events = []
        with pytest.raises(websockets.ConnectionClosedError):
            while True:
                events.append(json.loads(await socket.recv()))
        assert events[-1]["error"]["code"] == "internal_error"
        assert "division" not in events[-1]["error"]["message"]
        assert socket.close_code == 1011


async def test_a_server_that_is_not_ready_says_so_and_closes() -> None:
    async with house() as home:

        def loading() -> Any:
            raise NotReady("the model is loading")

        home.runtime.require_text = loading
        async with serving(home) as url, websockets.connect(f"ws{url[4:]}/realtime", subprotocols=["realtime"]) as socket:  # type: ignore[list-item]
            assert json.loads(await socket.recv())["error"]["code"] == "not_ready"
            await socket.wait_closed()
            assert (socket.close_code, socket.subprotocol) == (1013, "realtime")
