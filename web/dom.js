// Elements without strings of HTML: nothing that a model or a server says can become markup.

/** `make("p.note", {hidden: true, onclick}, "text", child)`: properties, `data-`, `aria-` and other attributes, and children. */
export function make(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) set(element, key, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function set(element, key, value) {
  if (key in element && !key.includes("-")) element[key] = value;
  else if (value !== null && value !== false) element.setAttribute(key, value);
}

const SVG = "http://www.w3.org/2000/svg";

/** One of the drawings at the beginning of index.html. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** The sign of an engine or an answer: lit, smouldering or cold by the styles. */
export const ember = () => make("span.ember", {"aria-hidden": "true"});

/** What went wrong, in words: the inside of an element that shows it. */
export const problem = (words) => [icon("alert"), make("span", {}, words)];

export const find = (selector, within = document) => within.querySelector(selector);

/** Puts text on the clipboard, on a page without https too, where there is no other way than the old one. */
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = make("textarea", {value: text, className: "unseen"});
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
