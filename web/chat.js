// The chat: questions, and answers as they are written.

import {ember, find, icon, make, problem} from "./dom.js";
import {Markdown, told} from "./markdown.js";
import {chosen} from "./preferences.js";
import {milliseconds, perSecond, session} from "./session.js";
import {ask, refusal} from "./server.js";
import {Reader} from "./reader.js";
import {events} from "./sse.js";

const NOWHERE_TO_GO = "The connection ended before the answer did. What came is above; ask again for the rest.";

export class Chat {
  #messages = [];
  #follows = true; // whether the reader is at the end: whoever has scrolled up is left where they read
  #above = 0;
  #writing = null; // what stops the answer that is being written

  constructor(player) {
    this.player = player;
    this.log = find("#messages");
    this.box = find("#question");
    this.button = find("#send");
    find("#composer").onsubmit = (event) => (event.preventDefault(), this.#writing ? this.stop() : this.ask(this.box.value));
    this.box.onkeydown = (event) => this.#key(event);
    this.box.oninput = () => this.#grow();
    find("#new-chat").onclick = () => this.clear();
    this.#following(find("#chat .scroll"));
    for (const one of document.querySelectorAll(".suggestion")) one.onclick = () => this.ask(one.textContent);
  }

  #following(view) {
    const end = () => this.#follows && (view.scrollTop = view.scrollHeight);
    view.onscroll = () => {
      const near = view.scrollHeight - view.scrollTop - view.clientHeight < 80;
      this.#follows = near || (this.#follows && view.scrollTop >= this.#above);
      this.#above = view.scrollTop;
    };
    new ResizeObserver(end).observe(this.log);
  }

  #key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.ask(this.box.value);
    } else if (event.key === "Escape") this.stop();
  }

  #grow() {
    this.box.style.height = "auto";
    this.box.style.height = `${this.box.scrollHeight}px`;
  }

  /** The answer that is being written ends, and belongs to the old chat. */
  clear() {
    this.stop();
    this.#set(null);
    this.player.flush();
    this.#messages = [];
    this.log.replaceChildren();
    document.body.classList.remove("chatting");
    this.box.focus();
  }

  stop() {
    this.#writing?.abort();
  }

  async ask(text) {
    if (!text.trim() || this.#writing) return;
    if (chosen.aloud) this.player.wake();
    this.#question(text.trim());
    this.box.value = "";
    this.#grow();
    const controller = new AbortController();
    this.#set(controller);
    await this.#answer(controller, this.#messages);
    if (this.#writing === controller) this.#set(null);
  }

  #set(controller) {
    this.#writing = controller;
    this.log.parentElement.setAttribute("aria-busy", Boolean(controller));
    this.button.replaceChildren(icon(controller ? "stop" : "send"));
    this.button.setAttribute("aria-label", controller ? "Stop the answer" : "Send");
  }

  #question(content) {
    document.body.classList.add("chatting");
    this.#messages.push({role: "user", content});
    this.#follows = true;
    this.log.append(make("li.question", {}, make("span.unheard", {}, "You: "), make("div.said", {}, content)));
  }

  async #answer(controller, messages) {
    const answer = new Answer(this.log, this.player);
    try {
      await this.#write(answer, messages, controller.signal);
    } catch (error) {
      if (error.name !== "AbortError") answer.fail(error.message);
    }
    answer.end(controller.signal.aborted);
    if (answer.text) messages.push({role: "assistant", content: answer.text});
    else messages.pop(); // a question without an answer is not asked again with the next one
  }

  async #write(answer, messages, signal) {
    const response = await ask("v1/chat/completions", {body: request(messages), signal});
    for await (const data of events(response)) {
      if (data === "[DONE]") return;
      const event = JSON.parse(data);
      if (event.error) throw refusal(event.error.code, event);
      answer.take(event);
    }
    throw new Error(NOWHERE_TO_GO);
  }
}

function request(messages) {
  const system = chosen.instructions ? [{role: "system", content: chosen.instructions}] : [];
  const temperature = chosen.temperature === "" ? {} : {temperature: Number(chosen.temperature)};
  const model = chosen.model ? {model: chosen.model} : {};
  return {...model, ...temperature, messages: [...system, ...messages], stream: true, stream_options: {include_usage: true}};
}

class Answer {
  text = "";
  #thought = "";
  #tokens = 0;
  #began = performance.now();
  #first = 0;
  #last = 0;
  #drawing = 0;

  constructor(log, player) {
    this.player = player;
    this.reader = chosen.aloud ? this.#reader() : null;
    this.prose = make("div.prose");
    this.item = make("li.answer.writing", {}, make("span.unheard", {}, "Fireside: "), ember(), this.prose);
    this.markdown = new Markdown(this.prose);
    log.append(this.item);
  }

  #reader() {
    return new Reader(this.player, (words) => this.fail(words));
  }

  take(event) {
    const delta = event.choices?.[0]?.delta ?? {};
    this.#tokens = event.usage?.completion_tokens ?? this.#tokens;
    this.#think(delta.reasoning ?? delta.reasoning_content);
    if (!delta.content) return;
    this.#time();
    this.text += delta.content;
    // Not at the next frame: a page that is not seen has none, and may be heard.
    this.#drawing ||= setTimeout(() => this.#draw(), 33);
  }

  #time() {
    this.#last = performance.now();
    if (this.#first) return;
    this.#first = this.#last;
    session.ttft.add((this.#first - this.#began) / 1000);
  }

  #draw() {
    this.#drawing = 0;
    const finished = this.markdown.update(this.text);
    this.reader?.read(finished);
  }

  #think(piece) {
    if (!piece) return;
    this.#thought += piece;
    if (!this.thinking) {
      this.thinking = make("div.thought");
      this.prose.before(make("details.thinking", {}, make("summary", {}, "Thinking"), this.thinking));
    }
    this.thinking.textContent = this.#thought;
  }

  fail(message) {
    this.item.append(make("p.problem", {role: "alert"}, problem(message)));
  }

  end(stopped) {
    clearTimeout(this.#drawing);
    this.#draw();
    const rest = this.markdown.finish();
    if (stopped) this.reader?.stop();
    else this.reader?.read(rest);
    this.item.classList.remove("writing");
    if (this.text) this.item.append(this.#foot(stopped));
    else if (stopped) this.item.append(make("p.note", {}, "Stopped."));
  }

  #foot(stopped) {
    const copying = make("button.quiet", {type: "button", onclick: () => told(copying, this.text)}, icon("copy"), "Copy");
    const read = () => this.#reader().readAll(this.text);
    const reading = make("button.quiet.aloud", {type: "button", onclick: read}, icon("sound"), "Read aloud");
    return make("div.foot", {}, copying, reading, make("span.measured", {}, this.#measured(stopped)));
  }

  #measured(stopped) {
    const seconds = (this.#last - this.#first) / 1000;
    const pace = this.#tokens > 1 && seconds > 0 ? (this.#tokens - 1) / seconds : undefined;
    if (pace) session.pace.add(pace);
    const first = `first token ${milliseconds((this.#first - this.#began) / 1000)}`;
    return [stopped && "stopped", first, pace && `${perSecond(pace)} tokens/s`].filter(Boolean).join(" · ");
  }
}
