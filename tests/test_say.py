"""`fireside say` into files and pipes, as somebody at a terminal uses it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import av
import psutil
import pytest

from models.speech.mock import duration
from tests.sayings import HANG, ROOT, SAY, environment, refused, run, samples, say, saying, size, until
from voice.speak import PARAGRAPH_PAUSE, SENTENCE_PAUSE

RATE = 24000
TEXT = "Good evening. The fire is lit."
SECONDS = duration("Good evening.") + SENTENCE_PAUSE + duration("The fire is lit.")


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In-process runs, for what is refused before a voice is loaded."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def decoded(path: Path) -> tuple[str, float]:
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
        return container.streams.audio[0].codec_context.name, sum(frame.samples for frame in frames) / frames[0].sample_rate


def test_a_wav_says_how_long_it_is_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    done = say(TEXT, "-o", tmp_path / "out.wav")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert len(samples((tmp_path / "out.wav").read_bytes())) == pytest.approx(SECONDS * RATE, abs=4)
    assert [path.name for path in tmp_path.iterdir()] == ["out.wav"]


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp3", "mp3float"), ("a.ogg", "opus"), ("a.opus", "opus"), ("a.flac", "flac"), ("a.aac", "aac"), ("a.WAV", "pcm_s16le")],
)
def test_the_suffix_chooses_the_format(tmp_path: Path, name: str, codec: str) -> None:
    assert say(TEXT, "-o", tmp_path / name).returncode == 0
    found, seconds = decoded(tmp_path / name)
    assert found == codec
    assert seconds == pytest.approx(SECONDS, abs=0.15)


def test_the_format_may_be_another_than_the_suffix(tmp_path: Path) -> None:
    assert say(TEXT, "-o", tmp_path / "a.bin", "--format", "flac").returncode == 0
    assert decoded(tmp_path / "a.bin")[0] == "flac"


def test_standard_output_gets_a_wav_or_what_is_asked_for() -> None:
    whole = say("Good evening.", "The fire is lit.", "-o", "-").stdout
    assert len(samples(whole)) == pytest.approx(SECONDS * RATE, abs=4)
    assert whole[4:8] == b"\xff" * 4, "nobody can go back in a pipe"
    assert say(TEXT, "-o", "-", "--format", "pcm").stdout == whole[44:]


def test_a_voice_a_speed_and_the_words_as_they_are(tmp_path: Path) -> None:
    say("Room 12.", "-o", tmp_path / "a.wav", "--speed", 2, "--no-normalize", "--voice", "mock-high")
    assert len(samples((tmp_path / "a.wav").read_bytes())) == pytest.approx(duration("Room 12.", 2) * RATE, abs=2)


@pytest.mark.parametrize("arguments", [(), ("-",), ("-f", "-"), ("-f", "/dev/stdin")])
def test_standard_input_is_said(arguments: tuple[str, ...]) -> None:
    assert len(samples(say(*arguments, "-o", "-", stdin=TEXT.encode()).stdout)) == pytest.approx(SECONDS * RATE, abs=4)


def test_a_text_on_a_pipe_is_spoken_while_it_comes() -> None:
    with saying("-o", "-", "--format", "pcm") as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write("One clause is enough to begin with, and é".encode()[:-1])
        process.stdin.flush()
        assert process.stdout.read(1000), "the end of the first clause is far from the end of the text"
        process.stdin.write("é.".encode()[1:])
        assert len(process.communicate(timeout=30)[0]) > 1000
    assert process.returncode == 0


def test_a_markdown_file_is_read_as_a_person_would_and_a_mark_at_its_beginning_is_no_word(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\xef\xbb\xbf# Evening\r\n\r\nThe **fire** is lit.\r\n")
    say("-f", tmp_path / "a.md", "-o", tmp_path / "a.wav")
    length = duration("Evening") + duration("The fire is lit.") + PARAGRAPH_PAUSE
    assert len(samples((tmp_path / "a.wav").read_bytes())) == pytest.approx(length * RATE, abs=4)


def test_no_file_is_overwritten_unless_that_is_meant(told: Path) -> None:
    (told / "out.wav").write_bytes(b"mine")
    refused(run(TEXT, "-o", "out.wav"), "out.wav is there already", "--force")
    assert (told / "out.wav").read_bytes() == b"mine"
    assert say(TEXT, "-o", "out.wav", "--force", folder=told).returncode == 0
    assert samples((told / "out.wav").read_bytes()).any()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "a.txt is empty"),
        (b"\xef\xbb\xbf \n", "a.txt is empty"),
        ("Grüße".encode("latin-1"), "byte 2 is 0xfc"),
        (b"\xef\xbb\xbf" + b"a" * 10_000 + b"\xff", "byte 10003 is 0xff"),
        (("a" * 4095 + "é").encode()[:-1], "byte 4095 is 0xc3"),
        (b"%PDF\0\1", "byte 4 is 0x00"),
    ],
)
def test_what_is_no_text_is_refused(told: Path, content: bytes, word: str) -> None:
    (told / "a.txt").write_bytes(content)
    refused(run("-f", "a.txt", "-o", "a.wav"), word)
    assert not (told / "a.wav").exists()


def test_a_text_on_a_pipe_that_turns_out_to_be_none_is_refused() -> None:
    done = say("-o", "-", stdin="Grüße".encode("latin-1"))
    assert done.returncode == 1
    assert b"standard input is not UTF-8 text: byte 2 is 0xfc" in done.stderr


def test_what_has_nothing_to_say_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    done = say("***", "-o", tmp_path / "a.wav")
    assert done.returncode == 1
    assert b"nothing that can be spoken" in done.stderr
    assert not list(tmp_path.iterdir())


def test_other_refusals(told: Path) -> None:
    refused(run("-f", ".", "-o", "a.wav"), "is a folder")
    refused(run("-f", "none.txt", "-o", "a.wav"), "No such file", "none.txt")
    refused(run(TEXT, "-o", "a.wav", "--voice", "nobody"), "unknown voice 'nobody'")
    refused(run(TEXT, "-o", "a.wav", "--profile", "nowhere"), "no profile named 'nowhere'")
    refused(run(TEXT, "-o", "nowhere/a.wav"), "nowhere is no folder: make it first")
    assert not list(told.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        (TEXT, "-o", "a.xyz"),
        (TEXT, "-o", "a.wav", "--format", "midi"),
        (TEXT, "-o", "a.wav", "--speed", "9"),
        (TEXT, "-f", "a.txt"),
        (TEXT, "--resume", "-o", "-"),
        ("-", "--resume", "-o", "a.wav"),
        (TEXT, "--frob"),
    ],
)
def test_a_wrong_use_is_exit_code_2(told: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2
    assert not list(told.iterdir())


def test_a_profile_without_speech_is_told(tmp_path: Path) -> None:
    done = say(TEXT, "-o", tmp_path / "a.wav", FIRESIDE_SPEECH__ENGINE="none")
    assert done.returncode == 1
    assert b"this profile has no speech" in done.stderr


def test_an_engine_that_fails_is_one_line(tmp_path: Path) -> None:
    fault = {"FIRESIDE_SPEECH__MOCK__FAULT__KIND": "before_first", "FIRESIDE_SPEECH__MOCK__FAULT__MATCH": "fire"}
    done = say("The fire is lit.", "-o", tmp_path / "a.wav", **fault)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: sentence 1 of the text could not be spoken")
    assert b"Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_reader_that_has_enough_ends_it_in_silence() -> None:
    command = [
        "bash",
        "-o",
        "pipefail",
        "-c",
        'yes "This is said again and again." | head -2000 | "$@" -o - | head -c 1000 | wc -c',
        "bash",
    ]
    done = subprocess.run([*command, *SAY], env=environment(), cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == (b"1000", b"")


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_a_pipe_said_before_it_was_stopped_is_a_whole_file(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    with saying("-o", tmp_path / "a.mp3", **HANG) as process:
        assert process.stdin
        process.stdin.write(b"The fire is lit. Now wait for ever. And ")
        process.stdin.flush()
        until(lambda: size(tmp_path / "a.mp3.part") > 44 + 2 * RATE * duration("The fire is lit."), process)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(sent)
        _, words = process.communicate(timeout=30)
    assert process.returncode == code
    assert words.decode().startswith(f"{tmp_path / 'a.mp3'} has the 0:00:00 of speech")
    assert decoded(tmp_path / "a.mp3")[1] >= duration("The fire is lit.")
    assert not psutil.wait_procs(family, timeout=60)[1]


def test_a_terminal_is_shown_how_far_it_is_and_what_came_of_it(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(f"{TEXT}\n" * 20)
    shown = on_a_terminal("-f", "book.txt", "-o", "a.wav", folder=tmp_path)
    assert "the mock profile makes tones" in shown
    assert re.search(r"book\.txt.* [\d,]+/620 characters, 0:00:\d\d made, \d+\.\dx", shown)
    assert re.search(r"a\.wav: 0:00:\d\d of speech, \d", shown)
    assert on_a_terminal("-f", "book.txt", "-o", "b.wav", "--quiet", folder=tmp_path) == ""


def on_a_terminal(*arguments: str, folder: Path) -> str:
    """What it writes to a terminal of 80 columns, without what moves the cursor."""
    ours, theirs = os.openpty()
    env = environment(COLUMNS="80", TERM="xterm", FIRESIDE_SPEECH__MOCK__REALTIME_FACTOR="0.02")
    with subprocess.Popen([*SAY, *arguments], env=env, cwd=folder, stdin=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # how Linux says that nobody holds the other end
            while data := os.read(ours, 4096):
                shown += data
        os.close(ours)
    assert process.returncode == 0
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
