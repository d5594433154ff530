"""Faster or slower at the same pitch, by FFmpeg, for models that know one pace only."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np

from models.speech.sentence import Samples

# What one filter can do; more takes two.
_SLOWEST = 0.5


def stretched(samples: Samples, rate: int, speed: float) -> Samples:
    if speed == 1 or not len(samples):
        return samples
    if speed < _SLOWEST:
        return stretched(stretched(samples, rate, _SLOWEST), rate, speed / _SLOWEST)
    graph = av.filter.Graph()
    source = graph.add_abuffer(format="flt", sample_rate=rate, layout="mono")
    tempo, sink = graph.add("atempo", str(speed)), graph.add("abuffersink")
    source.link_to(tempo)
    tempo.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="flt", layout="mono")
    frame.rate = rate
    graph.push(frame)
    graph.push(None)
    return np.concatenate(list(_pulled(graph)))


def _pulled(graph: av.filter.Graph) -> Iterator[Samples]:
    while True:
        try:
            yield graph.pull().to_ndarray()[0]
        except (av.EOFError, av.BlockingIOError):
            return
