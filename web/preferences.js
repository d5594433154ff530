// What the user has chosen, kept in this browser, and the dialog where it is chosen.

import {find, make} from "./dom.js";
import {ask, key} from "./server.js";

const STORE = "fireside.preferences";
const BEGINNING = {model: "", voice: "", instructions: "", temperature: "", aloud: false, theme: ""};

export const chosen = {...BEGINNING, ...stored()};

function stored() {
  try {
    return JSON.parse(localStorage.getItem(STORE)) ?? {};
  } catch {
    return {};
  }
}

export function choose(change) {
  Object.assign(chosen, change);
  localStorage.setItem(STORE, JSON.stringify(chosen));
}

export function preferences() {
  const dialog = find("#preferences");
  find("#open-preferences").onclick = () => open(dialog);
  for (const name of ["model", "voice", "instructions"]) field(name).onchange = ({target}) => choose({[name]: target.value.trim()});
  field("aloud").onchange = ({target}) => choose({aloud: target.checked});
  temperature();
  find("#key").onchange = ({target}) => key.set(target.value.trim());
  find("#show-key").onclick = ({currentTarget}) => reveal(currentTarget);
}

const field = (name) => find(`#preferences [name="${name}"]`);

/** Where the key is entered: for what the server refuses without it. */
export function enterKey() {
  open(find("#preferences"));
  find("#key").focus();
}

function open(dialog) {
  field("instructions").value = chosen.instructions;
  field("aloud").checked = chosen.aloud;
  find("#key").value = key.get();
  dialog.showModal();
  fill("model", "v1/models", ({kind}) => kind === "text");
  fill("voice", "v1/audio/voices", () => true);
}

/** The names that the server has now; what was chosen before stays, though it may be loading just now. */
async function fill(name, path, wanted) {
  const listed = await ask(path).then((answer) => answer.json()).catch(() => ({data: []}));
  const names = listed.data.filter(wanted).map(({id}) => id);
  if (chosen[name] && !names.includes(chosen[name])) names.unshift(chosen[name]);
  const options = names.map((value) => make("option", {value, selected: value === chosen[name]}, value));
  field(name).replaceChildren(make("option", {value: ""}, "The server’s own choice"), ...options);
}

function temperature() {
  const range = field("temperature");
  const show = () => {
    find("#temperature-shown").textContent = chosen.temperature === "" ? "the model’s own" : Number(chosen.temperature).toFixed(1);
    find("#temperature-reset").disabled = chosen.temperature === "";
  };
  range.value = chosen.temperature === "" ? 0.7 : chosen.temperature;
  range.oninput = () => (choose({temperature: range.value}), show());
  find("#temperature-reset").onclick = () => (choose({temperature: ""}), show());
  show();
}

function reveal(button) {
  const hidden = find("#key").type === "password";
  find("#key").type = hidden ? "text" : "password";
  button.textContent = hidden ? "Hide" : "Show";
  button.setAttribute("aria-pressed", hidden);
}
