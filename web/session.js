// What was measured on this page since it was opened: seconds to the first token and to the first audio, tokens a second.

const KEPT = 60;

class Series {
  values = [];

  add(value) {
    this.values = [...this.values, value].slice(-KEPT);
    session.dispatchEvent(new Event("measured"));
  }

  get last() {
    return this.values.at(-1);
  }

  get median() {
    const sorted = this.values.toSorted((a, b) => a - b);
    return sorted[sorted.length >> 1];
  }
}

export const session = Object.assign(new EventTarget(), {ttft: new Series(), ttfa: new Series(), pace: new Series()});

export function milliseconds(seconds) {
  if (seconds === undefined) return "–";
  return seconds < 10 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`;
}

export const perSecond = (tokens) => (tokens === undefined ? "–" : tokens < 10 ? tokens.toFixed(1) : String(Math.round(tokens)));
