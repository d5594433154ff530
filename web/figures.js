// What was measured here, and what the engines and the machine are doing.

import {ember, find, make} from "./dom.js";
import {milliseconds, perSecond, session} from "./session.js";
import {nameOf} from "./status.js";

const GIB = 2 ** 30;
const GAUGES = [
  ["ttft", "Time to first token", milliseconds, "Ask something in the chat."],
  ["ttfa", "Time to first audio", milliseconds, "Hear a voice, or talk."],
  ["pace", "Tokens per second", perSecond, "Of one answer, as it is written."],
];

export class Figures {
  #open = false;

  constructor(status) {
    this.status = status;
    status.addEventListener("change", () => this.#open && this.#machine());
    session.addEventListener("measured", () => this.#open && this.#measured());
  }

  open() {
    this.#open = true;
    this.#measured();
    this.#machine();
  }

  close() {
    this.#open = false;
  }

  #measured() {
    find("#gauges").replaceChildren(...GAUGES.map(([name, title, form, hint]) => gauge(title, session[name], form, hint)));
  }

  #machine() {
    const {engines = {}, machine} = this.status.now ?? {};
    find("#engine-cards").replaceChildren(...Object.values(engines).map(engine));
    find("#meters").replaceChildren(...(machine ? meters(machine) : []));
  }
}

function gauge(title, series, form, hint) {
  const count = series.values.length;
  const note = count > 1 ? `median ${form(series.median)} of ${count}` : count ? "The first one measured." : hint;
  const value = make("p.value", {}, form(series.last));
  return make("div.gauge", {}, make("h2", {}, title), value, spark(series.values), make("p.hint", {}, note));
}

/** Bars of what was measured, the newest at the right. */
function spark(values) {
  const most = Math.max(...values, Number.MIN_VALUE);
  const bar = (value) => {
    const one = make("i");
    one.style.setProperty("--height", `${Math.max(6, (100 * value) / most)}%`);
    return one;
  };
  return make("div.spark", {"aria-hidden": "true"}, values.slice(-40).map(bar));
}

function engine({kind, name, state, detail, running, waiting}) {
  const title = make("h3", {}, ember(), nameOf(kind), make("small", {}, state));
  const load = make("dl", {}, pair("Running", running), pair("Waiting", waiting));
  const more = detail === state ? null : make("p.detail", {}, detail);
  return make("li.card.engine", {"data-state": state}, title, make("p.name", {}, name), load, more);
}

const pair = (term, value) => make("div", {}, make("dt", {}, term), make("dd", {}, String(value)));

function meters({memory, gpus}) {
  const cards = gpus.map(({name, used, total}) => meter(name, used, total));
  return [...cards, meter("Memory of the server’s processes", memory.used, memory.total)];
}

function meter(name, used, total) {
  const shown = `${gib(used)} of ${gib(total)} GiB`;
  const bar = make("progress", {max: total, value: used, "aria-label": name});
  return make("li.meter", {}, make("div.row", {}, make("span", {}, name), make("span.number", {}, shown)), bar);
}

const gib = (size) => (size / GIB).toFixed(size < 10 * GIB ? 1 : 0);
