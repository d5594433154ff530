"""What stands beside `make serve` and says when the server is ready, or why it is not."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx

from tests.servers import ROOT, Server, free_port, serve


def beside(port: int, **more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "scripts.when_ready", "mock", str(port)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **more}, stderr=subprocess.PIPE, text=True)


def test_it_says_when_the_server_is_ready_with_three_commands_whatever_proxy_there_is() -> None:
    with beside(port := free_port(), http_proxy=f"http://127.0.0.1:{free_port()}", no_proxy="") as script, serve("mock", port=port):
        _, said = script.communicate(timeout=60)
    assert script.returncode == 0
    assert said.count("\n  curl ") == 3
    assert f"ready at http://127.0.0.1:{port}" in said


def test_it_looks_where_the_server_listens() -> None:
    listens = {"FIRESIDE_SERVER__HOST": "127.0.0.2"}
    with beside(port := free_port(), **listens) as script, serve("mock", host="127.0.0.2", port=port, **listens):
        _, said = script.communicate(timeout=60)
    assert script.returncode == 0
    assert f"ready at http://127.0.0.2:{port}" in said


def test_a_server_that_asks_for_keys_is_told_of_too() -> None:
    key = "a-key-that-is-long-enough"
    keys = json.dumps({"me": {"hash": "sha256:" + hashlib.sha256(key.encode()).hexdigest(), "scopes": ["admin"]}})
    slow = {"FIRESIDE_TEXT__MOCK__LOAD_SECONDS": "3", "FIRESIDE_ACCESS__KEYS": keys}
    with beside(port := free_port()) as script, serve("mock", port=port, **slow) as server:
        _, said = script.communicate(timeout=60)
        told = httpx.get(f"{server.url}/metrics", headers={"x-api-key": key}).text
    assert script.returncode == 0
    assert said.count("-H 'Authorization: Bearer YOUR_KEY'") == 3
    refused = [line for line in told.splitlines() if line.startswith("fireside_refused_total")]
    assert sum(float(line.rsplit(" ")[1]) for line in refused) < 4  # however often it looked


def test_it_says_which_engine_has_failed_and_why(tmp_path: Path) -> None:
    missing = {"FIRESIDE_SPEECH__ENGINE": "coqui", "FIRESIDE_SPEECH__MODELS": '["ann"]', "FIRESIDE_HOME": str(tmp_path)}
    with beside(port := free_port()) as script, serve("mock", port=port, wait="/livez", **missing) as server:
        _, said = script.communicate(timeout=60)
        status = server.get("/v1/status").json()
    assert script.returncode == 1
    assert "speech has failed" in said
    assert "fireside models pull ann" in said
    assert status["ready"] is False
    assert status["engines"]["speech"]["state"] == "failed"


def test_a_port_that_is_taken_is_not_taken_for_ready(server: Server) -> None:
    with beside(int(server.url.rpartition(":")[2])) as script:
        _, said = script.communicate(timeout=60)
    assert script.returncode == 1
    assert "is taken" in said
    assert "ready at" not in said
