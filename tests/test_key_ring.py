"""The file of API keys while a server runs: keys come, go and are rotated, and the file breaks, vanishes and cannot be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from api import keys as keyring
from api.keys import KeyRing, require
from models.errors import Forbidden, SettingsError
from settings import Key, Settings, keys_file
from settings.access import Access

ALICE, BOB = "fs-alice", "fs-bob"
NONE = "sha256:" + "0" * 64


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += keyring.LOOK
        return self.now


def ring(home: Path) -> KeyRing:
    return KeyRing(Settings(home=home), clock=Clock())


def test_keys_are_rotated_while_it_runs(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    keys_file.write(file, {"alice": Key(hash=keys_file.hashed(ALICE))})
    keys = ring(tmp_path)
    assert keys.required
    keys_file.write(file, {"bob": Key(hash=keys_file.hashed(BOB), scopes=("speech",))})
    keys.refresh()
    assert keys.holder(ALICE) is None
    found = keys.holder(BOB)
    assert found is not None
    assert found.name == "bob"
    with pytest.raises(Forbidden, match="'bob' does not open text: it opens speech"):
        require(found, "text")


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"keys_file is .*/mine\.yaml, which is not there"):
        KeyRing(Settings(home=tmp_path, access=Access(keys_file=str(tmp_path / "mine.yaml"))))


@pytest.mark.parametrize(
    "broken",
    [
        "alice: [",
        "alice: {hash: x}\nalice: {hash: x}",
        "alice: 2024-13-01",
        "alice: !!int ''",
        "alice: !!bool x",
        "alice: !!timestamp x",
        "alice: " + "9" * 5000,
        "[" * 5000,
        "- alice",
        "alice: {hash: plain}",
    ],
)
def test_a_file_that_breaks_or_vanishes_opens_nothing(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "keys.yaml"
    keys_file.write(file, {"alice": Key(hash=keys_file.hashed(ALICE))})
    keys = ring(tmp_path)
    file.write_text(broken)
    keys.refresh()
    assert keys.holder(ALICE)
    file.unlink()
    keys.refresh()
    assert keys.holder(ALICE) is None
    assert keys.required


def test_a_file_that_cannot_be_read_is_tried_again_though_it_has_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is somebody else's, or no descriptor is left for it: a key that was removed must not stay for that."""
    file = tmp_path / "keys.yaml"
    keys_file.write(file, {"alice": Key(hash=keys_file.hashed(ALICE))})
    keys = ring(tmp_path)
    keys_file.write(file, {"bob": Key(hash=keys_file.hashed(BOB))})
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", unreadable)
        for _ in range(3):
            keys.refresh()
    assert keys.holder(ALICE)
    assert caplog.text.count("the API keys stay as they were") == 1
    keys.refresh()
    assert keys.holder(ALICE) is None


def unreadable(*_: Any, **__: Any) -> str:
    raise PermissionError("not yours")


def test_the_file_stays_as_it_is_shared(tmp_path: Path) -> None:
    """The server may run as somebody else, who reads it by its group, or by a link."""
    real, link = tmp_path / "real.yaml", tmp_path / "keys.yaml"
    keys_file.write(real, {"alice": Key(hash=keys_file.hashed(ALICE))})
    real.chmod(0o640)
    if os.getuid() == 0:
        os.chown(real, 1234, 5678)
    before = real.stat()
    link.symlink_to(real)
    keys_file.write(link, {"bob": Key(hash=keys_file.hashed(BOB))})
    after = real.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert link.is_symlink()
    assert list(keys_file.read(link)) == ["bob"]


def test_a_first_key_closes_an_open_server(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    assert not keys.required
    keys_file.write(tmp_path / "keys.yaml", {"alice": Key(hash=keys_file.hashed(ALICE))})
    keys.refresh()
    assert keys.required


@pytest.mark.parametrize(
    "content",
    ["alice: {hash: hunter2}", "alice: {}", "[1]", f"../x: {{hash: '{NONE}'}}", f"a: {{hash: '{NONE}', scopes: [all]}}"],
)
def test_a_broken_file_is_told_at_the_start(tmp_path: Path, content: str) -> None:
    (tmp_path / "keys.yaml").write_text(content)
    with pytest.raises(SettingsError, match=r"keys\.yaml|no name"):
        ring(tmp_path)


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    keys_file.write(tmp_path / "keys.yaml", {"alice": Key(hash=keys_file.hashed(ALICE))})
    assert (tmp_path / "keys.yaml").stat().st_mode & 0o777 == 0o600
    assert ALICE not in (tmp_path / "keys.yaml").read_text()
