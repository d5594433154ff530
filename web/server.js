// Requests to this server, with the key, and its refusals in words. Addresses are relative: the page may lie below a path of a proxy.

const KEY = "fireside.key";
const PATIENCE = 10_000; // milliseconds

export const key = {
  get: () => localStorage.getItem(KEY) ?? "",
  set: (value) => (value ? localStorage.setItem(KEY, value) : localStorage.removeItem(KEY)),
};

/** What the server, or the way to it, says against a request; `message` is for people. */
export class Refused extends Error {
  constructor(message, status = 0, code = null) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** A response that is ok. Raises Refused. Aborting `signal` raises its AbortError. */
export async function ask(path, {body, signal} = {}) {
  const headers = key.get() ? {Authorization: `Bearer ${key.get()}`} : {};
  const sent = body ? {method: "POST", body: JSON.stringify(body), headers: {...headers, "Content-Type": "application/json"}} : {headers};
  const response = await fetch(path, {...sent, signal, cache: "no-store"}).catch(unreachable);
  if (!response.ok) throw refusal(response.status, await response.json().catch(() => null), response.headers.get("retry-after"));
  return response;
}

/** What the server says of itself. One that accepts this and does not answer cannot be reached either. Raises Refused. */
export async function status() {
  const answer = await ask("v1/status", {signal: AbortSignal.timeout(PATIENCE)});
  return answer.json().catch(unreachable);
}

function unreachable(error) {
  if (error.name === "AbortError") throw error;
  throw new Refused("The server cannot be reached. Is it still running, and are you on its network?");
}

/** OpenAI's error object, in words. */
export function refusal(status, answer, after = null) {
  const {message, code, param} = answer?.error ?? {};
  const said = message ?? (answer?.detail && String(answer.detail)) ?? `The server answered with status ${status}.`;
  return new Refused([said, advice(status, code, param, after)].filter(Boolean).join(" "), status, code);
}

function advice(status, code, param, after) {
  if (status === 401) return "Enter the API key of this server in the settings.";
  if (code === "context_length_exceeded" || param === "input_tokens") return "Begin a new chat, or shorten the question.";
  if (status === 429 || code === "overloaded") return after ? `Try again in ${after} s.` : "Try again in a moment.";
  return "";
}

const TOKEN = /^[\w!#$%&'*+.^`|~-]*$/; // of HTTP, which is all that the name of a subprotocol may be
const UNFIT = "For a talk, a browser sends only keys of letters, digits and !#$%&'*+-.^_`|~: enter such a key in the settings.";

/** A WebSocket with the key as OpenAI's browser clients send it: a browser cannot set headers here. Raises Refused. */
export function socket(path) {
  if (!TOKEN.test(key.get())) throw new Refused(UNFIT);
  const url = new URL(path, document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  return new WebSocket(url, ["realtime", ...(key.get() ? [`openai-insecure-api-key.${key.get()}`] : [])]);
}
