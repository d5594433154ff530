"""After SIGTERM: nothing new, a limit for what is in flight, an error for what is still there then, and the end whatever clients do."""

from __future__ import annotations

import base64
import errno
import json
import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import psutil
import pytest
from circus.sighandler import SysHandler
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from api.ending import on_end
from commands import launch
from tests.servers import FIRESIDE, Server, serve
from tests.test_chat_heard import heard, recording
from tests.waiting import looks

SECOND = {"FIRESIDE_SERVER__DRAIN_TIMEOUT": "1"}
SLOW = {"FIRESIDE_TEXT__MOCK__TOKENS_PER_SECOND": "5", "FIRESIDE_SPEECH__MOCK__REALTIME_FACTOR": "1"}
CHAT = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "go on"}]}
BEGUN = "He put another log on the fire, and then he moved the kettle over the flame."
LONG = "A sentence that goes on for a while. " * 60


def terminate(server: Server) -> None:
    server.process.send_signal(signal.SIGTERM)


def drain(server: Server) -> None:
    """Returns once nothing new is let in."""
    terminate(server)
    while server.status("/livez"):  # 0 once the connection is refused
        assert server.process.poll() is None


def ended(server: Server) -> bool:
    """By itself, and soon: a minute would be no limit of ours."""
    return server.process.wait(20) == 0


@pytest.mark.parametrize("limit", ["FIRESIDE_SERVER__DRAIN_TIMEOUT", "FIRESIDE_TEXT__SHUTDOWN_TIMEOUT"])
def test_a_stream_that_outlasts_the_limit_ends_with_an_error(limit: str) -> None:
    with serve("mock", **SLOW, **{limit: "1"}) as server, httpx.stream("POST", f"{server.url}/v1/chat/completions", json=CHAT) as answer:
        lines = answer.iter_lines()
        next(lines)
        terminate(server)
        data = [line for line in lines if line]
        assert "shutting down" in json.loads(data[-2].removeprefix("data: "))["error"]["message"]
        assert len(data) > 3, "it went on until the limit"
        assert ended(server)


def test_a_request_that_hangs_ends_with_an_error() -> None:
    with serve("mock", **SECOND, FIRESIDE_TEXT__MOCK__FAULT__KIND="hang") as server:
        with httpx.stream("POST", f"{server.url}/generate", json={"prompt": "go on"}, timeout=30) as answer:
            text = answer.iter_text()
            next(text)
            terminate(server)
            assert "event: error" in (said := "".join(text))
            assert "shutting down" in said
        assert ended(server)


def test_speech_that_outlasts_the_limit_is_cut() -> None:
    with serve("mock", **SECOND, **SLOW) as server:
        body = {"model": "tts-1", "input": LONG, "response_format": "pcm"}
        with httpx.stream("POST", f"{server.url}/v1/audio/speech", json=body) as answer:
            pieces = answer.iter_bytes()
            next(pieces)
            terminate(server)
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
                list(pieces)
        assert ended(server)


def test_a_client_that_does_not_read_holds_up_nobody() -> None:
    with serve("mock", **SECOND, FIRESIDE_TEXT__MOCK__MAX_MODEL_LEN="1000000") as server, socket.socket() as client:
        children = family(server)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
        body = json.dumps({**CHAT, "ignore_eos": True}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)
        client.recv(1)
        terminate(server)
        assert ended(server)
        _, alive = psutil.wait_procs(children, timeout=60)
        assert alive == []


def test_new_clients_are_refused_while_others_finish() -> None:
    with serve("mock", **SLOW) as server, httpx.stream("POST", f"{server.url}/generate", json={"prompt": "a", "max_tokens": 20}) as answer:
        text = answer.iter_text()
        next(text)
        drain(server)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.url}/v1/models", timeout=60)
        assert "error" not in "".join(text)
        assert ended(server)


@pytest.mark.parametrize(("limit", "status"), [("30", 200), ("2", 503)], ids=["in time", "too late"])
def test_who_waits_for_a_place_gets_it_if_one_becomes_free_in_time(limit: str, status: int) -> None:
    alone = {"FIRESIDE_TEXT__MAX_RUNNING": "1", "FIRESIDE_SERVER__DRAIN_TIMEOUT": limit}
    with serve("mock", **SLOW, **alone) as server, ThreadPoolExecutor() as clients:
        with httpx.stream("POST", f"{server.url}/v1/chat/completions", json={**CHAT, "max_tokens": 40}) as answer:
            lines = answer.iter_lines()
            next(lines)
            short = {"stream": False, "max_tokens": 2}
            asked = [("/v1/chat/completions", {**CHAT, **short}), ("/generate", {"prompt": "go on", "max_tokens": 2})]
            waiting = [clients.submit(httpx.post, server.url + path, json=body, timeout=60) for path, body in asked]
            server.until('fireside_waiting{engine="text"}', 2)
            drain(server)
            list(lines)
            answers = [one.result() for one in waiting]
        assert [one.status_code for one in answers] == [status, status]
        assert all(("shutting down" in one.text) == (status == 503) for one in answers)
        assert ended(server)


