// @ts-check
// The page as a whole: its parts with their panels, what the reader chose, the keyboard, and the start.
//
// How the modules fit together, from the bottom up: `text.js` has the words, `dialogs.js` says a problem, `api.js` asks the
// server or the report. `state.js` holds the story of the run and the moment that is shown, and tells its readers what changed;
// `film.js` has the snapshots, `moments.js` the names of moments. `draw.js` makes elements and pictures, `chart.js` line charts;
// `target.js` and `phases.js` know what is said differently for classes, labels and numbers, and for the phases; `acts.js` does
// something to the training.
// A race has a page of its own, `race.js`. What both draw keeps no state: `snapshot.js` unpacks what a film holds, `plane.js`,
// `says.js` and `stage-flow.js` draw of it, `pace.js` and `theme.js` are choices in the bar; `readers.js` tells of changes,
// `lines.js` merges logs, `player.js` plays a film.
// `looks.js` asks the server for looks, `chosen.js` knows the sample that the whole page looks at.
// `stage.js` is the first screen, made of the modules that begin with `stage-`; `strip.js` is the film strip, `tabs.js` the bar.
// `save-film.js` makes a file of the film: `film-frame.js` draws a frame of it, `gif.js` encodes them.
// `flow-marks.js` draws units and edges for the stage and for the network, whose drawing is made of the modules that begin with
// `network-`; `rove.js` lets the arrow keys go through many buttons.
// Each panel is a module that exports what `panels.js` defines with `panel`; `panels.js` shows those that apply to the run,
// asks for what they look at, and renders them when it changed. This file has them in order. `types.js` says what the server
// answers.
import { toggleTraining } from "./acts.js";
import * as api from "./api.js";
import * as chosen from "./chosen.js";
import { alert } from "./dialogs.js";
import { el, forgetColours, write } from "./draw.js";
import * as film from "./film.js";
import { answers } from "./panel-answers.js";
import { cloud } from "./panel-cloud.js";
import { curves } from "./panel-curves.js";
import { data } from "./panel-data.js";
import { excites } from "./panel-excites.js";
import { features } from "./panel-features.js";
import { layers } from "./panel-layers.js";
import { lesions } from "./panel-lesions.js";
import { motion } from "./panel-motion.js";
import { network } from "./panel-network.js";
import { neuron } from "./panel-neuron.js";
import { picture } from "./panel-picture.js";
import { repeat } from "./panel-repeat.js";
import { runs } from "./panel-runs.js";
import { sentence } from "./panel-sentence.js";
import { status } from "./panel-status.js";
import { suspects } from "./panel-suspects.js";
import { terrain } from "./panel-terrain.js";
import * as panels from "./panels.js";
import { saveFilm } from "./save-film.js";
import { stage } from "./stage.js";
import * as store from "./state.js";
import { state } from "./state.js";
import { strip } from "./strip.js";
import { TABS, bar, readAddress, writeAddress } from "./tabs.js";
import * as text from "./text.js";
import { t } from "./text.js";
import * as theme from "./theme.js";
/** @import { Change } from "./state.js" */
/** @import { Texts } from "./types.js" */

// The panels of each part of the page, in order.
const PANELS = {
  watch: [sentence, curves, status],
  look: [network, features, excites, layers],
  good: [picture, answers, cloud, suspects],
  lab: [motion, terrain, lesions, data, runs, repeat],
  drawer: [neuron],
};

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const helpDialog = /** @type {HTMLDialogElement} */ (byId("help"));
const phone = matchMedia("(max-width: 760px)");

/** The parts that are built anew in another language. @type {{ bar: (changes: Set<Change>) => void, stage: ReturnType<typeof stage>, strip: ReturnType<typeof strip> }} */
let parts;

function repaint() {
  theme.showTheme();
  store.changed("theme");
}

function nextTheme() {
  theme.nextTheme();
  repaint();
}

// Language: the menu names the other one, in that language.
function showLanguage() {
  text.apply();
  const keys = [[t("page.space"), "page.key_space"], ["← →", "page.key_arrows"], ["Home", "page.key_home"], ["End", "page.key_end"], ["?", "page.key_help"]];
  byId("help-keys").replaceChildren(...keys.flatMap(([key, what]) => [el("dt", {}, el("kbd", { text: key })), el("dd", { text: t(what) })]));
}

function nextLanguage() {
  text.choose(text.lang === "en" ? "ru" : "en");
  showLanguage();
  build();
  panels.build();
  render(new Set(["shown", "run", "story", "tab", "film"]));
  panels.renderAll(new Set(["shown", "run", "story"]));
}

