"""No dependency may call out while serving, whatever the environment says."""

from __future__ import annotations

import os

NO_TELEMETRY = {
    "BENTOML_DO_NOT_TRACK": "True",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    # Its builds for Linux report to Microsoft too, from threads of their own; disable_telemetry_events() does not stop them.
    "ORT_DISABLE_TELEMETRY": "1",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_TRACES_EXPORTER": "none",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "VLLM_DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1",
}
"""The images set it too. Coqui, its trainer and Whisper have none to turn off."""
OFFLINE = {
    # vLLM asks this address whether kernels could be had from there: one that cannot be asked answers at once, and no.
    "FLASHINFER_CUBINS_REPOSITORY": "offline://",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_OFFLINE": "1",
    # EngineCore sends spans wherever the environment points. Ours go to traces.endpoint, vLLM's to text.args.otlp_traces_endpoint.
    "OTEL_EXPORTER_OTLP_ENDPOINT": "",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_USE_MODELSCOPE": "False",
}
QUIET = NO_TELEMETRY | OFFLINE


def quiet() -> None:
    os.environ.update(QUIET)
