"""Writes vllm_shapes.json from a running vLLM server: python -m tests.contract.record BASE_URL MODEL

python -m vllm.entrypoints.openai.api_server --model MODEL_FOLDER --max-model-len 2048 --max-num-seqs 32 --enforce-eager
    --dtype bfloat16 --enable-auto-tool-choice --tool-call-parser hermes
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import httpx

from tests.contract.cases import ANSWERS, ERRORS, READS, STREAMS, Case
from tests.contract.shapes import SHAPES, body_of, error, shape, stream_shape


def post(client: httpx.Client, case: Case, model: str) -> httpx.Response:
    return client.post(case[0], content=body_of(case, model), headers={"content-type": "application/json"})


def recorded(client: httpx.Client, model: str) -> Iterator[tuple[str, dict[str, Any]]]:
    version = client.get("/version").json()["version"]
    yield "source", {"vllm": version}
    yield "reads", {path: shape(client.get(path).raise_for_status().json()) for path in READS}
    yield "answers", {name: shape(post(client, case, model).raise_for_status().json()) for name, case in ANSWERS.items()}
    yield "streams", {name: stream_shape(post(client, case, model).raise_for_status().text) for name, case in STREAMS.items()}
    yield "errors", {name: error(post(client, case, model), model) for name, case in ERRORS.items()}


def main() -> None:
    base_url, model = sys.argv[1:]
    with httpx.Client(base_url=base_url, timeout=120) as client:
        SHAPES.write_text(json.dumps(dict(recorded(client, model)), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
