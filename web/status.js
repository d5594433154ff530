// What the engines of this server are doing, asked every second or so while the page is seen.

import {ember, find, make, problem} from "./dom.js";
import {enterKey} from "./preferences.js";
import {status} from "./server.js";

const EVERY = 1500;
const NAMES = {text: "Text", speech: "Speech", listening: "Listening"};

export const nameOf = (kind) => NAMES[kind] ?? kind;

/** "change" events tell of every answer; `now` is null while the server does not answer. */
export class Status extends EventTarget {
  now = null;

  async watch() {
    if (!document.hidden) await this.#read();
    setTimeout(() => this.watch(), EVERY);
  }

  async #read() {
    try {
      this.now = await status();
      this.#show(Object.values(this.now.engines));
    } catch (error) {
      this.now = null;
      this.#list([]);
      this.#notice("failed", error.message, error.status === 401 && keyButton());
    }
    this.dispatchEvent(new Event("change"));
  }

  /** Whether this server is configured without this kind of engine. */
  lacks(kind) {
    return Boolean(this.now) && !(kind in this.now.engines);
  }

  #list(engines) {
    document.body.dataset.without = Object.keys(NAMES).filter((kind) => this.lacks(kind)).join(" ");
    const line = ({kind, state}) => make("li", {"data-state": state}, ember(), make("span", {}, nameOf(kind)), make("small", {}, state));
    if (changed(find("#engines"), engines)) find("#engines").replaceChildren(...engines.map(line));
  }

  #show(engines) {
    this.#list(engines);
    const loading = engines.filter(({state}) => state === "loading");
    const lost = engines.filter(({state}) => state !== "loading" && state !== "ready");
    if (lost.length) this.#notice("failed", lost.map(failure).join(" "));
    else this.#notice(loading.length ? "loading" : "", loading.length ? patience(loading) : "");
  }

  /** Said anew only when it is new: a screen reader reads it out. */
  #notice(state, text, button) {
    const notice = find("#notice");
    if (notice.dataset.text === text) return;
    notice.dataset.text = text;
    notice.dataset.state = state;
    const shown = state === "failed" ? problem(text) : [ember(), make("span", {}, text)];
    notice.replaceChildren(...(text ? shown : []), button || "");
  }
}

const keyButton = () => make("button.quiet", {type: "button", onclick: enterKey}, "Enter the key");

function changed(list, engines) {
  const shown = engines.map(({kind, state}) => `${kind} ${state}`).join();
  if (list.dataset.shown === shown) return false;
  list.dataset.shown = shown;
  return true;
}

const failure = ({kind, state, detail}) => `${nameOf(kind)} ${state === "failed" ? "has failed" : `is ${state}`}: ${detail}`;

function patience(engines) {
  const names = engines.map(({kind}) => nameOf(kind)).join(" and ");
  return `${names} ${engines.length === 1 ? "is" : "are"} loading: that takes from seconds to minutes. What is ready can be used already.`;
}
