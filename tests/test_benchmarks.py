"""The measuring itself: statistics, the player, the wire and the result files. What is measured has its own tests."""

from __future__ import annotations

import asyncio
import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import chat, machine, recipes, voice
from benchmarks.faults import CACHE, Cuts
from benchmarks.faults import report as faults_report
from benchmarks.processes import Recipe, ServerFailed, running
from benchmarks.results import Report, Table, Target
from benchmarks.stats import Figure, quantile, ratios
from benchmarks.wire import Chunks

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_a_quantile_lies_between_its_neighbours() -> None:
    assert quantile([4, 1, 3, 2], 0.5) == 2.5
    assert quantile([1, 2, 3], 1) == 3
    assert quantile([7], 0.95) == 7


def test_a_figure_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)
    with pytest.raises(ValueError, match="no rounds"):
        Figure.of([])


def test_ratios_are_taken_round_by_round() -> None:
    # The second round was slow for both: the ratio must not move.
    assert ratios([95, 50, 96], [100, 50, 100]) == Figure(0.96, 0.95, 1.0)
    assert str(Figure.of([1.0, 250.0, 3.25])) == "3.25 (1-250)"


def test_the_player_counts_each_gap_it_runs_into() -> None:
    pieces = [(10.5, 100), (10.6, 100), (14.0, 100)]
    starts, underruns, stalled = voice.play(10.0, pieces, rate=100)
    assert starts == pytest.approx([0.5, 1.5, 4.0])
    assert (underruns, stalled) == (1, pytest.approx(1.5))


def test_an_utterance_is_heard_from_its_first_loud_sample() -> None:
    samples = np.concatenate([np.zeros(50, "<i2"), np.full(50, 9000, "<i2")]).tobytes()
    header = b"RIFF" + b"\0" * 20 + struct.pack("<I", 100) + b"\0" * 8 + b"data" + b"\xff" * 4
    heard = voice.heard(0.0, [(0.1, header), (0.2, samples[:101]), (0.3, samples[101:])])
    assert heard.first == 0.2
    assert heard.audible == pytest.approx(0.7)
    assert heard.seconds == 1.0
    assert heard.underruns == 0


def test_silence_and_rubbish_are_no_audio() -> None:
    header = b"RIFF" + b"\0" * 20 + struct.pack("<I", 100) + b"\0" * 8 + b"data" + b"\xff" * 4
    with pytest.raises(voice.NoAudio, match="silent"):
        voice.heard(0.0, [(0.1, header + b"\0" * 100)])
    with pytest.raises(voice.NoAudio, match="expected a WAV"):
        voice.heard(0.0, [(0.1, b"{}")])


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_chunks_are_joined_whatever_the_packets(size: int) -> None:
    chunks, stream = Chunks(), b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"
    parts = [chunks.feed(stream[at : at + size]) for at in range(0, len(stream), size)]
    assert b"".join(parts) == b"hello world"
    assert chunks.done


async def _answer(stream: bytes) -> chat.Answer:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(stream)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        return await chat.chat(server.sockets[0].getsockname()[1], "m", "Hello", 2)


def _stream(*events: str, end: bool = True) -> bytes:
    body = "".join(f"data: {event}\n\n" for event in events).encode()
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n" % (len(body), body) + (b"0\r\n\r\n" if end else b"")


TOKEN = '{"choices": [{"delta": {"content": "a"}}]}'
USAGE = '{"choices": [], "usage": {"completion_tokens": 2}}'


async def test_a_completed_stream_has_its_tokens_and_times() -> None:
    answer = await _answer(_stream('{"choices": [{"delta": {"role": "assistant", "content": ""}}]}', TOKEN, TOKEN, USAGE, "[DONE]"))
    assert (answer.outcome, answer.tokens, len(answer.times)) == ("completed", 2, 2)
    assert answer.ttft > 0


