// The conversation of the page, whose server is the test. Each function is a test of tests/test_page_units.py.

import {Realtime} from "/web/realtime.js";
import {equal} from "./check.js";

/** A conversation whose server says what `says` is told, and keeps in `heard` what the page says. */
function conversation(handsFree) {
  const real = globalThis.WebSocket;
  const heard = [];
  globalThis.WebSocket = class {
    readyState = real.OPEN;
    send = (frame) => heard.push(JSON.parse(frame));
  };
  try {
    const talk = new Realtime(Object.assign(new EventTarget(), {flush: () => null, duck() {}}));
    talk.open(handsFree);
    const says = (type, fields = {}) => talk.socket.onmessage({data: JSON.stringify({type, ...fields})});
    says("session.created");
    return {talk, heard, says};
  } finally {
    globalThis.WebSocket = real;
  }
}

const TRANSCRIPTION = "conversation.item.input_audio_transcription";

export function a_turn_without_words_is_not_thought_about_for_ever() {
  for (const [kind, fields] of [["completed", {transcript: ""}], ["failed", {error: {message: "no"}}]]) {
    const {talk, says} = conversation(true);
    says("input_audio_buffer.speech_stopped");
    equal(talk.state, "thinking");
    says(`${TRANSCRIPTION}.${kind}`, {item_id: "a", ...fields});
    equal(talk.state, "listening", kind);
  }
}

export function a_turn_without_words_leaves_an_answer_alone() {
  const {talk, says} = conversation(true);
  says("response.created");
  says(`${TRANSCRIPTION}.completed`, {item_id: "a", transcript: ""});
  equal(talk.state, "thinking");
}

export function a_turn_that_the_server_has_dropped_is_not_heard_for_ever() {
  const died = {error: {type: "server_error", code: "engine_died", message: "The listening engine has died."}};
  for (const [kind, fields] of [["error", died], ["session.updated", {}]]) {
    const {talk, says} = conversation(true);
    says("input_audio_buffer.speech_started");
    equal(talk.state, "hearing");
    says(kind, fields);
    equal(talk.state, "listening", kind);
  }
}

export function who_holds_the_button_ends_the_turn_themselves() {
  const {talk, says} = conversation(false);
  talk.hold();
  says("session.updated");
  equal(talk.state, "hearing");
}

const kinds = (events) => events.map(({type}) => type).filter((type) => type !== "session.update");

export function what_was_said_is_answered_once_it_is_a_turn() {
  const {talk, heard, says} = conversation(false);
  talk.hold();
  talk.release();
  equal(kinds(heard), ["input_audio_buffer.clear", "input_audio_buffer.commit"]);
  for (let turn = 0; turn < 2; turn++) says("input_audio_buffer.committed");
  equal(kinds(heard).slice(2), ["response.create"]);
}

export function a_tap_is_not_answered() {
  const {talk, heard, says} = conversation(false);
  talk.hold();
  talk.release();
  const {event_id} = heard.at(-1);
  says("error", {error: {code: "input_audio_buffer_commit_empty", message: "too short", event_id}});
  equal(talk.state, "listening");
  says("input_audio_buffer.committed"); // hands-free by now: the server answers that by itself
  equal(kinds(heard), ["input_audio_buffer.clear", "input_audio_buffer.commit"]);
}

const EMPTY = {code: "input_audio_buffer_commit_empty", message: "too short"};

export function a_tap_takes_no_answer_from_what_was_said_before_it() {
  const {talk, heard, says} = conversation(false);
  talk.hold();
  talk.release();
  talk.hold();
  says("input_audio_buffer.committed");
  talk.release();
  equal(kinds(heard).includes("response.create"), false);
  says("error", {error: {...EMPTY, event_id: heard.at(-1).event_id}});
  equal(kinds(heard).at(-1), "response.create");
}

export function a_tap_takes_no_answer_from_what_is_said_after_it() {
  const {talk, heard, says} = conversation(false);
  for (let turn = 0; turn < 2; turn++) {
    talk.hold();
    talk.release();
  }
  const [tap] = heard.filter(({type}) => type === "input_audio_buffer.commit");
  says("error", {error: {...EMPTY, event_id: tap.event_id}});
  says("input_audio_buffer.committed");
  equal(kinds(heard).filter((type) => type === "response.create").length, 1);
}

