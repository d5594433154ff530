// The talk: the fire, the state of the conversation in words, and what was said.

import {find, icon, make, problem} from "./dom.js";
import {Fire} from "./fire.js";
import {Microphone} from "./microphone.js";
import {chosen} from "./preferences.js";
import {Realtime} from "./realtime.js";
import {session} from "./session.js";

const DEAF = "This server cannot hear you: listening.engine is none in its configuration.";
const MUTE = "It listens, and answers in writing: this server has no voices.";
const UNPLUGGED = "The microphone is gone, and with it the talk. Plug it in, or choose another one in the browser, and start again.";
const HINTS = {
  free: "Speak whenever you like: it listens, and stops when you interrupt. Holding the space bar talks, too.",
  hold: "It listens only while you hold the button, or the space bar.",
};
const WORDS = {
  connecting: "Lighting the fire",
  listening: "Listening",
  hearing: "Hearing you",
  thinking: "Thinking",
  speaking: "Speaking",
  ended: "Ready when you are",
};

export class Talk {
  #conversation = null;
  #microphone = null;
  #level = 0;
  #held = false;

  constructor(player, status) {
    this.player = player;
    this.status = status;
    status.addEventListener("change", () => this.#able());
    this.section = find("#talk");
    this.fire = new Fire(find("#fire"), () => this.#burning());
    find("#talk-button").onclick = () => (this.#conversation ? this.end() : this.start());
    find("#mute").onclick = () => this.#mute();
    find("#interrupt").onclick = () => this.interrupt();
    for (const choice of this.section.querySelectorAll("[name=turns]")) choice.onchange = () => this.#turns();
    this.#holding(find("#hold"));
    this.#show("ended");
  }

  open() {
    this.fire.light();
  }

  /** Another screen is opened: nobody is listened to unawares. */
  close() {
    this.end();
    this.fire.rest();
  }

  get live() {
    return this.#conversation?.live ?? false;
  }

  interrupt() {
    this.#conversation?.interrupt();
  }

  async start() {
    this.#problem(null);
    this.player.flush();
    this.player.wake();
    const conversation = (this.#conversation = new Realtime(this.player, chosen));
    this.#listenTo(conversation);
    try {
      conversation.open(this.#handsFree());
      await this.#open(conversation);
    } catch (error) {
      this.end();
      this.#problem(error.message);
    }
  }

  async #open(conversation) {
    const microphone = await Microphone.open((samples) => this.#heard(samples), () => this.#unplugged());
    if (this.#conversation !== conversation) return microphone.close(); // ended while the browser was still asking
    this.#microphone = microphone;
    find("#mute").disabled = false;
  }

  #listenTo(conversation) {
    conversation.addEventListener("state", ({detail}) => this.#show(detail));
    conversation.addEventListener("line", ({detail}) => this.#write(detail));
    conversation.addEventListener("problem", ({detail}) => this.#problem(detail));
    conversation.addEventListener("heard", ({detail}) => session.ttfa.add(detail));
  }

  end() {
    const conversation = this.#conversation;
    this.#conversation = null;
    if (conversation && conversation.state !== "ended") conversation.close();
    this.#microphone?.close();
    this.#microphone = null;
    this.#showMuted(false); // each microphone begins unmuted
    find("#mute").disabled = true;
    this.#level = 0;
  }

  #unplugged() {
    this.end();
    this.#problem(UNPLUGGED);
  }

  #heard(samples) {
    this.#level = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    if (this.#handsFree() || this.#held) this.#conversation?.hear(samples);
  }

  /** Whether there can be a talk at all, and if not, why. */
  #able() {
    const deaf = this.status.lacks("listening");
    find("#talk-button").disabled = deaf;
    if (deaf && !find("#talk-problem").textContent) this.#problem(DEAF);
    this.#hint();
  }

  #hint() {
    const hint = this.status.lacks("speech") && !this.status.lacks("listening") ? MUTE : HINTS[find("[name=turns]:checked").value];
    if (find("#talk-hint").textContent !== hint) find("#talk-hint").textContent = hint;
  }

  #handsFree = () => find("[name=turns]:checked").value === "free";

  #turns() {
    this.section.dataset.turns = find("[name=turns]:checked").value;
    this.#conversation?.turns(this.#handsFree());
    this.#say();
    this.#hint();
  }

  #mute() {
    if (!this.#microphone) return;
    this.#microphone.muted = !this.#microphone.muted;
    this.#showMuted(this.#microphone.muted);
    this.#say();
  }

  #showMuted(muted) {
    const button = find("#mute");
    button.setAttribute("aria-pressed", muted);
    button.setAttribute("aria-label", muted ? "Unmute the microphone" : "Mute the microphone");
    button.replaceChildren(icon(muted ? "muted" : "microphone"));
  }

  /** The space bar, wherever it does nothing else, and the button for fingers. */
  #holding(button) {
    const free = ({target}) => !target.closest("button, input, textarea, select, a, dialog");
    addEventListener("keydown", (event) => {
      if (event.code !== "Space" || !(free(event) || event.target === button) || !this.#conversation?.live) return;
      event.preventDefault();
      this.#hold(); // a repeated one too: it may have been pressed before there was anyone to hear
    });
    addEventListener("keyup", ({code}) => code === "Space" && this.#release());
    addEventListener("blur", () => this.#release());
    button.onpointerdown = () => this.#hold();
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) button.addEventListener(end, () => this.#release());
  }

  #hold() {
    if (!this.#conversation?.live || this.#held) return;
    if (this.#handsFree()) find("[name=turns][value=hold]").click();
    this.#held = true;
    this.#conversation.hold();
  }

  #release() {
    if (this.#held) this.#conversation?.release();
    this.#held = false;
  }

  #show(state) {
    this.section.dataset.state = state;
    const running = state !== "ended";
    if (!running) this.end();
    find("#talk-button").textContent = running ? "End" : "Start talking";
    find("#talk-button").classList.toggle("ending", running);
    find("#interrupt").disabled = state !== "speaking" && state !== "thinking";
    this.#say();
  }

  #say() {
    const state = this.section.dataset.state;
    const muted = this.#microphone?.muted && (state === "listening" || state === "hearing");
    const idle = this.#handsFree() ? WORDS.listening : "Hold to talk";
    const words = muted ? "Muted" : state === "listening" ? idle : WORDS[state];
    if (find("#talk-state").textContent !== words) find("#talk-state").textContent = words;
  }

  #write({id, who, text, final, cut}) {
    const list = find("#transcript");
    const known = list.querySelector(`[data-item="${CSS.escape(id)}"]`);
    const line = known ?? make(`li.${who}`, {"data-item": id}, make("b", {}, who === "you" ? "You" : "Fireside"), make("p"));
    line.querySelector("p").textContent = text || (cut ? "" : "…");
    line.classList.toggle("growing", !final);
    line.classList.toggle("cut", cut);
    if (cut && !line.querySelector("small")) line.append(make("small", {}, "interrupted"));
    if (!known) list.append(line);
    list.parentElement.setAttribute("aria-busy", !final);
    find("#talk .transcript").scrollTop = list.offsetHeight;
  }

  #problem(words) {
    find("#talk-problem").replaceChildren(...(words ? problem(words) : []));
  }

  /** How high the fire burns, 0 to 1, and in which mood. */
  #burning() {
    const state = this.section.dataset.state;
    const level = state === "hearing" || state === "listening" ? Math.min(1, 4 * this.#level) : this.player.level();
    return {state, level};
  }
}
