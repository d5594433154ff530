"""silero-vad on onnxruntime, window by window. Source: snakers4/silero-vad, utils_vad.py, OnnxWrapper, which does the same with torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.base import LISTENING_RATE, WINDOW
from models.imports.package import locate

_CONTEXT = 64
"""Samples of the window before that the model sees again."""


class Silero:
    """One model for all streams; each `stream` has its own state."""

    def __init__(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        path = locate("silero_vad", "data/silero_vad.onnx")
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def stream(self) -> Callable[[NDArray[np.float32]], float]:
        return Stream(self._session)


class Stream:
    def __init__(self, session: Any) -> None:
        self._session = session
        self._rate = np.array(LISTENING_RATE, np.int64)
        self._state = np.zeros((2, 1, 128), np.float32)
        self._audio = np.zeros((1, _CONTEXT + WINDOW), np.float32)

    def __call__(self, window: NDArray[np.float32]) -> float:
        self._audio[0, :_CONTEXT] = self._audio[0, -_CONTEXT:]
        self._audio[0, _CONTEXT:] = window
        given = {"input": self._audio, "state": self._state, "sr": self._rate}
        probability, self._state = self._session.run(None, given)
        return float(probability[0, 0])