/** What the page shows when the server says `events` and then closes. */
async function closed(close, ...events) {
  const {talk, says} = conversation(true);
  const told = [];
  for (const [type, fields] of events) says(type, fields);
  talk.addEventListener("problem", ({detail}) => told.push(detail));
  await talk.socket.onclose(close);
  return [talk.state, ...told];
}

export async function a_close_by_the_server_is_told_in_words() {
  const loading = ["error", {error: {code: "not_ready", message: "The text engine is loading."}}];
  equal(await closed({code: 1013, reason: "not_ready"}, loading), ["ended", "The text engine is loading."]);
  equal(await closed({code: 1012, reason: "service_restart"}, loading), ["ended", "The server is being restarted."]);
  const [, without] = await closed({code: 1013, reason: "not_ready"});
  equal(without, "The server has no room for a conversation now, or is still loading.");
}

export async function an_error_that_was_got_over_is_not_why_the_server_closes() {
  const tap = ["error", {error: {code: "input_audio_buffer_commit_empty", message: "too short"}}];
  const [, found] = await closed({code: 1006, reason: ""}, tap, ["response.created", {}]);
  equal(found, "The connection to the server was lost, or the server has no conversation to offer.");
}

const turn = (says) => ["speech_started", "speech_stopped", "committed"].forEach((kind) => says(`input_audio_buffer.${kind}`));
const asked = (heard) => kinds(heard).filter((type) => type.startsWith("response."));

export function an_answer_that_is_on_its_way_can_be_interrupted() {
  const {talk, heard, says} = conversation(true);
  turn(says);
  talk.interrupt();
  equal([talk.state, asked(heard)], ["listening", []]);
  says("response.created");
  equal([talk.state, asked(heard)], ["listening", ["response.cancel"]]);
  let written = 0;
  talk.addEventListener("line", () => written++);
  for (const kind of ["audio_transcript.delta", "audio.delta", "audio_transcript.done"]) {
    says(`response.output_${kind}`, {item_id: "a", delta: ""});
  }
  says("response.done", {response: {status: "cancelled"}});
  equal([talk.state, written], ["listening", 0]);
}

export function what_is_said_after_an_interruption_is_answered() {
  for (const ended of [["response.created"], [`${TRANSCRIPTION}.completed`, {item_id: "a", transcript: ""}], []]) {
    const {talk, heard, says} = conversation(true);
    turn(says);
    talk.interrupt();
    if (ended.length) says(...ended);
    if (ended[0] === "response.created") says("response.done", {response: {status: "cancelled"}});
    const before = asked(heard).length;
    turn(says);
    says("response.created");
    equal([talk.state, asked(heard).length], ["thinking", before], ended[0]);
  }
}

export function an_answer_that_is_asked_for_can_be_interrupted_by_holding() {
  const {talk, heard, says} = conversation(false);
  talk.hold();
  talk.release();
  says("input_audio_buffer.committed");
  talk.hold();
  says("response.created");
  talk.release();
  says("response.done", {response: {status: "cancelled"}});
  says("input_audio_buffer.committed");
  says("response.created");
  equal([talk.state, asked(heard)], ["thinking", ["response.create", "response.cancel", "response.create"]]);
}

export function an_interruption_before_the_answer_is_asked_for_leaves_nothing_to_ask() {
  const {talk, heard, says} = conversation(false);
  talk.hold();
  talk.release();
  talk.interrupt();
  says("input_audio_buffer.committed");
  equal([talk.state, asked(heard)], ["listening", []]);
}

export function what_cannot_be_answered_yet_is_asked_for_again() {
  const {talk, heard, says} = conversation(false);
  says("response.created");
  talk.hold();
  talk.release();
  says("input_audio_buffer.committed");
  says("error", {error: {code: "conversation_already_has_active_response", message: "wait"}});
  equal(asked(heard), ["response.cancel", "response.create"]);
  says("response.done", {response: {status: "cancelled"}});
  equal(asked(heard), ["response.cancel", "response.create", "response.create"]);
}
