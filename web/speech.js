// Speech from POST /v1/audio/speech, played while it is made.

import {Framer} from "./pcm.js";
import {chosen} from "./preferences.js";
import {ask} from "./server.js";
import {session} from "./session.js";
import {pieces} from "./sse.js";

/**
 * Plays `wanted` (OpenAI's request) as the utterance `id`; returns once all of it has come.
 * Without a model: whichever has the voice. Raises Refused.
 */
export async function speak(player, id, wanted, signal) {
  const voice = chosen.voice ? {voice: chosen.voice} : {};
  const began = performance.now();
  const response = await ask("v1/audio/speech", {body: {model: "", ...voice, ...wanted, response_format: "pcm"}, signal});
  await player.wake();
  const framer = new Framer();
  let first = true;
  for await (const bytes of pieces(response.body)) {
    if (signal?.aborted) break;
    if (first) session.ttfa.add((performance.now() - began) / 1000);
    first = false;
    player.play(id, framer.feed(bytes));
  }
  player.close(id);
}
