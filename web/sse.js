// Server-sent events out of text that comes in any pieces: https://html.spec.whatwg.org/multipage/server-sent-events.html

export class EventReader {
  #rest = "";
  #data = [];

  /** The data of each event that this piece completes. */
  feed(piece) {
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line) {
    if (line === "") return this.#event();
    if (line.startsWith("data:")) this.#data.push(line.slice(5).replace(/^ /, ""));
    return [];
  }

  #event() {
    const data = this.#data.splice(0);
    return data.length ? [data.join("\n")] : [];
  }
}

/** The events of a response, each as it comes. */
export async function* events(response) {
  const reader = new EventReader();
  for await (const piece of pieces(response.body.pipeThrough(new TextDecoderStream()))) yield* reader.feed(piece);
}

/** What comes out of a stream. Leaving the loop cancels it. Not every browser can loop over a stream itself. */
export async function* pieces(stream) {
  const reader = stream.getReader();
  try {
    for (let read; !(read = await reader.read()).done; ) yield read.value;
  } finally {
    reader.cancel().catch(() => {});
  }
}
