// Samples at one rate out of samples at another, piece by piece: a windowed sinc, its weights laid out once for each phase.

const LOBES = 12;

export class Resampler {
  #phases;
  #reach;
  #from;
  #to;
  #kept; // the samples before the next output, and after it, that it depends on
  #at = 0; // of the next output, in input samples * to

  constructor(from, to) {
    const shared = divisor(from, to);
    [this.#from, this.#to] = [from / shared, to / shared];
    const cutoff = Math.min(1, to / from);
    this.#reach = Math.ceil(LOBES / cutoff);
    this.#phases = Array.from({length: this.#to}, (_, phase) => weights(phase / this.#to, cutoff, this.#reach));
    this.#kept = new Float32Array(this.#reach - 1);
  }

  feed(samples) {
    const all = new Float32Array(this.#kept.length + samples.length);
    all.set(this.#kept);
    all.set(samples, this.#kept.length);
    const made = [];
    for (let first; (first = Math.floor(this.#at / this.#to)) + 2 * this.#reach <= all.length; this.#at += this.#from) {
      made.push(dot(all, first, this.#phases[this.#at % this.#to]));
    }
    const used = Math.min(Math.floor(this.#at / this.#to), all.length);
    this.#at -= used * this.#to;
    this.#kept = all.slice(used);
    return Float32Array.from(made);
  }
}

function dot(samples, first, taps) {
  let sum = 0;
  for (let index = 0; index < taps.length; index++) sum += samples[first + index] * taps[index];
  return sum;
}

/** For an output that lies `phase` of a sample behind the input sample number `reach` - 1. */
function weights(phase, cutoff, reach) {
  const taps = Float32Array.from({length: 2 * reach}, (_, index) => {
    const distance = index - (reach - 1) - phase;
    return cutoff * sinc(cutoff * distance) * (0.5 + 0.5 * Math.cos((Math.PI * distance) / reach));
  });
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return taps.map((tap) => tap / sum);
}

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const divisor = (a, b) => (b ? divisor(b, a % b) : a);
