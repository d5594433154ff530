// The parts of the page that need no page. Each function is a test of tests/test_page_units.py.

import {Markdown} from "/web/markdown.js";
import {Framer, RATE, bytes, floats, fromBase64, toBase64} from "/web/pcm.js";
import {Player} from "/web/player.js";
import {Reader} from "/web/reader.js";
import {Resampler} from "/web/resampler.js";
import {key, refusal, socket} from "/web/server.js";
import {EventReader} from "/web/sse.js";
import {Timeline} from "/web/timeline.js";
import {chances, cut, equal, near} from "./check.js";

const tone = (hertz, rate, seconds) => Float32Array.from({length: rate * seconds}, (_, n) => Math.sin((2 * Math.PI * hertz * n) / rate));

export function samples_come_whole_out_of_any_pieces() {
  const sent = Float32Array.from([0, 0.5, -0.5, 1, -1, 0.25, -0.125, 0.75]);
  for (let seed = 1; seed < 60; seed++) {
    const framer = new Framer();
    const found = cut(bytes(sent), chances(seed)).flatMap((piece) => [...framer.feed(piece)]);
    equal(found, [...floats(bytes(sent))]);
  }
}

export function samples_are_little_endian_and_never_wrap() {
  equal([...bytes([0, 1, -1, 2, -2])], [0, 0, 255, 127, 1, 128, 255, 127, 1, 128]);
  equal([...floats(Uint8Array.from([0, 128, 0, 64]))], [-1, 0.5]);
}

export function base64_there_and_back() {
  const all = Uint8Array.from({length: 256}, (_, n) => n);
  equal([...fromBase64(toBase64(all))], [...all]);
}

export function events_come_whole_out_of_any_pieces() {
  const text = ': hello\r\n\r\ndata: {"a": 1}\n\ndata:two\ndata: lines\n\nevent: x\nid: 7\n\ndata: [DONE]\r\n\r\ndata: unfinished';
  for (let seed = 1; seed < 200; seed++) {
    const reader = new EventReader();
    const found = cut(text, chances(seed)).flatMap((piece) => reader.feed(piece));
    equal(found, ['{"a": 1}', "two\nlines", "[DONE]"], `cut ${seed}:`);
  }
}

const PAGE = `# One\n\nA *word* and **two** &amp; \`code\`.\n\n- a\n- b\n  1. c\n\n> told\n\n\`\`\`js\nlet x = 1;\n\nlet y;\n\`\`\`\n
| a | b |\n|---|--:|\n| 1 | 2 |\n\nEnd [there](https://x.example "t") <b>not bold</b>.\n\n---\n\n* last\n\n  of it\n`;

export function markdown_in_any_pieces_is_the_whole() {
  const whole = new Markdown(document.createElement("div"));
  whole.update(PAGE);
  for (let seed = 1; seed < 60; seed++) {
    const grown = new Markdown(document.createElement("div"));
    let text = "";
    for (const piece of cut(PAGE, chances(seed))) grown.update((text += piece));
    grown.finish();
    equal(grown.element.innerHTML, whole.element.innerHTML, `cut ${seed}:`);
  }
}

export function every_block_is_told_once_and_in_order() {
  const grown = new Markdown(document.createElement("div"));
  let text = "";
  const told = [];
  for (const piece of cut(PAGE, chances(7))) told.push(...grown.update((text += piece)));
  told.push(...grown.finish());
  equal(told.map(({raw}) => raw).join(""), PAGE);
}

export function finished_blocks_are_left_alone() {
  const grown = new Markdown(document.createElement("div"));
  grown.update("First.\n\nSec");
  const first = grown.element.firstChild;
  grown.update("First.\n\nSecond.\n\nThird");
  equal(grown.element.firstChild === first, true);
}

export function markdown_never_becomes_markup() {
  const view = new Markdown(document.createElement("div"));
  view.update('<script>x</script>\n\n<img src=x onerror=y> [a](javascript:z) ![b](https://x.example/b.png) &lt;i&gt;\n\n```"><b>\n<u>');
  equal([...view.element.querySelectorAll("script, img, b, i, u")].length, 0);
  equal([...view.element.querySelectorAll("a")].map((a) => a.href), ["https://x.example/b.png"]);
}

export function links_that_are_defined_at_the_end_work() {
  const view = new Markdown(document.createElement("div"));
  view.update("See [it][1].\n\nMore.\n\n[1]: https://x.example/");
  view.finish();
  equal(view.element.querySelector("a")?.href, "https://x.example/");
}

export function pieces_lie_end_to_end() {
  const line = new Timeline(24000, 0.06);
  equal(line.add("a", 480, 1), 24000 + 1440);
  equal(line.add("a", 480, 1.01), 24000 + 1920);
  equal(line.add("b", 480, 1.02), 24000 + 2400);
  equal(line.underruns, 0);
}

export function the_cushion_grows_when_audio_was_late() {
  const line = new Timeline(1000, 0.06);
  line.add("a", 100, 0);
  equal(line.add("a", 100, 0.5), 500 + 120);
  equal([line.underruns, line.cushion], [1, 0.12]);
  for (let now = 10; now < 20; now++) line.add("a", 100, now);
  equal(line.cushion, 1);
}

