// Signed 16-bit little-endian samples, as they travel.

export const RATE = 24000;

/** Samples out of bytes that come in any pieces: half a sample waits for its other half. */
export class Framer {
  #rest = new Uint8Array(0);

  feed(bytes) {
    const all = new Uint8Array(this.#rest.length + bytes.length);
    all.set(this.#rest);
    all.set(bytes, this.#rest.length);
    const whole = all.length & ~1;
    this.#rest = all.slice(whole);
    return floats(all.subarray(0, whole));
  }
}

export function floats(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({length: bytes.length >> 1}, (_, index) => view.getInt16(2 * index, true) / 32768);
}

export function bytes(samples) {
  const view = new DataView(new ArrayBuffer(2 * samples.length));
  samples.forEach((sample, index) => view.setInt16(2 * index, Math.round(Math.max(-1, Math.min(1, sample)) * 32767), true));
  return new Uint8Array(view.buffer);
}

export function toBase64(data) {
  let text = "";
  for (const byte of data) text += String.fromCharCode(byte);
  return btoa(text);
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
