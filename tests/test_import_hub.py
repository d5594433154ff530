"""Pulling from a hub: a local imitation of one over HTTP, that can cut a connection in the middle of a file."""

from __future__ import annotations

import errno
import hashlib
import json
import struct
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from models import terms
from models.errors import TermsNotAgreed, WeightsError
from models.imports.hub import HubBuilder
from models.store import Store

COMMIT = "a" * 40
# huggingface_hub writes 10 MiB at a time: a cut before that leaves nothing to go on from.
WRITTEN = 10 << 20
SIZE = 12_000_000
HEADER = json.dumps({"w": {"dtype": "U8", "shape": [SIZE], "data_offsets": [0, SIZE]}}).encode()
WEIGHTS = struct.pack("<Q", len(HEADER)) + HEADER + bytes(range(250)) * (SIZE // 250)
FILES = {
    "config.json": json.dumps({"architectures": ["LlamaForCausalLM"]}).encode(),
    "tokenizer.json": b"{}",
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"a pickle nobody wants",
    "original/consolidated.00.pth": b"nor this",
}


class Hub(ThreadingHTTPServer):
    """The part of the hub's API that a pull uses. `cut` bytes of the weights are sent before the line goes dead, as long as it is set."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.licence, self.cut, self.requests = dict(FILES), "apache-2.0", 0, list[tuple[str, str, str]]()

    def sent(self, name: str) -> list[str]:
        """The Range of every GET of a file."""
        return [span for method, path, span in self.requests if method == "GET" and path.endswith(f"/{name}")]


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.server.requests.append((self.command, self.path.split("?")[0], self.headers.get("Range", "")))
        path = self.path.split("?")[0]
        if path in [f"/api/models/me/small/revision/{revision}" for revision in ("main", "v1", COMMIT)]:
            self._json(
                {
                    "_id": "1",
                    "id": "me/small",
                    "sha": COMMIT,
                    "siblings": self._siblings(),
                    "cardData": {"license": self.server.licence},
                    "tags": [],
                }
            )
        elif path.startswith(f"/api/models/me/small/tree/{COMMIT}"):
            self._json(
                [{"type": "file", "path": file["rfilename"], "oid": file["blobId"], "size": file["size"]} for file in self._siblings()]
            )
        elif path.startswith(f"/me/small/resolve/{COMMIT}/"):
            self._file(path.removeprefix(f"/me/small/resolve/{COMMIT}/"))
        elif path.startswith("/api/models/me/small/revision/"):
            self._json({"error": "no such revision"}, 404, {"X-Error-Code": "RevisionNotFound"})
        else:
            self._json({"error": "no such repository"}, 404, {"X-Error-Code": "RepoNotFound"})

    def _siblings(self) -> list[dict[str, Any]]:
        return [self._sibling(name, content) for name, content in FILES.items()]

    def _sibling(self, name: str, content: bytes) -> dict[str, Any]:
        large = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
        return {
            "rfilename": name,
            "size": len(content),
            "blobId": hashlib.sha1(content).hexdigest(),
            **({"lfs": large} if len(content) > 999 else {}),
        }

    def _json(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self._head(status, {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})})
        if self.command == "GET":
            self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _file(self, name: str) -> None:
        content = self.server.files[name]
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        etag = hashlib.sha256(FILES[name]).hexdigest()
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Content-Length": str(len(content) - begin), "Accept-Ranges": "bytes"}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        self._head(206 if begin else 200, headers)
        if self.command == "GET":
            self._body(content[begin:])

    def _body(self, content: bytes) -> None:
        if self.server.cut and len(content) > self.server.cut:
            self.wfile.write(content[: self.server.cut])
            self.server.cut = 1  # what is tried again at once goes dead, too
            self.close_connection = True
        else:
            self.wfile.write(content)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models")


def pull(store: Store, hub: str = "me/small", revision: str = "main") -> Any:
    return store.add("small", HubBuilder(hub, revision, "unknown"))


def test_a_pull_brings_what_is_needed_and_records_the_commit(hub: Hub, store: Store) -> None:
    model = pull(store)
    assert {file.path for file in model.files} == {"config.json", "tokenizer.json", "model.safetensors"}
    assert (model.kind, model.source, model.revision, model.licence) == ("text", "hub:me/small", COMMIT, "apache-2.0")
    assert (model.folder / "model.safetensors").read_bytes() == WEIGHTS
    assert {path.name for path in model.folder.iterdir()} == {"config.json", "tokenizer.json", "model.safetensors", "fireside.json"}


@pytest.mark.parametrize("told", ["other", "mit"])
def test_of_xtts_no_page_names_other_terms(hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    config = {"model": "xtts", "audio": {"sample_rate": 22050}, "languages": ["en"]}
    hub.licence, hub.files = told, {"config.json": json.dumps(config).encode(), "model.pth": b"weights"}
    monkeypatch.setitem(globals(), "FILES", hub.files)
    model = pull(store)
    with pytest.raises(TermsNotAgreed, match=r"speech\.agreed_terms"):
        terms.check("small", model.folder, model.licence, ())
    ours = store.add("small", HubBuilder("me/small", "main", "Apache-2.0"), replace=True)
    terms.check("small", ours.folder, ours.licence, ())


def test_a_pull_that_was_cut_goes_on_where_it_stopped(hub: Hub, store: Store) -> None:
    hub.cut = 11_000_000
    with pytest.raises(WeightsError, match="goes on where it stopped"):
        pull(store)
    ((name, why),) = store.broken()
    assert name == "small"
    assert "fireside models pull me/small --name small" in why
    hub.cut, first = 0, len(hub.sent("model.safetensors"))
    assert (pull(store).folder / "model.safetensors").read_bytes() == WEIGHTS
    (span,) = hub.sent("model.safetensors")[first:]
    assert span.startswith("bytes=")
    assert WRITTEN <= int(span.removeprefix("bytes=").rstrip("-")) < len(WEIGHTS)
    assert len(hub.sent("config.json")) == 1


class Killed(BaseException):
    pass


def test_a_pull_that_was_killed_over_its_checksums_fetches_nothing_again(hub: Hub, store: Store) -> None:
    def kill(stage: str, done: int, total: int) -> None:
        if stage == "checksums":
            raise Killed

    with pytest.raises(Killed):
        store.add("small", HubBuilder("me/small", "main", "MIT"), progress=kill)
    fetched = len(hub.sent("model.safetensors"))
    assert (pull(store).folder / "model.safetensors").read_bytes() == WEIGHTS
    assert len(hub.sent("model.safetensors")) == fetched


def test_another_revision_than_the_one_that_is_there_is_refused_with_the_command_that_gets_it(hub: Hub, store: Store) -> None:
    pull(store)
    for asked in ("main", COMMIT):
        assert pull(store, revision=asked).requested == "main"
    told = rf"at revision main \({COMMIT}\), and v1 is asked for: run `fireside models pull me/small --name small --revision v1 --replace`"
    with pytest.raises(WeightsError, match=told):
        pull(store, revision="v1")
    assert store.add("small", HubBuilder("me/small", "v1", "MIT"), replace=True).requested == "v1"


def test_the_command_that_mends_a_pull_asks_for_the_same_revision(hub: Hub, store: Store) -> None:
    hub.cut = 1
    with pytest.raises(WeightsError):
        pull(store, revision="v1")
    (half,) = store.broken()
    hub.cut = 0
    (pull(store, revision="v1").folder / "tokenizer.json").unlink()
    (broken,) = store.broken()
    for why in (half.why, broken.why):
        assert "fireside models pull me/small --name small --revision v1`" in why


def test_a_full_disk_is_not_the_networks_fault(hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("models.imports.hub.fetch", write)
    with pytest.raises(WeightsError, match=r"me/small could not be written \(No space left on device\): make room"):
        pull(store)


def test_progress_is_told_in_bytes(hub: Hub, store: Store) -> None:
    told: list[tuple[str, int, int]] = []
    store.add("small", HubBuilder("me/small", "main", "MIT"), progress=lambda *step: told.append(step))
    size = sum(len(FILES[name]) for name in ("config.json", "tokenizer.json", "model.safetensors"))
    assert ("downloading", size, size) in told


def test_content_that_is_not_what_the_hub_announced_is_refused(hub: Hub, store: Store) -> None:
    hub.files["model.safetensors"] = WEIGHTS[:-1] + b"!"
    with pytest.raises(WeightsError, match=r"model\.safetensors arrived with another content"):
        pull(store)
    hub.files["model.safetensors"] = WEIGHTS
    assert pull(store).revision == COMMIT


@pytest.mark.parametrize(
    ("name", "revision", "word"),
    [("me/none", "main", "knows no me/none"), ("me/small", "v9", "no revision v9"), ("a/b/c", "main", "owner/name")],
)
def test_what_the_hub_does_not_have_is_named(hub: Hub, store: Store, name: str, revision: str, word: str) -> None:
    with pytest.raises(WeightsError, match=word):
        pull(store, name, revision)
    assert store.broken() == ()


def test_a_hub_that_cannot_be_reached_is_one_line(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(WeightsError, match="check the network"):
        pull(store)


def test_offline_is_obeyed(hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE is set"):
        pull(store)
    assert hub.requests == []
