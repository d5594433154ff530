"""`fireside say` from the loudspeaker: a player on PATH that writes down what it is given."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import psutil
import pytest

from models.speech.mock import duration
from tests.sayings import HANG, player, samples, say, saying, size, until

TEXT = "Good evening. The fire is lit."
# A shell's `exec` keeps the player's process the one that was started.
RECORDS = 'echo "$@" > {folder}/options; exec cat > {folder}/heard'
FAILS = 'echo "Connection failure:" >&2; echo "Connection refused" >&2; exit 1'
# As one that was closed: it takes a little and leaves.
LEAVES = "head -c 100 > {folder}/heard; exit 3"


def heard(folder: Path) -> np.ndarray:
    return np.frombuffer((folder / "heard").read_bytes(), "<i2")


@pytest.mark.parametrize("arguments", [(), ("--play",)])
def test_it_is_played_whole_and_without_a_gap(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = say(TEXT, *arguments, **player(tmp_path, "aplay", RECORDS))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "options").read_text().split() == ["-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", "24000", "-"]
    assert np.array_equal(heard(tmp_path), samples(say(TEXT, "-o", "-").stdout))


def test_what_is_written_is_played_too(tmp_path: Path) -> None:
    assert say(TEXT, "-o", tmp_path / "a.wav", "--play", **player(tmp_path, "paplay", RECORDS)).returncode == 0
    assert np.array_equal(heard(tmp_path), samples((tmp_path / "a.wav").read_bytes()))


def test_the_player_can_be_chosen(tmp_path: Path) -> None:
    player(tmp_path, "paplay", FAILS)
    assert say(TEXT, "--player", "mpv", **player(tmp_path, "mpv", RECORDS)).returncode == 0
    assert "--demuxer-rawaudio-rate=24000" in (tmp_path / "options").read_text()


def test_it_is_heard_while_the_text_comes(tmp_path: Path) -> None:
    with saying("--play", **player(tmp_path, "aplay", RECORDS)) as process:
        assert process.stdin
        process.stdin.write(b"The fire is lit. And")
        process.stdin.flush()
        until(lambda: size(tmp_path / "heard") >= int(duration("The fire is lit.") * 24000) * 2, process)
        process.communicate(b" now.", timeout=30)
    assert process.returncode == 0
    assert len(heard(tmp_path)) > (duration("The fire is lit.") + duration("And now.")) * 24000


def test_ctrl_c_ends_the_sound_at_once(tmp_path: Path) -> None:
    with saying("The fire is lit. Now wait for ever.", **HANG, **player(tmp_path, "aplay", RECORDS)) as process:
        until(lambda: size(tmp_path / "heard") > 0, process)
        family = psutil.Process(process.pid).children(recursive=True)
        assert any(child.name() == "cat" for child in family)
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=30)
    assert (process.returncode, words) == (130, b"")
    assert not psutil.wait_procs(family, timeout=10)[1]


def test_a_player_that_cannot_play_is_told_in_its_words(tmp_path: Path) -> None:
    done = say(TEXT, **player(tmp_path, "paplay", FAILS))
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: paplay cannot play: Connection failure: Connection refused; choose another with --player")
    assert len(done.stderr.splitlines()) == 1


def test_a_player_that_leaves_ends_it(tmp_path: Path) -> None:
    done = say(" ".join([TEXT] * 50), **player(tmp_path, "paplay", LEAVES))
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: paplay cannot play: it ended with code 3")


def test_without_a_player_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    done = say(TEXT, PATH=str(tmp_path / "bin"))
    assert done.returncode == 1
    for word in (b"no player is on PATH", b"alsa-utils (aplay)", b"-o FILE"):
        assert word in done.stderr
    asked = say(TEXT, "--player", "mpv", PATH=str(tmp_path / "bin"))
    assert b"install mpv" in asked.stderr
    unknown = say(TEXT, "--player", "winamp", PATH=os.environ["PATH"])
    assert b"expected a player out of paplay" in unknown.stderr
