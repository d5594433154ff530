// Markdown as it is written by a model, straight into elements. Blocks that are finished are left alone while the last ones grow.

import {lexer} from "./vendor/marked.js";
import {copy, icon, make} from "./dom.js";

const ENTITIES = {amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", ndash: "–", mdash: "—", hellip: "…", copy: "©"};
const SAFE = /^(https?:|mailto:|tel:|#)/i;
const DEFINITION = /^ {0,3}\[[^\]]+\]:/m;

export class Markdown {
  #text = "";
  #settled = 0; // characters, and their elements
  #elements = 0;

  constructor(element) {
    this.element = element;
  }

  /** Shows this text, which goes on from the one before; returns the blocks that have just become final, as tokens. */
  update(text) {
    this.#text = text.replace(/\r\n?/g, "\n");
    const blocks = this.#rest();
    return this.#settle(blocks, this.#show(blocks));
  }

  /** Shows all of it, links that are defined at the end too; returns the last blocks. */
  finish() {
    const blocks = this.#rest();
    if (DEFINITION.test(this.#text)) {
      this.#settled = this.#elements = 0;
      this.#show(this.#rest());
    }
    return blocks;
  }

  #rest() {
    return lexer(this.#text.slice(this.#settled));
  }

  /** The elements of each block, which now stand behind the settled ones. */
  #show(blocks) {
    const shown = blocks.map(block);
    while (this.element.childNodes.length > this.#elements) this.element.lastChild.remove();
    this.element.append(...shown.flat());
    return shown;
  }

  /** A block is final once another has begun behind it; a blank line alone is no other. */
  #settle(blocks, shown) {
    const final = Math.max(blocks.findLastIndex((token) => token.type !== "space"), 0);
    this.#settled += blocks.slice(0, final).reduce((sum, token) => sum + token.raw.length, 0);
    this.#elements += shown.slice(0, final).flat().length;
    return blocks.slice(0, final);
  }
}

const BLOCKS = {
  space: () => [],
  def: () => [],
  hr: () => [make("hr")],
  heading: (token) => [make(`h${Math.min(token.depth + 2, 6)}`, {}, inline(token.tokens))],
  paragraph: (token) => [make("p", {}, inline(token.tokens))],
  text: (token) => (token.tokens ? inline(token.tokens) : [plain(token.text)]),
  blockquote: (token) => [make("blockquote", {}, token.tokens.flatMap(block))],
  list: (token) => [make(token.ordered ? "ol" : "ul", token.ordered ? {start: token.start || 1} : {}, token.items.map(item))],
  table: (token) => [table(token)],
  code: (token) => [code(token)],
  html: (token) => [make("p", {}, token.text)],
  checkbox: (token) => [token.checked ? "☑ " : "☐ "],
};

const INLINE = {
  escape: (token) => token.text,
  text: (token) => (token.tokens ? inline(token.tokens) : plain(token.text)),
  html: (token) => token.text,
  br: () => make("br"),
  strong: (token) => make("strong", {}, inline(token.tokens)),
  em: (token) => make("em", {}, inline(token.tokens)),
  del: (token) => make("del", {}, inline(token.tokens)),
  codespan: (token) => make("code", {}, plain(token.text)),
  link: (token) => link(token.href, inline(token.tokens)),
  // A picture from elsewhere would tell its server who reads this: it is a link, to be followed or not.
  image: (token) => link(token.href, [`🖼 ${token.text || token.href}`]),
  checkbox: (token) => (token.checked ? "☑ " : "☐ "),
};

function block(token) {
  return (BLOCKS[token.type] ?? ((unknown) => [make("p", {}, unknown.raw)]))(token);
}

function inline(tokens) {
  return tokens.flatMap((token) => (INLINE[token.type] ?? ((unknown) => unknown.raw))(token));
}

function plain(text) {
  return text.replace(/&(#x?[\da-f]+|[a-z]+);/gi, (whole, name) => (name.startsWith("#") ? character(name) : ENTITIES[name]) ?? whole);
}

function character(name) {
  const code = /^#x/i.test(name) ? parseInt(name.slice(2), 16) : parseInt(name.slice(1), 10);
  return code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}

function link(href, children) {
  return SAFE.test(href) ? make("a", {href, target: "_blank", rel: "noopener noreferrer"}, children) : make("span", {}, children);
}

const item = (token) => make("li", {}, token.tokens.flatMap(block));

function table(token) {
  const cell = (tag) => (one) => make(tag, one.align ? {className: `to-${one.align}`} : {}, inline(one.tokens));
  const head = make("thead", {}, make("tr", {}, token.header.map(cell("th"))));
  const body = make("tbody", {}, token.rows.map((row) => make("tr", {}, row.map(cell("td")))));
  return make("div.table", {tabIndex: 0, role: "region", "aria-label": "Table"}, make("table", {}, head, body));
}

function code(token) {
  const language = (token.lang ?? "").split(/\s/)[0];
  const button = make("button.quiet", {type: "button", onclick: () => told(button, token.text)}, icon("copy"), "Copy");
  const bar = make("div.bar", {}, make("span", {}, language || "text"), button);
  const label = language ? `Code, ${language}` : "Code";
  return make("figure.code", {}, bar, make("pre", {tabIndex: 0, role: "region", "aria-label": label}, make("code", {}, token.text)));
}

/** Copies, and says so for a moment. */
export async function told(button, text) {
  await copy(text);
  const before = [...button.childNodes];
  button.replaceChildren(icon("done"), "Copied");
  setTimeout(() => button.replaceChildren(...before), 1500);
}
