// @ts-check
// The bar: the parts of the page, the phase, what a person may do to the training, and the menu. What is shown stands in the
// address, so that it can be sent as a link.
import { act, mayAct, modeText, setPace, stop, toggleTraining } from "./acts.js";
import { button, el, write } from "./draw.js";
import { paces } from "./pace.js";
import { phaseName } from "./phases.js";
import { mayBeSaved } from "./save-film.js";
import * as store from "./state.js";
import { state } from "./state.js";
import { t } from "./text.js";
/** @import { Change } from "./state.js" */

/** The parts of the page, with the keys of their names. */
export const TABS = [["watch", "page.tab_watch"], ["look", "page.tab_look"], ["good", "page.tab_good"], ["lab", "page.tab_lab"]];

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** Builds the bar in the language that is chosen. @param {{ save: () => void, language: () => void, theme: () => void, help: () => void }} menu */
export function bar(menu) {
  const tabs = TABS.map(([name, key]) => el("button", {
    type: "button", role: "tab", id: `tab-of-${name}`, "aria-controls": `tab-${name}`, text: t(key), onclick: () => store.setTab(name),
  }));
  const list = byId("tabs");
  list.replaceChildren(...tabs);
  list.onkeydown = (event) => {
    const at = tabs.findIndex((tab) => tab === document.activeElement);
    const move = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    if (at < 0 || move === 0) return;
    event.preventDefault();
    event.stopPropagation();
    const next = (at + move + tabs.length) % tabs.length;
    store.setTab(TABS[next][0]);
    tabs[next].focus();
  };
  const toggle = button("page.pause", toggleTraining, "strong");
  const single = button("page.one_step", () => act({ act: "one_step" }));
  const pace = paces(setPace);
  byId("acts").replaceChildren(pace.element, single, toggle);
  const save = el("button", { type: "button", id: "save-film", text: t("page.save_film"), onclick: menu.save });
  const language = el("button", { type: "button", id: "language", text: t("page.language"), onclick: menu.language });
  const box = el("div", { class: "menu-box" }, save, language, el("button", { type: "button", id: "theme", onclick: menu.theme }),
    button("page.help", menu.help), button("page.stop", stop));
  byId("menu").replaceChildren(el("summary", { "aria-label": t("page.menu"), text: "⋯" }), box);

  let shownTab = state.tab;

  /** @param {Set<Change>} changes */
  function render(changes) {
    const phase = store.phase();
    const chip = byId("phase");
    chip.dataset.phase = phase?.name ?? "none";
    write(chip, phase ? phaseName(phase) : "");
    chip.hidden = !phase;
    const mode = byId("mode");
    write(mode, modeText());
    mode.dataset.mode = state.connected ? state.now.mode : "lost";
    byId("acts").hidden = !mayAct();
    const rests = state.now.mode === "resting";
    single.hidden = !rests;
    // Whoever watches a show, or rests, may want another pace.
    pace.element.hidden = !rests && state.now.pace === null;
    pace.show(state.now.pace);
    write(toggle, t(rests ? "page.go_on" : "page.pause"));
    /** @type {HTMLElement} */ (box.lastElementChild).hidden = !mayAct();
    save.hidden = !mayBeSaved();
    if (changes.has("tab") || changes.has("run")) renderTabs(tabs);
    if (state.tab !== shownTab) scrollTo(0, 0);
    shownTab = state.tab;
  }
  return render;
}

/** @param {HTMLElement[]} tabs */
function renderTabs(tabs) {
  TABS.forEach(([name], i) => {
    const chosen = state.tab === name;
    tabs[i].setAttribute("aria-selected", String(chosen));
    tabs[i].tabIndex = chosen ? 0 : -1;
    byId(`tab-${name}`).hidden = !chosen;
  });
}

/** Takes what the address says: the tab, the moment, the unit. */
export function readAddress() {
  const said = new URLSearchParams(location.hash.slice(1));
  const tab = said.get("tab");
  if (tab && TABS.some(([name]) => name === tab)) store.setTab(tab);
  const at = said.get("at");
  if (at !== null && /^\d+$/.test(at)) store.setMoment(Number(at));
  const [layer, unit] = (said.get("unit") ?? "").split(".");
  const units = state.run.network.layers.find(({ name }) => name === layer)?.units ?? 0;
  if (/^\d+$/.test(unit ?? "") && Number(unit) < units) store.setNeuron(layer, Number(unit));
  // What it names and there is not goes from it.
  store.changed("tab");
}

/** Writes into the address what is shown. @param {Set<Change>} changes */
export function writeAddress(changes) {
  if (!["tab", "moment", "neuron"].some((what) => changes.has(/** @type {Change} */ (what)))) return;
  const said = new URLSearchParams();
  if (state.tab !== "watch") said.set("tab", state.tab);
  if (state.moment !== null) said.set("at", String(state.moment));
  if (state.neuron.unit !== null) said.set("unit", `${state.neuron.layer}.${state.neuron.unit}`);
  const hash = said.toString();
  try {
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  } catch {
    // A browser may limit how often it is changed.
  }
}
