"""`fireside chat` with a server of the mock profile: one question on pipes, a conversation at a terminal."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.chats import CHAT, chat, terminal
from tests.sayings import environment, player, size
from tests.servers import ROOT, Server, free_port, serve
from tests.test_say_server import guarded  # noqa: F401 (a server that asks for a key)

REPLY = "The fire is **lit**. Sit down.\n\nIt is late."
RECORDS = "exec cat > {folder}/heard"


@pytest.fixture(scope="module")
def talker() -> Iterator[Server]:
    with serve("mock", FIRESIDE_TEXT__MOCK__REPLIES=json.dumps([REPLY] * 200)) as running:
        yield running


@pytest.fixture(scope="module")
def slow() -> Iterator[Server]:
    """An answer that takes a minute, word by word."""
    with serve(
        "mock", FIRESIDE_TEXT__MOCK__TOKENS_PER_SECOND="20", FIRESIDE_TEXT__MOCK__REPLIES=json.dumps(["word " * 1000] * 15)
    ) as running:
        yield running


def test_one_question_is_answered_as_it_stands(talker: Server) -> None:
    done = chat("-m", "Hello", "--server", talker.url)
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, REPLY + "\n", b"")


def test_the_server_may_stand_in_the_environment(talker: Server) -> None:
    assert chat("-m", "Hello", FIRESIDE_URL=talker.url).stdout.decode() == REPLY + "\n"


def test_a_question_comes_on_a_pipe_too(server: Server) -> None:
    asked = {name: chat(*arguments, "--server", server.url, stdin=piped).stdout for name, arguments, piped in (
        ("piped", (), b"Count the words.\n\none two"),
        ("both", ("-m", "Count the words."), b"one two"),
        ("other", ("-m", "Count the words."), b"one"),
    )}  # fmt: skip
    assert asked["piped"] == asked["both"] != asked["other"]


def test_the_system_message_and_the_model_are_sent(server: Server) -> None:
    plain, told = (chat("-m", "Hi", *more, "--server", server.url).stdout for more in ((), ("--system", "Be brief.")))
    assert plain != told
    refused = chat("-m", "Hi", "--model", "gpt-9", "--server", server.url)
    assert refused.returncode == 1
    assert refused.stderr.startswith(b"error: The model `gpt-9` does not exist")


def test_no_question_is_wrong_use(server: Server) -> None:
    assert chat("--server", server.url).returncode == 2
    assert b"byte 1 is 0xff" in chat("--server", server.url, stdin=b"a\xff").stderr


def test_without_a_standard_input_there_is_no_question(server: Server) -> None:
    command = shlex.join([*CHAT, "--server", server.url])
    done = subprocess.run(["sh", "-c", f"{command} <&-"], env=environment(), cwd=ROOT, capture_output=True, timeout=90, check=False)
    assert done.returncode == 2, done.stderr
    assert b"no question" in done.stderr


def test_the_end_of_the_reader_is_no_error(talker: Server) -> None:
    command = shlex.join([*CHAT, "-m", "Hello", "--server", talker.url])
    done = subprocess.run(["sh", "-c", f"{command} | head -c 1"], env=environment(), cwd=ROOT, capture_output=True, timeout=90, check=False)
    assert (done.stdout, done.stderr) == (b"T", b"")


def test_where_nobody_answers() -> None:
    done = chat("-m", "Hi", "--server", f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: no server answers at http://127.0.0.1:")
    assert b"fireside serve" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_server_of_the_profile_is_the_usual_one() -> None:
    port = free_port()
    assert f"127.0.0.1:{port}".encode() in chat("-m", "Hi", FIRESIDE_SERVER__PORT=str(port), FIRESIDE_SERVER__HOST="0.0.0.0").stderr


def test_a_server_that_loads_is_waited_for() -> None:
    with serve("mock", wait="/livez", FIRESIDE_TEXT__MOCK__LOAD_SECONDS="600") as loading, terminal("--server", loading.url) as seen:
        seen.send("Hello")
        assert "load" in seen.until("waiting: ") + seen.until("\n")
        seen.process.send_signal(signal.SIGINT)
        seen.until("stopped")


def test_a_wrong_key_is_told_with_what_to_do(guarded: str) -> None:  # noqa: F811
    with terminal("--server", guarded) as seen:
        seen.until("error: That key opens nothing.")
        seen.until("--api-key")
        assert seen.end() == 1


def test_an_answer_that_breaks_off_is_an_error() -> None:
    with serve("mock", FIRESIDE_TEXT__MOCK__FAULT__KIND="mid_stream") as server:
        done = chat("-m", "Hi", "--server", server.url)
    assert done.returncode == 1
    assert done.stdout
    assert b"error: the mock engine failed this request" in done.stderr


def test_it_is_spoken_while_it_comes(talker: Server, tmp_path: Path) -> None:
    done = chat("-m", "Hello", "--speak", "--server", talker.url, **player(tmp_path, "aplay", RECORDS))
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, REPLY + "\n", b"")
    body = {"model": "tts-1", "input": REPLY, "response_format": "pcm"}
    assert (tmp_path / "heard").read_bytes() == httpx.post(f"{talker.url}/v1/audio/speech", json=body).content


def test_words_do_not_wait_for_a_player_that_is_behind(talker: Server, tmp_path: Path) -> None:
    """It takes nothing at all: the words are there, and Ctrl-C ends it."""
    with terminal("-m", "Hello", "--speak", "--server", talker.url, **player(tmp_path, "aplay", "kill -STOP $$")) as seen:
        seen.until("It is late.")
        seen.process.send_signal(signal.SIGINT)
        assert seen.end() == 130


def test_a_conversation_is_remembered_drawn_and_saved(talker: Server, tmp_path: Path) -> None:
    with terminal("--server", talker.url, folder=tmp_path) as seen:
        seen.until("mock-text: /help lists the commands")
        seen.send("Hello")
        seen.until("The fire is lit. Sit down.")
        seen.send("/save talk.json")
        seen.until("written to talk.json")
        seen.send("/save talk.json")
        seen.until("is there already")
        seen.send("/quit")
        assert seen.end() == 0
    said = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": REPLY}]
    assert json.loads((tmp_path / "talk.json").read_text()) == said


def test_the_history_goes_with_each_question_until_it_is_new(server: Server, tmp_path: Path) -> None:
    with terminal("--server", server.url, folder=tmp_path) as seen:
        for line in ("/system Be brief.", "Hello", "Again", "/save one.json", "/new", "Hello", "/save two.json"):
            seen.send(line)
        seen.send("/nothing")
        seen.until("/nothing is no command: /help lists them")
        seen.until("> ")
        seen.type("\x04")
        assert seen.end() == 0
    one, two = (json.loads((tmp_path / name).read_text()) for name in ("one.json", "two.json"))
    assert [message["role"] for message in one] == ["system", "user", "assistant", "user", "assistant"]
    assert two == one[:3]
    body = {"messages": one[:-1]}
    assert httpx.post(f"{server.url}/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"] == one[-1]["content"]


def test_a_message_may_have_several_lines(server: Server, tmp_path: Path) -> None:
    with terminal("--server", server.url, folder=tmp_path) as seen:
        seen.send("one\\\ntwo")
        seen.send('"""three\nfour"""')
        seen.send("/save talk.json")
        seen.send("/quit")
        assert seen.end() == 0
    said = [message["content"] for message in json.loads((tmp_path / "talk.json").read_text()) if message["role"] == "user"]
    assert said == ["one\ntwo", "three\nfour"]


def test_ctrl_c_stops_the_answer_and_not_the_program(slow: Server, tmp_path: Path) -> None:
    with terminal("--server", slow.url, folder=tmp_path) as seen:
        seen.send("Hello")
        seen.until("word word word")
        seen.process.send_signal(signal.SIGINT)
        seen.until("stopped")
        slow.until('fireside_running{engine="text"}', 0)
        seen.send("/save talk.json")
        seen.until("written")
        seen.until("> ")
        seen.interrupt("> ")
        seen.type("\x04")
        assert seen.end() == 0
    assert json.loads((tmp_path / "talk.json").read_text())[1]["content"].startswith("word word word")


def test_ctrl_c_pressed_twice_stops_no_more_than_once(slow: Server, tmp_path: Path) -> None:
    with terminal("--speak", "--server", slow.url, **player(tmp_path, "aplay", RECORDS)) as seen:
        for _ in range(3):
            seen.ask("Hello", "word word word")
            for _ in range(3):
                seen.process.send_signal(signal.SIGINT)
        seen.ask("/help", "write the conversation")
        seen.send("/quit")
        assert seen.end() == 0


def test_a_server_that_goes_is_told_and_the_session_stays(tmp_path: Path) -> None:
    with serve("mock") as server, terminal("--server", server.url) as seen:
        seen.send("Hello")
        server.stop()
        seen.send("Are you there?")
        seen.until("error: no server answers at")
        seen.send("/quit")
        assert seen.end() == 0


def test_ctrl_c_ends_one_question(slow: Server) -> None:
    with terminal("-m", "Hello", "--server", slow.url) as seen:
        seen.until("word word")
        seen.process.send_signal(signal.SIGINT)
        assert seen.end() == 130
    slow.until('fireside_running{engine="text"}', 0)


def test_sigterm_ends_it(slow: Server) -> None:
    with terminal("-m", "Hello", "--server", slow.url) as seen:
        seen.until("word word")
        seen.process.send_signal(signal.SIGTERM)
        assert seen.end() == 143


def test_a_voice_is_chosen_on_the_way(talker: Server, tmp_path: Path) -> None:
    with terminal("--server", talker.url, **player(tmp_path, "aplay", RECORDS)) as seen:
        seen.send("/voice")
        seen.until("answers are not spoken; voices: mock-low")
        seen.send("/voice nobody")
        seen.until("unknown voice 'nobody'")
        seen.send("/voice mock-high")
        seen.until("answers are spoken by mock-high")
        seen.send("Hello")
        seen.until("It is late.")
        seen.send("/voice off")
        seen.until("answers are not spoken")
        seen.send("/quit")
        assert seen.end() == 0
    assert np.frombuffer((tmp_path / "heard").read_bytes(), "<i2").any()


def test_the_sound_stops_with_the_answer(slow: Server, tmp_path: Path) -> None:
    with terminal("--speak", "--server", slow.url, **player(tmp_path, "aplay", RECORDS)) as seen:
        seen.send("Hello")
        while not size(tmp_path / "heard"):
            seen.until("word")
        seen.process.send_signal(signal.SIGINT)
        seen.until("stopped")
        slow.until('fireside_running{engine="speech"}', 0)
        seen.send("/quit")
        assert seen.end() == 0
