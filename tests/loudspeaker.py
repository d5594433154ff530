"""What a page plays, recorded between it and the loudspeaker: what a person would hear, after every fade and change of volume."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

RATE = 24000
# Whatever is connected to the loudspeaker is connected to the recorder, too. It is none of the audio thread's: the page's policy lets no
# module in but the page's own. Its pieces are long, so that a busy page loses none.
RECORDER = """
window.pieces = [];
const connect = AudioNode.prototype.connect;
const recorder = (to) => {
  const made = to.context.createScriptProcessor(16384, 1, 1);
  made.onaudioprocess = ({inputBuffer}) => window.pieces.push(inputBuffer.getChannelData(0).slice());
  connect.call(made, to);
  return made;
};
AudioNode.prototype.connect = function (to, ...more) {
  if (to instanceof AudioDestinationNode) connect.call(this, to.recorder ??= recorder(to));
  return connect.call(this, to, ...more);
};
"""
NEXT = "count => window.pieces.length > count + 1"
PLAYED = """() => {
  const samples = Int16Array.from(window.pieces.flatMap((piece) => [...piece]), (at) => Math.max(-1, Math.min(1, at)) * 32767);
  return btoa(Array.from(new Uint8Array(samples.buffer), (byte) => String.fromCharCode(byte)).join(""));
}"""


class Loudspeaker:
    """Of a page that is not opened yet."""

    def __init__(self, page: Any) -> None:
        self.page = page
        page.add_init_script(RECORDER)

    def played(self) -> np.ndarray:
        """int16 at 24 kHz: all that was played until now, and the silence between it."""
        self.page.wait_for_function(NEXT, arg=self.page.evaluate("window.pieces.length"))
        return np.frombuffer(base64.b64decode(self.page.evaluate(PLAYED)), "<i2")

    def levels(self, seconds: float) -> np.ndarray:
        """How loud each such piece of it is, 0 to 1."""
        size = round(seconds * RATE)
        played = self.played().astype(np.float64) / 32768
        return np.asarray(np.sqrt(np.mean(played[: len(played) // size * size].reshape(-1, size) ** 2, axis=1)))