@pytest.mark.parametrize(
    ("stream", "outcome"),
    [
        (_stream(TOKEN, '{"error": {"message": "the engine died"}}', "[DONE]"), "error event"),
        (_stream(TOKEN), "silent end"),
        (_stream(TOKEN, end=False), "cut"),
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}", "refused"),
        (b"", "cut"),
    ],
)
async def test_every_way_to_fail_has_its_name(stream: bytes, outcome: str) -> None:
    assert (await _answer(stream)).outcome == outcome


def test_a_result_is_written_for_programs_and_for_people(tmp_path: Path) -> None:
    report = Report("demo", "A demonstration", "How.", [Table("Rates", ("streams", "rate"), [(4, Figure(2.0, 1.0, 3.0))])])
    report.targets.append(Target("rate", ">= 1", "2", True))
    page = report.write(tmp_path).read_text(encoding="utf-8")
    assert "| 4 | 2 (1-3) |" in page
    assert "| rate | >= 1 | 2 | yes |" in page
    content = json.loads((tmp_path / "demo.json").read_text(encoding="utf-8"))
    assert content["tables"][0]["rows"] == [[4, {"median": 2.0, "low": 1.0, "high": 3.0}]]
    assert content["targets"][0]["met"] is True


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    report = Report("demo", "A demonstration", "How.", missing=["Rates, 64: the engine died"])
    assert "## Missing\n\n- Rates, 64: the engine died\n" in report.write(tmp_path).read_text(encoding="utf-8")


def test_a_result_names_no_path_of_the_machine() -> None:
    command = machine.command("benchmarks.gpu", ["--profile", "/home/someone/mine.yaml"])
    assert command == "python -m benchmarks.gpu --profile mine.yaml"
    assert str(machine.ROOT) not in json.dumps(machine.describe())


def test_arguments_become_flags_of_vllm() -> None:
    given = {"max_model_len": 2048, "enforce_eager": True, "enable_prefix_caching": False, "hf_overrides": {"a": 1}}
    assert recipes.flags(given) == [
        "--max-model-len",
        "2048",
        "--enforce-eager",
        "--no-enable-prefix-caching",
        "--hf-overrides",
        '{"a": 1}',
    ]


def test_a_variant_keeps_what_it_does_not_change() -> None:
    path = Path(recipes.variant("cpu", {"speech": {"engine": "none"}}))
    text = path.read_text(encoding="utf-8")
    path.unlink()
    assert "smollm2-135m-instruct" in text
    assert "engine: none" in text


def test_a_server_is_stopped_with_its_children() -> None:
    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]

    with running(Recipe("files", command, "/")) as server:
        assert server.status("/README.md") == 200
        assert server.status("/no-such-file") == 404
        assert server.held() > 0
    assert server.status("/") == 0
    assert not server.process.is_running()


def test_a_server_that_lives_on_without_an_engine_is_not_waited_for() -> None:
    program = "import time; print('vllm: failed (no such model)', flush=True); time.sleep(600)"
    recipe = Recipe("broken", lambda port: [sys.executable, "-c", program], "/", failed=recipes.fireside("mock").failed)
    with pytest.raises(ServerFailed, match="no such model"), running(recipe):
        pass


def test_a_server_that_dies_says_why() -> None:
    recipe = Recipe("broken", lambda port: [sys.executable, "-c", "raise SystemExit('no such model')"], "/")
    with pytest.raises(ServerFailed, match="no such model"), running(recipe):
        pass


@pytest.mark.parametrize(("middle", "end", "met"), [(300, 301, True), (300, 320, False), (230, 251, True)])
def test_memory_that_grows_with_every_cut_stream_is_a_target_missed(middle: int, end: int, met: bool) -> None:
    found = faults_report([], Cuts(1000, 0, 0.1, {"service": [250 * 10**6, middle * 10**6, end * 10**6], CACHE: [0, 0, 10**9]}))
    [target] = [target for target in found.targets if "memory" in target.what]
    assert target.met is met
