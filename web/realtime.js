// A spoken conversation over WS /v1/realtime: OpenAI's events by their GA names, and what is to be played and shown of them.

import {bytes, floats, fromBase64, toBase64} from "./pcm.js";
import {socket, status} from "./server.js";

const TURNS = {type: "server_vad", create_response: true, interrupt_response: true};
const LOST = "The connection to the server was lost, or the server has no conversation to offer.";
const RESTART = 1012;
const CLOSED = {1013: "The server has no room for a conversation now, or is still loading.", [RESTART]: "The server is being restarted."};

/**
 * Events: "state" (detail: connecting, listening, hearing, thinking, speaking, ended), "line" (detail: {id, who, text, final, cut}),
 * "problem" (detail: words), "heard" (detail: seconds from the end of a question to the first sound of its answer).
 */
export class Realtime extends EventTarget {
  state = "ended";
  #lines = new Map(); // id of an item -> what is written of it
  #dropped = new Set(); // items that were interrupted: what still comes of them is not played
  #answering = false;
  #asked = 0;
  #holding = false;
  #releases = []; // what was said, and is on its way to become a turn: the ids of the events that ask for it
  #count = 0;
  #owed = false; // a turn is to be answered
  #unwanted = false; // the answer in the making, or the one that is on its way: it was interrupted
  #said = null; // the words of an error, if it is the last that came: before a server closes, it says why

  constructor(player, {voice = "", instructions = "", model = ""} = {}) {
    super();
    this.player = player;
    this.wanted = {voice, instructions};
    this.path = `v1/realtime?${new URLSearchParams({model, ducking: "true"})}`;
    this.#onBegin = () => this.#sounding();
    this.#onEnd = () => this.#rest();
  }

  #onBegin;
  #onEnd;

  /** Raises Refused if it cannot even be tried. */
  open(handsFree) {
    this.handsFree = handsFree;
    this.socket = socket(this.path);
    this.#become("connecting");
    this.socket.onmessage = ({data}) => this.#take(JSON.parse(data));
    this.socket.onclose = ({code}) => this.#closed(code); // its reason is the name of an error, and not for people
    this.player.addEventListener("begin", this.#onBegin);
    this.player.addEventListener("end", this.#onEnd);
  }

  close() {
    this.socket.onclose = null;
    this.socket.close();
    this.player.flush();
    this.#end();
  }

  async #closed(code) {
    this.#end();
    if (code === RESTART) this.#tell("problem", CLOSED[RESTART]);
    else if (code !== 1000) this.#tell("problem", this.#said ?? CLOSED[code] ?? (await refused()));
  }

  #end() {
    this.player.removeEventListener("begin", this.#onBegin);
    this.player.removeEventListener("end", this.#onEnd);
    this.player.duck(false);
    this.#become("ended");
  }

  get live() {
    return this.state !== "ended" && this.state !== "connecting";
  }

  /** What the microphone hears: samples of 24 kHz. */
  hear(samples) {
    if (this.live) this.#send({type: "input_audio_buffer.append", audio: toBase64(bytes(samples))});
  }

  /** Whether the server finds out when a turn ends, or is told. */
  turns(handsFree) {
    this.handsFree = handsFree;
    if (this.live) this.#configure();
  }

  hold() {
    this.#stop();
    this.#holding = true;
    this.#send({type: "input_audio_buffer.clear"});
    this.#become("hearing");
  }

  release() {
    this.#asked = performance.now();
    this.#holding = false;
    this.#releases.push(`release-${++this.#count}`);
    this.#become("thinking");
    this.#send({type: "input_audio_buffer.commit", event_id: this.#releases.at(-1)});
  }

  /** Ends the answer that is being made or played, or is on its way; nor is one asked for any more. */
  interrupt() {
    this.#stop();
    this.#releases = [];
    this.#owed = false;
  }

  /** An answer that the server has not begun cannot be cancelled: that is done once it begins. */
  #stop() {
    const coming = this.state === "thinking" && !this.#owed && !this.#releases.length;
    if (this.#answering) this.#send({type: "response.cancel"});
    this.#unwanted ||= this.#answering || coming;
    this.#cut();
    if (this.state !== "hearing") this.#become("listening");
  }

  #send(event) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(event));
  }

  #configure() {
    const input = {transcription: {}, turn_detection: this.handsFree ? TURNS : null};
    const output = this.wanted.voice ? {voice: this.wanted.voice} : {};
    const instructions = this.wanted.instructions ? {instructions: this.wanted.instructions} : {};
    this.#send({type: "session.update", session: {type: "realtime", ...instructions, audio: {input, output}}});
  }

  #take(event) {
    this.#said = event.type === "error" ? event.error.message : null;
    if (this.#unwanted && event.type.startsWith("response.output_") && !this.#lines.has(event.item_id)) return;
    this.#on[event.type]?.(event);
  }

