// The voices of this server, to be heard.

import {find, icon, make, problem} from "./dom.js";
import {choose, chosen} from "./preferences.js";
import {ask} from "./server.js";
import {speak} from "./speech.js";

const NONE = "This server has no voices: speech.engine is none in its configuration.";
const languages = new Intl.DisplayNames(["en"], {type: "language"});

export class Voices {
  #voices = [];
  #speaking = null; // {id, controller, whole: whether all of it has come}
  #opened = false;

  constructor(player, status) {
    this.player = player;
    this.status = status;
    this.list = find("#voice-list");
    find("#voice-filter").oninput = () => this.#show();
    find("#voice-speed").oninput = ({target}) => (find("#voice-speed-shown").textContent = Number(target.value).toFixed(2));
    player.addEventListener("end", () => this.#ended());
    player.addEventListener("flushed", () => this.#speaking?.controller.abort());
    status.addEventListener("change", () => this.#look());
  }

  async open() {
    this.#opened = true;
    try {
      this.#voices = (await ask("v1/audio/voices").then((answer) => answer.json())).data;
      this.#show();
    } catch (error) {
      this.#voices = [];
      if (!this.status.lacks("speech")) this.#tell("li.problem", {role: "alert"}, problem(error.message));
    }
  }

  close() {
    this.#opened = false;
  }

  /** Whether there are voices now, other than when this was opened; or never will be. */
  #look() {
    if (!this.#opened || this.#voices.length) return;
    if (this.status.lacks("speech")) this.#tell("li.empty", {}, NONE);
    else if (this.status.now?.engines.speech.state === "ready") this.open();
  }

  #tell(element, properties, words) {
    this.list.replaceChildren(make(element, properties, words));
  }

  #show() {
    const wanted = find("#voice-filter").value.trim().toLowerCase();
    const fitting = this.#voices.filter((voice) => words(voice).includes(wanted));
    const [all, shown] = [this.#voices.length, fitting.length];
    find("#voice-count").textContent = shown === all ? `${all} ${all === 1 ? "voice" : "voices"}` : `${shown} of ${all} voices`;
    if (all && !shown) this.#tell("li.empty", {}, "No voice is called that, or speaks it.");
    else this.list.replaceChildren(...fitting.map((voice) => this.#card(voice)));
  }

  #card(voice) {
    const hear = make("button.round.hear", {type: "button", onclick: () => this.#hear(voice)});
    const usual = make("button.quiet", {type: "button", onclick: () => this.#choose(voice)});
    const facts = [...voice.languages.map(language), voice.licence !== "unknown" && voice.licence, `${voice.sample_rate / 1000} kHz`];
    const told = make("p.facts", {}, facts.filter(Boolean).map((fact) => make("span", {}, fact)));
    const text = make("div", {}, make("h2", {}, voice.id), voice.description ? make("p", {}, voice.description) : null, told);
    const card = make("li.card.voice", {"data-voice": voice.id}, hear, text, usual);
    this.#mark(card);
    return card;
  }

  #mark(card) {
    const id = card.dataset.voice;
    const [speaking, usual] = [this.#speaking?.id === id, chosen.voice === id];
    const [hear, choice] = card.querySelectorAll("button");
    card.classList.toggle("speaking", speaking);
    hear.replaceChildren(icon(speaking ? "stop" : "play"));
    hear.setAttribute("aria-label", speaking ? `Stop ${id}` : `Hear ${id}`);
    choice.replaceChildren(usual ? icon("done") : "", usual ? "Yours" : "Choose");
    choice.setAttribute("aria-pressed", usual);
    choice.setAttribute("aria-label", `Choose ${id}`);
  }

  #markAll() {
    for (const card of this.list.querySelectorAll(".voice")) this.#mark(card);
  }

  #choose(voice) {
    choose({voice: chosen.voice === voice.id ? "" : voice.id});
    this.#markAll();
  }

  async #hear(voice) {
    const again = this.#speaking?.id === voice.id;
    this.player.flush();
    this.#speak(again ? null : voice.id);
    if (again) return;
    const {controller} = this.#speaking;
    this.player.wake();
    try {
      await speak(this.player, controller, this.#wanted(voice), controller.signal);
    } catch (error) {
      if (error.name !== "AbortError") this.#fail(voice, error.message);
    }
    if (this.#speaking?.controller !== controller) return;
    this.#speaking.whole = true;
    if (!this.player.playing) this.#speak(null);
  }

  #wanted(voice) {
    return {model: voice.model, voice: voice.id, input: find("#script").value, speed: Number(find("#voice-speed").value)};
  }

  #speak(id) {
    for (const told of this.list.querySelectorAll(".problem")) told.remove();
    this.#speaking = id && {id, controller: new AbortController(), whole: false};
    this.#markAll();
  }

  /** Silence may be a pause, too, while more is made. */
  #ended() {
    if (this.#speaking?.whole) this.#speak(null);
  }

  #fail(voice, message) {
    const card = this.list.querySelector(`[data-voice="${CSS.escape(voice.id)}"]`);
    card?.append(make("p.problem", {role: "alert"}, problem(message)));
  }
}

function language(code) {
  try {
    return languages.of(code);
  } catch {
    return code;
  }
}

const words = (voice) => [voice.id, voice.description, ...voice.languages, ...voice.languages.map(language)].join(" ").toLowerCase();
