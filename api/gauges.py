"""What the engines, the sockets and the machine are doing at the moment of the scrape."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from api import metrics
from api.release import STARTED_AT, VERSION
from api.runtime import Runtime


class Gauges(Collector):
    def __init__(self, runtime: Runtime, machine: dict[str, Any]) -> None:
        """`machine` as api/machine.py reads it."""
        self.runtime = runtime
        self.machine = machine

    def collect(self) -> Iterator[Metric]:
        yield from self._engines()
        yield from self._restarts()
        yield from self._memory()
        sockets = GaugeMetricFamily("fireside_open_sockets", "Sockets that are open", labels=["route"])
        for route, count in metrics.open_sockets.items():
            sockets.add_metric([route], count)
        yield sockets
        yield GaugeMetricFamily("fireside_tasks", "Tasks of the server's event loop", value=len(asyncio.all_tasks()))
        yield GaugeMetricFamily("fireside_start_time_seconds", "When the server was started, in seconds of the epoch", value=STARTED_AT)
        about = GaugeMetricFamily("fireside_info", "1, with what serves", labels=["version"])
        about.add_metric([VERSION], 1)
        yield about

    def _engines(self) -> Iterator[Metric]:
        ready = GaugeMetricFamily("fireside_engine_ready", "1 when the engine is loaded, warm and alive", labels=["engine"])
        running = GaugeMetricFamily(
            "fireside_running", "Requests (text), sentences (speech) or recordings (listening) in the engine", labels=["engine"]
        )
        waiting = GaugeMetricFamily(
            "fireside_waiting", "Requests (text), sentences (speech) or recordings (listening) that wait for it", labels=["engine"]
        )
        for kind, is_ready, load in self.runtime.loads():
            ready.add_metric([kind], float(is_ready))
            running.add_metric([kind], load.running)
            waiting.add_metric([kind], load.waiting)
        yield from (ready, running, waiting)

    def _restarts(self) -> Iterator[Metric]:
        restarts = CounterMetricFamily("fireside_engine_restarts", "Times that the engine was loaded again", labels=["engine"])
        for kind, host in self.runtime.hosts():
            restarts.add_metric([kind], host.restarted)
        yield restarts

    def _memory(self) -> Iterator[Metric]:
        used = GaugeMetricFamily(
            "fireside_memory_used_bytes", "Memory that the server's processes have, or that is taken of a GPU", labels=["device"]
        )
        total = GaugeMetricFamily("fireside_memory_total_bytes", "Memory that the machine or the GPU has", labels=["device"])
        gpus = {f"gpu{number}": gpu for number, gpu in enumerate(self.machine["gpus"])}
        for device, memory in {"ram": self.machine["memory"], **gpus}.items():
            used.add_metric([device], memory["used"])
            total.add_metric([device], memory["total"])
        yield from (used, total)


async def gauges(runtime: Runtime) -> str:
    """In Prometheus' text format, read now: BentoML's multi-process metrics only know what was set before."""
    registry = CollectorRegistry()
    registry.register(Gauges(runtime, await runtime.machine.read()))
    return generate_latest(registry).decode()
