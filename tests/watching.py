"""Where a process and all below it tried to connect or to send to: strace's record of it, read."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
from pathlib import Path

import pytest

# What an environment may say to have dependencies call out. The addresses are for documentation, and lead nowhere.
TALKATIVE = {
    "BENTOML_DO_NOT_TRACK": "False",
    "DO_NOT_TRACK": "0",
    "HF_HUB_DISABLE_TELEMETRY": "0",
    "HF_HUB_OFFLINE": "0",
    "ORT_DISABLE_TELEMETRY": "0",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://192.0.2.2:4317",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://192.0.2.3:4317",
    "OTEL_TRACES_EXPORTER": "otlp",
    "TRANSFORMERS_OFFLINE": "0",
    "VLLM_DO_NOT_TRACK": "0",
    "VLLM_NO_USAGE_STATS": "0",
    "VLLM_USAGE_STATS_SERVER": "http://192.0.2.4",
}
_ADDRESS = re.compile(r'htons\((\d+)\).*?(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]+)"')
_DNS = 53


def watched(record: Path) -> list[str]:
    """In front of a command. The kernel's own filter stops a process at these calls only, so it is about as fast as alone."""
    if not shutil.which("strace"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no strace here: `apt-get install strace`")
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    return ["strace", "--follow-forks", "--seccomp-bpf", "-qq", "-s", "0", "-e", calls, "-e", "signal=none", "-o", str(record)]


def outside(record: str) -> set[str]:
    """Every address that is not loopback, and every question for a name, even to a resolver on loopback."""
    return {where for line in record.splitlines() for where in _outside(line)}


def _outside(line: str) -> list[str]:
    if "/resolve/" in line:  # systemd's resolver listens on a path
        return [line]
    if "sa_family=AF_INET" in line and not _ADDRESS.search(line):
        raise AssertionError(f"expected an address in strace's line, got {line!r}")
    return [f"{address} port {port}" for port, address in _ADDRESS.findall(line) if _leaves(address, int(port))]


def _leaves(address: str, port: int) -> bool:
    where = ipaddress.ip_address(address)
    where = getattr(where, "ipv4_mapped", None) or where
    return port == _DNS or not (where.is_loopback or where.is_unspecified)
