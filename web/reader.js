// Reads an answer aloud, block by block as they are finished: the next one is fetched while one is heard.

import {lexer} from "./vendor/marked.js";
import {speak} from "./speech.js";

const SILENT = new Set(["space", "code", "hr", "def", "html"]);
const SAYABLE = /[\p{L}\p{N}]/u; // a server refuses what has neither, as an emoji alone
const LONG = 1000; // characters: a longer list is read item by item, for a server has a longest text

export class Reader {
  #controller = new AbortController();
  #before = Promise.resolve();

  /** Whatever sounds now ends: two do not read at once. `tell` gets what goes wrong, in words. */
  constructor(player, tell) {
    this.player = player;
    this.tell = tell;
    player.flush();
    this.id = crypto.randomUUID?.() ?? String(Math.random());
    player.addEventListener("flushed", () => this.#controller.abort(), {once: true});
  }

  /** Tokens of markdown. What is not made to be heard, such as code, is passed over. */
  read(blocks) {
    for (const raw of blocks.filter(({type}) => !SILENT.has(type)).flatMap(texts)) {
      if (SAYABLE.test(raw)) this.#before = this.#before.then(() => this.#speak(raw)).catch((error) => this.#fail(error));
    }
  }

  readAll(text) {
    this.player.wake();
    this.read(lexer(text));
  }

  stop() {
    this.#controller.abort();
    this.player.flush();
  }

  #fail(error) {
    if (error.name !== "AbortError") this.tell(`It cannot be read aloud: ${error.message}`);
    this.#controller.abort();
  }

  async #speak(text) {
    if (!this.#controller.signal.aborted) await speak(this.player, this.id, {input: text}, this.#controller.signal);
  }
}

const texts = ({type, raw, items}) => (type === "list" && raw.length > LONG ? items.map((item) => item.raw) : [raw]);