  #on = {
    "session.created": () => (this.#configure(), this.#become("listening")),
    "session.updated": () => this.#forget(), // a turn that is going on has no end where turns are found otherwise
    "input_audio_buffer.speech_started": () => this.#spoken(),
    "input_audio_buffer.speech_stopped": () => this.#asking(),
    "input_audio_buffer.committed": () => this.#committed(),
    "fireside.speech.suspected": () => this.player.duck(true),
    "fireside.speech.dismissed": () => this.player.duck(false),
    "conversation.item.added": ({item}) => item.role === "user" && this.#line(item.id, "you", "", false),
    "conversation.item.input_audio_transcription.delta": ({item_id, delta}) => this.#line(item_id, "you", delta, false),
    "conversation.item.input_audio_transcription.completed": ({item_id, transcript}) => this.#understood(item_id, transcript),
    "conversation.item.input_audio_transcription.failed": ({item_id, error}) =>
      this.#understood(item_id, "", `(not understood: ${error.message})`),
    "response.created": () => this.#begin(),
    "response.output_audio.delta": ({item_id, delta}) => this.#play(item_id, delta),
    "response.output_audio.done": ({item_id}) => this.player.close(item_id),
    "response.output_audio_transcript.delta": ({item_id, delta}) => this.#line(item_id, "fireside", delta, false),
    "response.output_audio_transcript.done": ({item_id, transcript}) => this.#whole(item_id, "fireside", transcript),
    // A server without voices answers in text.
    "response.output_text.delta": ({item_id, delta}) => this.#line(item_id, "fireside", delta, false),
    "response.output_text.done": ({item_id, text}) => this.#whole(item_id, "fireside", text),
    "response.done": ({response}) => this.#done(response),
    // What is left of an answer is what was heard of it: the server knows the words.
    "conversation.item.truncated": ({item_id}) => this.#send({type: "conversation.item.retrieve", item_id}),
    "conversation.item.retrieved": ({item}) => this.#left(item),
    error: ({error}) => this.#fault(error),
  };

  #spoken() {
    this.#want();
    this.#cut();
    this.#become("hearing");
  }

  /** The server has dropped what it was hearing: nothing more comes of it. Who holds the button ends a turn themselves. */
  #forget() {
    if (this.state === "hearing" && !this.#holding) this.#become(this.#answering ? "thinking" : "listening");
  }

  /** What is answered from now on is wanted, but for what is in the making. */
  #want() {
    this.#unwanted &&= this.#answering;
  }

  #asking() {
    this.#asked = performance.now();
    this.#become("thinking");
  }

  #committed() {
    if (!this.#releases.shift()) return; // hands-free, the server answers by itself
    this.#want();
    this.#owed = true;
    this.#answer();
  }

  /** Once nothing more is on its way that belongs to the question. */
  #answer() {
    if (!this.#owed || this.#holding || this.#releases.length) return;
    this.#owed = false;
    this.#send({type: "response.create"});
  }

  /** A turn without words is not answered, unless an answer was asked for. */
  #understood(id, words, shown = words) {
    this.#whole(id, "you", shown);
    if (!words) this.#want();
    if (!words && this.handsFree && this.state === "thinking") this.#rest();
  }

  #begin() {
    this.#answering = true;
    if (this.#unwanted) this.#send({type: "response.cancel"});
    else if (this.state !== "hearing" && this.state !== "speaking") this.#become("thinking");
  }

  #play(id, delta) {
    if (!this.#dropped.has(id)) this.player.play(id, floats(fromBase64(delta)));
  }

  #sounding() {
    if (this.#asked) this.#tell("heard", (performance.now() - this.#asked) / 1000);
    this.#asked = 0;
    if (this.state !== "hearing") this.#become("speaking");
  }

  #done({status, status_details: details}) {
    this.#answering = this.#unwanted = false;
    if (status === "failed") this.#tell("problem", details?.error?.message ?? "The answer failed.");
    if (!this.player.playing) this.#rest();
    this.#answer();
  }

  #rest() {
    if (this.#answering && this.state === "speaking") this.#become("thinking");
    else if (!this.#answering && this.state !== "hearing" && this.live) this.#become("listening");
  }

  #left({id, content}) {
    const transcript = content?.[0]?.transcript;
    if (this.#lines.has(id) && typeof transcript === "string") this.#write(id, {text: transcript});
  }

  #fault({type, code, message, event_id}) {
    if (code === "response_cancel_not_active") return; // it has just ended by itself
    if (code === "conversation_already_has_active_response") return void (this.#owed = true); // asked for again when that is done
    this.#tell("problem", message);
    this.#want();
    if (type === "server_error") this.#forget(); // with the engine that listened goes the turn
    if (this.state === "thinking") this.#rest();
    if (!this.#releases.includes(event_id)) return;
    this.#releases = this.#releases.filter((id) => id !== event_id); // a tap, too short to say anything
    this.#answer();
  }

  /** Silence, and the server is told how much of the answer was heard. */
  #cut() {
    const cut = this.player.flush();
    this.player.duck(false);
    for (const [id, {who, final}] of this.#lines) if (who === "fireside" && (!final || id === cut?.id)) this.#dropped.add(id);
    if (!cut || !this.#lines.has(cut.id)) return;
    this.#send({type: "conversation.item.truncate", item_id: cut.id, content_index: 0, audio_end_ms: Math.round(1000 * cut.seconds)});
    this.#write(cut.id, {cut: true});
  }

  #line(id, who, more, final) {
    this.#write(id, {who, text: (this.#lines.get(id)?.text ?? "") + more, final});
  }

  #whole(id, who, text) {
    this.#write(id, {who, text, final: true});
  }

  #write(id, change) {
    const line = {id, cut: false, ...this.#lines.get(id), ...change};
    this.#lines.set(id, line);
    this.#tell("line", line);
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.#tell("state", state);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, {detail}));
  }
}

/** Why a socket was not opened: a browser does not tell, but another request is refused for the same reason. */
function refused() {
  return status().then(() => LOST, ({message}) => message);
}