function build() {
  parts?.strip.stop();
  const made = strip();
  byId("strip").replaceChildren(made.element);
  parts = {
    bar: bar({ save: saveFilm, language: nextLanguage, theme: nextTheme, help: () => helpDialog.showModal() }),
    stage: stage(byId("stage"), store.setNeuron),
    strip: made,
  };
  byId("close-drawer").setAttribute("aria-label", t("page.close_drawer"));
  repaint();
}

/** @param {Set<Change>} changes */
function render(changes) {
  parts.bar(changes);
  // Shown again, the stage shows what happened meanwhile.
  if (state.tab === "watch") parts.stage.render(changes.has("tab") ? new Set([...changes, "shown"]) : changes);
  parts.strip.render(changes);
  byId("drawer").hidden = state.neuron.unit === null;
  writeAddress(changes);
}

/** Keys work where they do not already mean something. @param {KeyboardEvent} event */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  // Right after a dialog was closed, a browser may still send keys to its button.
  const at = event.target instanceof HTMLElement ? event.target : document.body;
  const target = at.closest("dialog") ? document.body : at;
  const typing = target.closest("input:not([type=range]), select, textarea");
  const pressing = target.closest("button, summary, label, a");
  const scrolling = target.closest(".scroll, pre");
  const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (typing || target.isContentEditable) return;
  if (event.key === "?") helpDialog.showModal();
  else if (event.key === " " && !pressing) toggleTraining();
  else if (event.key === "Escape") leave();
  else if (move && !scrolling) parts.strip.step(move);
  else if (event.key === "Home" && !scrolling) parts.strip.moveTo(0);
  else if (event.key === "End" && !scrolling) store.setMoment(null);
  else return;
  event.preventDefault();
}

/** Closes the menu and the hints unless it is they that are pressed. @param {Node | null} pressed @returns {boolean} whether any was open */
function closePopups(pressed) {
  const open = /** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll("details:is(.menu, .about)[open]"));
  for (const one of open) {
    const own = one.matches(".menu") ? one.querySelector("summary") : one;
    if (!own?.contains(pressed)) one.open = false;
  }
  return open.length > 0;
}

/** Closes what lies on top. */
function leave() {
  if (!closePopups(null)) closeDrawer();
}

function closeDrawer() {
  state.neuron = { layer: state.neuron.layer, unit: null };
  store.changed("neuron");
}

/** @param {boolean} printing */
function forPrint(printing) {
  for (const panel of document.querySelectorAll("details.panel")) {
    if (!(panel instanceof HTMLDetailsElement)) continue;
    if (printing && !panel.open) {
      panel.open = true;
      panel.dataset.closed = "yes";
    } else if (!printing && panel.dataset.closed) {
      panel.open = false;
      delete panel.dataset.closed;
    }
  }
  document.documentElement.classList.toggle("printing", printing);
  // On paper there are no tabs to choose.
  for (const [name] of TABS) byId(`tab-${name}`).hidden = !printing && name !== state.tab;
  forgetColours();
  parts.stage.render(new Set(["shown"]));
  if (printing) panels.renderForPrint();
  else panels.renderAll(new Set(["theme", "shown"]));
}

function listen() {
  byId("close-drawer").addEventListener("click", closeDrawer);
  addEventListener("keydown", onKey);
  addEventListener("hashchange", readAddress);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  addEventListener("beforeprint", () => forPrint(true));
  addEventListener("afterprint", () => forPrint(false));
  addEventListener("click", ({ target }) => closePopups(target instanceof Node ? target : null));
  // A file that misses the picture must not replace the page.
  for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
}

async function start() {
  theme.showTheme();
  document.documentElement.classList.toggle("report", api.isReport);
  text.take(/** @type {Texts} */ (await api.get("/api/texts")));
  showLanguage();
  await store.start();
  await film.start();
  write(byId("run-name"), state.run.name);
  document.title = `${state.run.name} · klubok`;
  readAddress();
  build();
  listen();
  // On a phone the panels that go deeper are sheets to be opened.
  panels.start(PANELS, phone.matches);
  chosen.start();
  store.subscribe(render);
  render(new Set(["shown", "run", "story", "tab", "film"]));
  // What is not there yet takes no room; shown all at once, nothing moves.
  requestAnimationFrame(() => document.documentElement.classList.add("ready"));
}

start().catch(alert);
