// On the audio thread: what the microphone hears, as pieces of 20 ms at the rate that travels.

import {RATE} from "./pcm.js";
import {Resampler} from "./resampler.js";

const PIECE = RATE / 50;

class Capture extends AudioWorkletProcessor {
  #resampler = sampleRate === RATE ? {feed: (samples) => samples} : new Resampler(sampleRate, RATE);
  #piece = new Float32Array(PIECE);
  #filled = 0;

  process([[samples]]) {
    if (samples) for (const sample of this.#resampler.feed(samples)) this.#take(sample);
    return true;
  }

  #take(sample) {
    this.#piece[this.#filled++] = sample;
    if (this.#filled < PIECE) return;
    this.port.postMessage(this.#piece.slice());
    this.#filled = 0;
  }
}

registerProcessor("capture", Capture);
