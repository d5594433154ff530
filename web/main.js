// The page: four screens, of which one is shown, and what they share.

import {Chat} from "./chat.js";
import {find} from "./dom.js";
import {Figures} from "./figures.js";
import {Player} from "./player.js";
import {preferences} from "./preferences.js";
import {Status} from "./status.js";
import {Talk} from "./talk.js";
import {theme} from "./theme.js";
import {Voices} from "./voices.js";

theme();
preferences();
const status = new Status();
const player = new Player(find("#player"));
const screens = {
  chat: new Chat(player),
  talk: new Talk(player, status),
  voices: new Voices(player, status),
  figures: new Figures(status),
};
// During a talk the sound is an answer, of which more would come: that ends, too.
player.element.onclick = () => (screens.talk.live ? screens.talk.interrupt() : player.flush());

function show() {
  const name = location.hash.slice(1) in screens ? location.hash.slice(1) : "chat";
  for (const [other, screen] of Object.entries(screens)) {
    find(`#${other}`).hidden = other !== name;
    mark(find(`nav a[href="#${other}"]`), other === name);
    (other === name ? screen.open : screen.close)?.call(screen);
  }
  document.title = `${find(`#${name} h1`).textContent} · Fireside`;
}

/** Not toggled: ARIA takes an empty aria-current as false. */
function mark(link, current) {
  if (current) link.setAttribute("aria-current", "page");
  else link.removeAttribute("aria-current");
}

// Not by its address, which names the screen.
find(".skip").onclick = (event) => (event.preventDefault(), find("main").focus());
addEventListener("hashchange", () => (show(), find("main").focus({preventScroll: true})));
show();
status.watch();