export function the_end_of_an_utterance_is_no_underrun() {
  const line = new Timeline(1000, 0.06);
  line.add("a", 100, 0);
  line.close("a");
  equal(line.add("a", 100, 5), 5060);
  equal(line.add("b", 100, 9), 9060);
  equal([line.underruns, line.cushion], [0, 0.06]);
}

export function what_was_heard_leaves_out_gaps_and_other_utterances() {
  const line = new Timeline(1000, 0.1);
  line.add("a", 200, 0); // 0.1 to 0.3
  line.add("a", 200, 1); // late: 1.2 to 1.4
  line.add("b", 500, 1.1); // 1.4 to 1.9
  near(line.heard("a", 0.2), 0.1, 1e-9);
  near(line.heard("a", 1.0), 0.2, 1e-9);
  near(line.heard("a", 1.3), 0.3, 1e-9);
  near(line.heard("b", 1.5), 0.1, 1e-9);
  equal([line.current(0.2), line.current(1.5), line.current(2)], ["a", "b", null]);
}

/** Rendered as the browser would play it, and compared with what was sent: a gap, a click or a lost sample shows. */
export async function playing_is_gapless_to_the_sample() {
  const context = new OfflineAudioContext(1, RATE, RATE);
  context.resume = () => Promise.resolve();
  const player = new Player(document.createElement("i"), context);
  player.wake();
  const sent = tone(441, RATE, 0.8);
  for (let at = 0, size = 1; at < sent.length; at += size, size = 1 + ((size * 7) % 997)) player.play("a", sent.slice(at, at + size));
  const heard = (await context.startRendering()).getChannelData(0).slice(0.06 * RATE);
  near(Math.max(...sent.map((sample, n) => Math.abs(sample - heard[n]))), 0, 1e-5);
}

export function a_resampled_tone_is_the_tone() {
  for (const rate of [48000, 44100, 32000, 16000]) {
    const resampler = new Resampler(rate, 24000);
    const made = cut(tone(440, rate, 0.5), chances(rate)).flatMap((piece) => [...resampler.feed(piece)]);
    near(made.length, 12000, 40, `${rate} Hz:`);
    const wanted = tone(440, 24000, 0.5);
    near(Math.max(...made.slice(200, -200).map((sample, n) => Math.abs(sample - wanted[n + 200]))), 0, 0.005, `${rate} Hz:`);
  }
}

export function what_the_rate_cannot_carry_is_left_out() {
  const made = new Resampler(48000, 24000).feed(tone(15000, 48000, 0.5)).slice(200, -200);
  near(Math.max(...made.map(Math.abs)), 0, 0.01);
}

export function refusals_are_told_with_advice() {
  equal(refusal(401, {error: {message: "No key."}}).message, "No key. Enter the API key of this server in the settings.");
  equal(refusal(503, {error: {message: "Full.", code: "overloaded"}}, "5").message, "Full. Try again in 5 s.");
  equal(refusal(502, null).message, "The server answered with status 502.");
}

/** As OpenAI's browser clients do. */
export function a_socket_carries_the_key_as_a_protocol() {
  const real = globalThis.WebSocket;
  globalThis.WebSocket = class {
    constructor(url, protocols) {
      Object.assign(this, {url: String(url), protocols});
    }
  };
  try {
    equal(socket("v1/realtime?model=m").protocols, ["realtime"]);
    key.set("sk-mine");
    equal(socket("v1/realtime").protocols, ["realtime", "openai-insecure-api-key.sk-mine"]);
    equal(socket("v1/realtime").url, `ws://${location.host}/v1/realtime`);
  } finally {
    key.set("");
    globalThis.WebSocket = real;
  }
}

/** What a server is asked to say of `text`, up to "End."; it refuses signs alone, and what is long, as a server does. */
async function read(text) {
  const real = globalThis.fetch;
  const inputs = [];
  const close = () => inputs.at(-1) === "End." && player.end();
  const player = Object.assign(new EventTarget(), {flush() {}, wake() {}, play() {}, close});
  try {
    await new Promise((end, fail) => {
      player.end = end;
      globalThis.fetch = async (_, {body}) => {
        inputs.push(JSON.parse(body).input.trim());
        return new Response("", {status: /\w/.test(inputs.at(-1)) && inputs.at(-1).length < 4096 ? 200 : 400});
      };
      new Reader(player, (words) => fail(new Error(words))).readAll(text);
    });
  } finally {
    globalThis.fetch = real;
  }
  return inputs;
}

export async function what_has_nothing_to_say_does_not_end_the_reading() {
  equal(await read("One.\n\n🎉🎉🎉\n\n✅\n\n…\n\nEnd."), ["One.", "End."]);
}

export async function a_list_is_read_whole_unless_it_is_long() {
  equal(await read("- one\n- two\n\nEnd."), ["- one\n- two", "End."]);
  const item = `- ${"word ".repeat(300).trim()}`;
  equal(await read(`${item}\n${item}\n- 🎉\n${item}\n\nEnd.`), [item, item, item, "End."]);
}
