"""Models by Coqui's own names, from a local imitation of where Coqui publishes them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from TTS.utils.manage import ModelManager

from models.errors import WeightsError
from models.imports.coqui import CoquiBuilder
from models.store import Store, coqui_slug
from models.terms import CPML_TEXT

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]
NAME = "tts_models/en/vctk/vits"


def archive() -> bytes:
    config = {"model": "vits", "audio": {"sample_rate": 22050}, "use_speaker_embedding": True, "speakers_file": "speaker_ids.json"}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("vits/", "")
        file.writestr("vits/config.json", json.dumps(config))
        file.writestr("vits/speaker_ids.json", json.dumps({"p225": 0, "p226": 1}))
        file.writestr("vits/model_file.pth", b"weights")
    return content.getvalue()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        body = archive() if self.path == "/vits.zip" else b"not a zip"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def item(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What Coqui's list says of the model; the tests change it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        entry = {"github_rls_url": f"http://127.0.0.1:{server.server_port}/vits.zip", "license": "apache 2.0"}
        monkeypatch.setattr(ModelManager, "_set_model_item", lambda self, name: (entry, coqui_slug(name), "vits"))
        monkeypatch.delenv("COQUI_TOS_AGREED", raising=False)
        yield entry
        server.shutdown()
        thread.join()


def test_a_pulled_voice_stands_on_its_own(item: dict[str, Any], tmp_path: Path) -> None:
    store = Store(tmp_path)
    model = store.add(str(coqui_slug(NAME)), CoquiBuilder(NAME, "unknown"))
    assert (model.kind, model.source, model.licence) == ("speech", f"coqui:{NAME}", "Apache-2.0")
    assert model.details["speakers"] == ["p225", "p226"]
    assert [file.path for file in model.files] == ["config.json", "model.pth", "speaker_ids.json"]
    assert store.path(NAME) == model.folder


def test_the_vocoder_that_coqui_speaks_with_comes_too(item: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vocoder = dict(item)
    item["default_vocoder"] = "vocoder_models/en/ljspeech/hifigan_v2"
    monkeypatch.setattr(ModelManager, "_set_model_item", lambda self, name: (vocoder if name.startswith("vocoder") else item, "", ""))
    model = Store(tmp_path).add("voice", CoquiBuilder(NAME, "unknown"))
    assert {"model.pth", "vocoder/config.json", "vocoder/model.pth"} <= {file.path for file in model.files}


def test_terms_are_asked_for_and_a_no_is_obeyed(item: dict[str, Any], tmp_path: Path) -> None:
    item["tos_required"] = True
    asked: list[str] = []
    store = Store(tmp_path)
    with pytest.raises(WeightsError, match="terms that you have to agree to"):
        store.add("voice", CoquiBuilder(NAME, "unknown"))
    with pytest.raises(WeightsError, match="terms"):
        store.add("voice", CoquiBuilder(NAME, "unknown", lambda terms: bool(asked.append(terms))))
    assert asked == [CPML_TEXT]
    assert store.add("voice", CoquiBuilder(NAME, "unknown", lambda terms: True)).kind == "speech"


def test_what_is_no_archive_is_one_line_and_leaves_nothing(item: dict[str, Any], tmp_path: Path) -> None:
    item["github_rls_url"] = item["github_rls_url"].replace("vits.zip", "none.zip")
    with pytest.raises(WeightsError, match="could not be fetched"):
        Store(tmp_path).add("voice", CoquiBuilder(NAME, "unknown"))
    assert Store(tmp_path).broken() == ()


def test_a_name_that_coqui_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="Coqui knows no tts_models/en/vctk/none"):
        Store(tmp_path).add("voice", CoquiBuilder("tts_models/en/vctk/none", "unknown"))
    with pytest.raises(WeightsError, match="no Coqui name"):
        Store(tmp_path).add("voice", CoquiBuilder("en/vctk", "unknown"))
