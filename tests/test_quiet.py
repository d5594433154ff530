"""Nothing calls out, whatever the environment says: what is set, and what comes of it."""

from __future__ import annotations

import os
import socket
from typing import Any

import psutil
import pytest
import yaml

from models import quiet
from models.text import vllm
from settings import Text
from tests.servers import ROOT, serve
from tests.watching import TALKATIVE, outside


def test_what_the_environment_asks_for_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (dict.fromkeys(quiet.QUIET, "") | TALKATIVE).items():
        monkeypatch.setenv(name, value)
    quiet.quiet()
    assert {name: os.environ[name] for name in quiet.QUIET} == quiet.QUIET


@pytest.mark.parametrize(("args", "address"), [({}, "127.0.0.1"), ({"distributed_executor_backend": "ray"}, None), ({"nnodes": 2}, None)])
def test_vllm_looks_for_this_machine_s_address_only_among_others(
    monkeypatch: pytest.MonkeyPatch, args: dict[str, Any], address: str | None
) -> None:
    monkeypatch.setattr(os, "environ", {})
    vllm.set_environment(Text(engine="vllm", model="small", args=args))
    assert os.environ.get("VLLM_HOST_IP") == address


def test_a_server_and_its_workers_call_nobody() -> None:
    """A proxy that waits for them hears nothing: not of BentoML's start, which `bentoml serve` would report to its makers."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        way = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        with serve("mock", **TALKATIVE, HTTPS_PROXY=way, HTTP_PROXY=way, ALL_PROXY=way, NO_PROXY="127.0.0.1") as server:
            family = psutil.Process(server.process.pid).children(recursive=True)
            worker = next(one for one in family if "models.speech.worker" in one.cmdline())
            assert quiet.QUIET.items() <= worker.environ().items()
            assert server.stop() == 0
        with pytest.raises(BlockingIOError):
            proxy.accept()


def test_the_images_send_no_telemetry_either() -> None:
    bento = {entry["name"]: entry["value"] for entry in yaml.safe_load((ROOT / "bentofile.yaml").read_text())["envs"]}
    assert quiet.NO_TELEMETRY.items() <= bento.items()
    dockerfile = (ROOT / "Dockerfile.gpu").read_text()
    for name, value in quiet.NO_TELEMETRY.items():
        assert f" {name}={value} " in dockerfile


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ('connect(7, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("10.0.0.2")}, 16) = -1 ENETUNREACH', {"10.0.0.2 port 53"}),
        ('connect(7, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.11")}, 16) = 0', {"127.0.0.11 port 53"}),
        ('connect(7, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("127.0.0.1")}, 16 <unfinished ...>', set()),
        (
            "sendto(9, ..., 0, {sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), "
            'inet_pton(AF_INET6, "2001:db8::8", &sin6_addr), sin6_scope_id=0}, 28) = -1 ENETUNREACH',
            {"2001:db8::8 port 80"},
        ),
        ('connect(7, {sa_family=AF_INET6, sin6_port=htons(1), inet_pton(AF_INET6, "::ffff:127.0.0.1", &sin6_addr)}, 28) = 0', set()),
        ('connect(7, {sa_family=AF_INET6, sin6_port=htons(1), inet_pton(AF_INET6, "::1", &sin6_addr)}, 28) = 0', set()),
        ('connect(8, {sa_family=AF_UNIX, sun_path="/tmp/engine"}, 110) = 0', set()),
    ],
)
def test_what_leaves_the_machine_is_found_in_strace_s_record(call: str, expected: set[str]) -> None:
    assert outside(f"4711  {call}\n") == expected