def test_a_recording_that_was_let_in_is_heard() -> None:
    """One that is still coming in, and one that is a part of a chat and being heard."""
    with serve("mock", FIRESIDE_LISTENING__MOCK__REALTIME_FACTOR="1") as server, ThreadPoolExecutor() as clients:
        body = {"model": "mock-text", "messages": heard(recording(5))}
        chat = clients.submit(httpx.post, f"{server.url}/v1/chat/completions", json=body, timeout=60)
        server.until('fireside_running{engine="listening"}', 1)
        sound = {"file": ("a.wav", base64.b64decode(recording(1)))}
        upload = httpx.Request("POST", f"{server.url}/v1/audio/transcriptions", data={"model": "whisper-1"}, files=sound)
        with socket.create_connection((upload.url.host, upload.url.port)) as client:
            names = {**upload.headers, "Expect": "100-continue", "Connection": "close"}
            head = "\r\n".join([f"POST {upload.url.path} HTTP/1.1", *(f"{name}: {value}" for name, value in names.items())])
            client.sendall(f"{head}\r\n\r\n".encode())
            assert client.recv(100).startswith(b"HTTP/1.1 100 Continue"), "the server has let it in, and reads"
            drain(server)
            client.sendall(upload.read())
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
        assert chat.result().status_code == 200
        assert ended(server)


def test_a_socket_speaks_to_the_end_what_it_has_begun() -> None:
    """A text that comes then is refused, and one on which nothing happens is closed at once."""
    paced = {"FIRESIDE_SPEECH__MOCK__REALTIME_FACTOR": "1"}
    with serve("mock", **paced) as server, connect(url := server.url.replace("http", "ws") + "/ws") as ws, connect(url) as idle:
        whole = httpx.post(f"{server.url}/v1/audio/speech", json={"model": "tts-1", "input": BEGUN, "response_format": "pcm"}).content
        ws.send(BEGUN)
        heard = [ws.recv(10)]
        terminate(server)
        assert farewell(idle) == 1012
        ws.send("And this?")
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                heard.append(ws.recv(20))
        assert len(b"".join(piece for piece in heard if isinstance(piece, bytes))) == len(whole)
        assert [json.loads(told)["error"]["code"] for told in heard if isinstance(told, str)] == ["not_ready"]
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert ended(server)


def test_a_text_that_has_no_end_holds_up_nobody() -> None:
    with serve("mock", **SECOND) as server, connect(server.url.replace("http", "ws") + "/v1/audio/speech/stream") as ws:
        ws.send(json.dumps({"type": "text", "text": BEGUN + " And"}))
        while isinstance(ws.recv(10), str):
            pass
        terminate(server)
        assert farewell(ws) == 1012
        assert ended(server)


def test_a_conversation_answers_to_the_end_what_it_was_asked() -> None:
    with serve("mock", **SLOW) as server, connect(server.url.replace("http", "ws") + "/v1/realtime") as ws:
        said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]}
        ws.send(json.dumps({"type": "session.update", "session": {"type": "realtime", "max_output_tokens": 8}}))
        ws.send(json.dumps({"type": "conversation.item.create", "item": said}))
        ws.send(json.dumps({"type": "response.create"}))
        while json.loads(ws.recv(20))["type"] != "response.output_audio.delta":
            pass
        terminate(server)
        while (event := json.loads(ws.recv(20)))["type"] != "response.done":
            pass
        assert event["response"]["status"] in {"completed", "incomplete"}
        assert farewell(ws) == 1012
        assert ended(server)


def test_an_answer_that_waits_for_what_is_being_heard_is_made() -> None:
    with serve("mock", FIRESIDE_LISTENING__MOCK__REALTIME_FACTOR="1") as server:
        with connect(server.url.replace("http", "ws") + "/v1/realtime") as ws:
            said = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": recording(6)}]}
            ws.send(json.dumps({"type": "session.update", "session": {"type": "realtime", "max_output_tokens": 8}}))
            ws.send(json.dumps({"type": "conversation.item.create", "item": said}))
            ws.send(json.dumps({"type": "response.create"}))
            while json.loads(ws.recv(20))["type"] != "response.created":
                pass
            drain(server)
            while (event := json.loads(ws.recv(20)))["type"] != "response.done":
                pass
            assert event["response"]["status"] in {"completed", "incomplete"}
        assert ended(server)


