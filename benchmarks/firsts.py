"""What the first request of each kind holds up: the longest gap of a stream that runs beside it, and the same at the second.

vLLM compiles and loads much only when it is first asked for it, and every stream waits meanwhile. Each server starts with an empty cache
for what torch compiles: vLLM's own, Fireside, and Fireside where torch compiles, as it does on a GPU and the cpu profile spares it.

The profile's weights must be there: `fireside models prepare --profile cpu` first.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import httpx

import settings as configuration
from benchmarks import recipes
from benchmarks.processes import Recipe, Server, running, say
from benchmarks.results import Report, Table, Target

LIMIT = 3.0
COMPILES = "TORCH_COMPILE_DISABLE"
BESIDE = {"max_tokens": 1500, "ignore_eos": True, "stream": True}
OBJECT = {"type": "object", "properties": {"city": {"type": "string"}}}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "sampled": {"temperature": 1, "top_p": 0.9, "top_k": 20},
    "seeded": {"temperature": 1, "seed": 3},
    "two answers": {"temperature": 1, "n": 2},
    "penalties": {"presence_penalty": 0.5, "frequency_penalty": 0.5, "repetition_penalty": 1.2},
    "words barred and favoured": {"logit_bias": {"5": 1}, "bad_words": ["hello"]},
    "logprobs": {"logprobs": True, "top_logprobs": 2},
    "logprobs of the prompt": {"prompt_logprobs": 1},
    "JSON": {"response_format": {"type": "json_object"}},
    "a schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": OBJECT}}},
    "a pattern": {"structured_outputs": {"regex": "[ab]+"}},
    "a tool": {"tool_choice": "required", "tools": [{"type": "function", "function": {"name": "weather", "parameters": OBJECT}}]},
}


@dataclass
class Held:
    """Of one kind, in seconds: the longest gap of the stream beside its first request, and beside its second."""

    first: float
    second: float


class Beside:
    """Streams, one after the other, and the longest time that nothing came of them."""

    def __init__(self, http: httpx.AsyncClient, model: str) -> None:
        self._http = http
        self._body = {"model": model, "prompt": "Count:", **BESIDE}
        self._last = perf_counter()
        self._longest = 0.0
        self.flows = asyncio.Event()

    async def run(self) -> None:
        while True:
            async with self._http.stream("POST", "/v1/completions", json=self._body) as answer:
                answer.raise_for_status()
                async with aclosing(answer.aiter_lines()) as lines:
                    async for _ in lines:
                        self._came()

    @contextmanager
    def watched(self) -> Iterator[list[float]]:
        """Gets the longest gap meanwhile, which may not be over at its end."""
        found: list[float] = []
        self._longest, self._last = 0.0, perf_counter()
        yield found
        self._came()
        found.append(self._longest)

    def _came(self) -> None:
        now = perf_counter()
        self._longest, self._last = max(self._longest, now - self._last), now
        self.flows.set()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.firsts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="cpu", help="whose model, arguments and environment (default cpu)")
    profile = recipes.variant(parser.parse_args().profile, {"speech": {"engine": "none"}, "listening": {"engine": "none"}})
    settings = configuration.load(profile)
    servers = [_compiling(recipes.vllm(settings)), recipes.fireside(profile), _compiling(recipes.fireside(profile))]
    servers[-1] = replace(servers[-1], name="Fireside, compiling")
    held = {}
    for recipe in servers:
        with running(recipe) as server:
            held[server.name] = asyncio.run(_measure(server, recipes.text_model(settings)))
    report(held).publish()


def _compiling(recipe: Recipe) -> Recipe:
    return replace(recipe, env={**recipe.env, COMPILES: "0"})


async def _measure(server: Server, model: str) -> dict[str, Held]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=300) as http:
        beside = Beside(http, model)
        running_beside = asyncio.create_task(beside.run())
        await asyncio.wait({running_beside, asyncio.create_task(beside.flows.wait())}, return_when=asyncio.FIRST_COMPLETED)
        try:
            return {kind: await _twice(http, beside, model, kind) for kind in KINDS}
        finally:
            running_beside.cancel()


async def _twice(http: httpx.AsyncClient, beside: Beside, model: str, kind: str) -> Held:
    asked = {"model": model, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 5, **KINDS[kind]}
    gaps: list[float] = []
    for _ in range(2):
        with beside.watched() as gap:
            (await http.post("/v1/chat/completions", json=asked)).raise_for_status()
        gaps += gap
    say(f"{kind}: {gaps[0]:.2f} s, then {gaps[1]:.2f} s")
    return Held(*gaps)


def report(held: dict[str, dict[str, Held]]) -> Report:
    worst = {name: max(kinds.items(), key=lambda kind: kind[1].first / kind[1].second) for name, kinds in held.items()}
    targets = [
        Target(
            f"{name}: gap at the first over gap at the second, the worst kind",
            f"≤ {LIMIT:g}",
            _told(kind, one),
            one.first / one.second <= LIMIT,
        )
        for name, (kind, one) in worst.items()
        if name.startswith("Fireside")
    ]
    rows = [(kind, *(seconds for name in held for seconds in (held[name][kind].first, held[name][kind].second))) for kind in KINDS]
    columns = ["kind", *(f"{name}, {which} (s)" for name in held for which in ("first", "second"))]
    return Report(
        name="firsts",
        title="What the first request of each kind holds up",
        method=__doc__ or "",
        tables=[Table("The longest gap of a stream beside it", columns, rows)],
        targets=targets,
    )


def _told(kind: str, one: Held) -> str:
    return f"{one.first / one.second:.2f} ({kind})"


if __name__ == "__main__":
    main()
