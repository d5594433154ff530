// Light or dark: as the system has it, until it is chosen here.

import {find} from "./dom.js";
import {choose, chosen} from "./preferences.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

export function theme() {
  const button = find("#theme");
  const now = () => chosen.theme || (dark.matches ? "dark" : "light");
  const show = () => {
    document.documentElement.dataset.theme = now();
    button.setAttribute("aria-label", now() === "dark" ? "Use the light theme" : "Use the dark theme");
    find("use", button).setAttribute("href", now() === "dark" ? "#icon-sun" : "#icon-moon");
  };
  button.onclick = () => (choose({theme: now() === "dark" ? "light" : "dark"}), show());
  dark.addEventListener("change", show);
  show();
}