def farewell(ws: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            ws.recv(20)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def test_a_socket_is_told_to_come_back() -> None:
    with serve("mock", **SECOND, **SLOW) as server, connect(server.url.replace("http", "ws") + "/ws") as ws:
        ws.send(LONG)
        ws.recv(10)
        terminate(server)
        assert farewell(ws) == 1012
        assert ended(server)


@pytest.mark.parametrize("engine", ["TEXT", "SPEECH"])
def test_a_signal_during_the_load_ends_it_cleanly(engine: str) -> None:
    with serve("mock", wait="/livez", **{f"FIRESIDE_{engine}__MOCK__LOAD_SECONDS": "600"}) as server:
        family = psutil.Process(server.process.pid).children(recursive=True)
        assert server.status("/readyz") == 503
        terminate(server)
        assert ended(server)
        _, alive = psutil.wait_procs(family, timeout=60)
        assert alive == []


def catches(server: Server) -> bool:
    """The launcher's first lines have run, and BentoML's import is before it."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return bool(int(status.partition("SigCgt:")[2].split()[0], 16) & 1 << signal.SIGTERM - 1)


def runs(module: str) -> Callable[[Server], bool]:
    return lambda server: any(module in one.cmdline() for one in family(server))


def wait_for(moment: Callable[[Server], bool], server: Server) -> None:
    assert any(moment(server) for _ in looks(every=0.01)), server.tail()


def family(server: Server) -> list[psutil.Process]:
    return psutil.Process(server.process.pid).children(recursive=True)


def test_a_signal_that_comes_while_the_supervisor_is_busy_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SysHandler, "quit", SysHandler.quit)
    launch.lose_no_signal()
    told: list[object] = []
    arbiter = SimpleNamespace(_restarting=True, _exclusive_running_command="arbiter_start_watchers")
    later: list[Callable[[], None]] = []
    loop = SimpleNamespace(add_callback_from_signal=later.append, call_later=lambda seconds, tell: later.append(tell))
    handler: Any = SimpleNamespace(controller=SimpleNamespace(arbiter=arbiter, loop=loop, dispatch=told.append))
    SysHandler.quit(handler)
    later.pop()()
    arbiter._restarting = False
    later.pop()()
    assert not told
    arbiter._exclusive_running_command = None
    later.pop()()
    assert len(told) == 1
    assert not later


@pytest.mark.parametrize(
    ("moment", "number"),
    [(catches, signal.SIGINT), (runs("_bentoml_impl.worker.service"), signal.SIGTERM), (runs("models.speech.worker"), signal.SIGINT)],
    ids=["import", "start of the worker", "load"],
)
def test_a_signal_at_any_moment_of_the_start_ends_it_cleanly(moment: Callable[[Server], bool], number: signal.Signals) -> None:
    """Ctrl-C is for the whole group, what an orchestrator sends for the first process."""
    with serve("mock", by=FIRESIDE, wait="", FIRESIDE_SPEECH__MOCK__LOAD_SECONDS="600") as server:
        wait_for(moment, server)
        children = family(server)
        (os.killpg if number == signal.SIGINT else os.kill)(server.process.pid, number)
        assert ended(server)
        _, alive = psutil.wait_procs(children, timeout=60)
        assert alive == []
        assert "Traceback" not in server.tail()


def test_a_worker_that_starts_does_not_outlive_its_supervisor() -> None:
    """It is killed before BentoML has come to import service.py, where somebody would look after it."""
    with serve("mock", by=FIRESIDE, wait="") as server:
        wait_for(runs("_bentoml_impl.worker.service"), server)
        children = family(server)
        server.process.kill()
        _, alive = psutil.wait_procs(children, timeout=60)
        assert alive == []


def test_nothing_outlives_what_was_killed() -> None:
    with serve("mock", **SLOW) as server:
        worker, *engines = family(server)
        worker.kill()
        _, alive = psutil.wait_procs(engines, timeout=60)
        assert alive == []
        server.wait("/readyz", 200, 60)
        children = family(server)
        assert all(one.status() != psutil.STATUS_ZOMBIE for one in children)
        assert len(children) == len(engines) + 1
        with httpx.stream("POST", f"{server.url}/generate", json={"prompt": "a", "max_tokens": 10}) as answer:
            text = answer.iter_text()
            next(text)
            server.process.kill()
            assert "error" not in "".join(text), "who was in flight gets the rest"
        _, alive = psutil.wait_procs(children, timeout=60)
        assert alive == []


def test_a_signal_reaches_uvicorn_where_no_descriptor_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    class Uvicorn:
        def __init__(self, listener: socket.socket) -> None:
            self.servers = (self,)
            self.sockets = (listener,)
            self.told: list[str] = []

        def close(self) -> None:
            self.told.append("close")

        def handle_exit(self, number: int, frame: object) -> None:
            self.told.append(signal.Signals(number).name)

    def none_left(_: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(os, "dup", none_left)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        uvicorn = Uvicorn(listener)
        signal.signal(signal.SIGTERM, uvicorn.handle_exit)
        undo = on_end(lambda: uvicorn.told.append("begin"))
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            undo()
            signal.signal(signal.SIGTERM, before)
    assert uvicorn.told == ["begin", "close", "SIGTERM"]


def test_a_second_signal_changes_nothing_for_who_is_in_flight() -> None:
    with serve("mock", **SLOW) as server, httpx.stream("POST", f"{server.url}/generate", json={"prompt": "a", "max_tokens": 15}) as answer:
        text = answer.iter_text()
        next(text)
        terminate(server)
        next(text)
        terminate(server)
        assert "error" not in "".join(text)
        assert ended(server)
