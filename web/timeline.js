// When each piece of audio is to be played, in frames of the audio clock: whole frames, so that nothing lies between two pieces.

const LONGEST = 1.0;

export class Timeline {
  #spans = []; // {id, at, frames}: what is scheduled without a gap
  #end = 0;
  #open = null;
  #rate;

  /** `cushion`: seconds between now and the first sound, for what comes late. It doubles when it did not suffice. */
  constructor(rate, cushion = 0.06) {
    this.#rate = rate;
    this.cushion = cushion;
    this.underruns = 0;
  }

  /** The frame at which the next piece of `id` begins. `now` is the clock in seconds. */
  add(id, frames, now) {
    const at = this.#begin(id, Math.ceil(now * this.#rate));
    const last = this.#spans.at(-1);
    if (last?.id === id && last.at + last.frames === at) last.frames += frames;
    else this.#spans.push({id, at, frames});
    this.#end = at + frames;
    return at;
  }

  /** No more comes for `id`: that it runs dry is no fault. */
  close(id) {
    if (this.#open === id) this.#open = null;
  }

  #begin(id, now) {
    const dry = this.#end <= now;
    if (dry && this.#open === id) this.#late();
    this.#open = id;
    return dry ? now + Math.round(this.cushion * this.#rate) : this.#end;
  }

  #late() {
    this.underruns += 1;
    this.cushion = Math.min(2 * this.cushion, LONGEST);
  }

  /** Seconds of `id` that have been played by now. */
  heard(id, now) {
    const until = now * this.#rate;
    const played = ({at, frames}) => Math.max(0, Math.min(frames, until - at));
    return this.#spans.filter((span) => span.id === id).reduce((sum, span) => sum + played(span), 0) / this.#rate;
  }

  /** What is being played now, or waits to be: its id. */
  current(now) {
    return this.#spans.find(({at, frames}) => at + frames > now * this.#rate)?.id ?? null;
  }

  /** Seconds until all is played. */
  left(now) {
    return Math.max(0, this.#end / this.#rate - now);
  }

  /** Nothing of it will be played any more. */
  flush() {
    this.#spans = [];
    this.#end = 0;
    this.#open = null;
  }
}
