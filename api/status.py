"""GET /v1/status: each engine's life and load, and the machine's memory, for people and for what waits until the server is ready."""

from __future__ import annotations

from time import monotonic
from typing import Any

from fastapi import APIRouter

from api import metrics, release
from api.metrics import CountedRoute
from api.runtime import Runtime
from models.base import Load
from models.host import Failure


def router(runtime: Runtime) -> APIRouter:
    routes = APIRouter(route_class=CountedRoute)

    @routes.get("/v1/status")
    async def status() -> dict[str, Any]:
        return {
            "ready": runtime.ready(),
            "version": release.VERSION,
            "uptime": round(release.uptime(), 1),
            "engines": _engines(runtime),
            "sockets": {route: count for route, count in metrics.open_sockets.items() if count},
            "machine": await runtime.machine.read(),
        }

    return routes


def _engines(runtime: Runtime) -> dict[str, dict[str, Any]]:
    loads = {kind: load for kind, _, load in runtime.loads()}
    limits = _limits(runtime)
    return {kind: _engine(kind, host, loads.get(kind, Load())) | {"limits": limits[kind]} for kind, host in runtime.hosts()}


def _engine(kind: str, host: Any, load: Load) -> dict[str, Any]:
    state = {"state": host.status.state, "detail": host.status.detail, "seconds": round(monotonic() - host.status.since, 1)}
    life = {"restarts": host.restarted, "last_failure": _failure(host.failure)}
    return {"kind": kind, "name": host.engine.name, **state, "running": load.running, "waiting": load.waiting, **life}


def _failure(failure: Failure | None) -> dict[str, Any] | None:
    return None if failure is None else {"why": failure.why, "seconds_ago": round(monotonic() - failure.at, 1)}


_VLLM = frozenset({"max_model_len", "max_num_queued_reqs", "max_num_seqs"})


def _limits(runtime: Runtime) -> dict[str, dict[str, Any]]:
    """What may run and wait. vLLM has limits of its own besides: those that it was given."""
    text, speech, listening = runtime.settings.text, runtime.settings.speech, runtime.settings.listening
    vllm = {name: value for name, value in text.args.items() if name in _VLLM}
    return {
        "text": {"running": text.most_running, "waiting": text.max_waiting, **vllm},
        "speech": {"running": speech.concurrency, "waiting": speech.max_waiting, "max_chars": speech.max_chars},
        "listening": {"waiting": listening.max_waiting, "max_seconds": listening.max_seconds, "max_bytes": listening.max_bytes},
    }
