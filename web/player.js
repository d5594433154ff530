// Plays audio as it comes, without a gap, on the audio clock. Scheduled buffers rather than a worklet: that would need https.

import {RATE} from "./pcm.js";
import {Timeline} from "./timeline.js";

const FADE = 0.012;
const DUCKED = 0.2;

/**
 * Events: "begin" when silence ends, "end" when it begins again, "flushed" when nothing more is wanted.
 * `element` shows what it does, as data-state, data-played (seconds that were heard), data-underruns.
 */
export class Player extends EventTarget {
  #sources = new Set();
  #timeline = new Timeline(RATE);
  #played = 0;
  #bus = null;

  constructor(element, context = null) {
    super();
    this.element = element;
    this.context = context;
    this.#show("silent");
  }

  /** Browsers let a page sound only after a click or a key: call this in one. */
  wake() {
    if (!this.context) this.context = new AudioContext({sampleRate: RATE, latencyHint: "interactive"});
    if (!this.analyser) this.#connect();
    return this.context.state === "suspended" ? this.context.resume() : Promise.resolve();
  }

  #connect() {
    this.analyser = new AnalyserNode(this.context, {fftSize: 1024, smoothingTimeConstant: 0.6});
    this.volume = new GainNode(this.context);
    this.analyser.connect(this.volume).connect(this.context.destination);
    this.#bus = this.#newBus();
  }

  #newBus() {
    const bus = new GainNode(this.context);
    bus.connect(this.analyser);
    return bus;
  }

  /** More samples of the utterance `id`. */
  play(id, samples) {
    if (!samples.length) return;
    const buffer = new AudioBuffer({length: samples.length, sampleRate: RATE});
    buffer.copyToChannel(samples, 0);
    const source = new AudioBufferSourceNode(this.context, {buffer});
    source.connect(this.#bus);
    source.start(this.#timeline.add(id, samples.length, this.context.currentTime) / RATE);
    this.#keep(source);
  }

  #keep(source) {
    if (!this.#sources.size) this.#change("begin", "playing");
    this.#sources.add(source);
    this.element.dataset.underruns = this.#timeline.underruns;
    source.onended = () => {
      if (!this.#sources.delete(source)) return;
      this.#heard(source.buffer.duration);
      if (!this.#sources.size) this.#change("end", "silent");
    };
  }

  #heard(seconds) {
    this.#played += seconds;
    this.element.dataset.played = this.#played.toFixed(3);
  }

  /** No more comes of it. */
  close(id) {
    this.#timeline.close(id);
  }

  /** Seconds of `id` that have left the loudspeaker. */
  heard(id) {
    return this.context ? this.#timeline.heard(id, this.#now()) : 0;
  }

  #now() {
    return this.context.currentTime - (this.context.outputLatency || this.context.baseLatency || 0);
  }

  get playing() {
    return this.#sources.size > 0;
  }

  get left() {
    return this.context ? this.#timeline.left(this.context.currentTime) : 0;
  }

  /** Silence at once, without a click. Returns which utterance it cut and after how many seconds of it, or null. */
  flush() {
    this.dispatchEvent(new Event("flushed"));
    if (!this.playing) return null;
    const id = this.#timeline.current(this.#now());
    const cut = id === null ? null : {id, seconds: this.heard(id)};
    this.#fade();
    this.#timeline.flush();
    this.#change("end", "silent");
    return cut;
  }

  #fade() {
    const until = this.context.currentTime + FADE;
    this.#bus.gain.setTargetAtTime(0, this.context.currentTime, FADE / 4);
    for (const source of this.#sources) source.stop(until);
    this.#sources.clear();
    this.#bus = this.#newBus();
  }

  /** Softer, while it is not sure whether somebody interrupts; and back. */
  duck(on) {
    if (!this.volume) return;
    this.volume.gain.setTargetAtTime(on ? DUCKED : 1, this.context.currentTime, 0.03);
    this.element.dataset.ducked = on;
  }

  /** How loud it is now, 0 to 1. */
  level() {
    if (!this.playing) return 0;
    const wave = new Float32Array(this.analyser.fftSize);
    this.analyser.getFloatTimeDomainData(wave);
    return Math.min(1, 3 * Math.sqrt(wave.reduce((sum, sample) => sum + sample * sample, 0) / wave.length));
  }

  #change(event, state) {
    this.#show(state);
    this.dispatchEvent(new Event(event));
  }

  #show(state) {
    this.element.dataset.state = state;
    this.element.dataset.played = this.#played.toFixed(3);
  }
}
