// @ts-check
// The page as a whole: its panels, what the reader chose, the slider, the keyboard, and the start.
//
// How the modules fit together, from the bottom up: `text.js` has the words, `dialogs.js` says a problem, `api.js` asks the
// server or the report. `state.js` holds the story of the run and the moment that is shown, and tells its readers what changed.
// `draw.js` makes elements and pictures, `chart.js` line charts; `target.js` and `phases.js` know what is said differently for
// classes, labels and numbers, and for the phases. Each panel is a module that exports what `panels.js` defines with `panel`;
// `panels.js` shows those that apply to the run, asks for what they look at, and renders them when it changed. This file has
// them in order. `types.js` says what the server answers.
import * as api from "./api.js";
import { alert } from "./dialogs.js";
import { el, forgetColours, write } from "./draw.js";
import { answers } from "./panel-answers.js";
import { cloud } from "./panel-cloud.js";
import { curves } from "./panel-curves.js";
import { data } from "./panel-data.js";
import { excites } from "./panel-excites.js";
import { features } from "./panel-features.js";
import { layers } from "./panel-layers.js";
import { lesions } from "./panel-lesions.js";
import { map } from "./panel-map.js";
import { motion } from "./panel-motion.js";
import { network } from "./panel-network.js";
import { neuron } from "./panel-neuron.js";
import { picture } from "./panel-picture.js";
import { repeat } from "./panel-repeat.js";
import { runs } from "./panel-runs.js";
import { sentence } from "./panel-sentence.js";
import { status, toggleTraining } from "./panel-status.js";
import { suspects } from "./panel-suspects.js";
import { terrain } from "./panel-terrain.js";
import * as panels from "./panels.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { remembered, t } from "./text.js";
/** @import { Texts } from "./types.js" */

// The panels in the order of the page.
const PANELS = [
  status, sentence, curves, picture, map, network, features, excites, layers, cloud, neuron, motion, terrain, answers, data, lesions,
  suspects, runs, repeat,
];

const REPLAY_MS = 8000;
/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const [helpDialog, slider] = [/** @type {HTMLDialogElement} */ (byId("help")), /** @type {HTMLInputElement} */ (byId("slider"))];
const phone = matchMedia("(max-width: 760px)");
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// Theme: as the system is, light or dark.
/** @type {{ [theme: string]: [sign: string, key: string] }} */
const themes = { auto: ["◐", "page.theme_auto"], light: ["☀", "page.theme_light"], dark: ["☾", "page.theme_dark"] };
let theme = remembered.get("klubok-theme") || "auto";

function showTheme() {
  document.documentElement.dataset.theme = theme;
  const [sign, key] = themes[theme] || themes.auto;
  write(byId("theme"), sign);
  byId("theme").setAttribute("aria-label", t(key));
  byId("theme").title = t(key);
  forgetColours();
  store.changed("theme");
}

function nextTheme() {
  const names = Object.keys(themes);
  theme = names[(names.indexOf(theme) + 1) % names.length];
  remembered.set("klubok-theme", theme);
  showTheme();
}

// Language: the button names the other one, in that language.
function showLanguage() {
  text.apply();
  const other = text.lang === "en" ? "ru" : "en";
  write(byId("language"), { en: "English", ru: "Русский" }[other]);
  byId("language").lang = other;
  write(byId("replay"), `▶ ${t("page.replay")}`);
  const keys = [[t("page.space"), "page.key_space"], ["← →", "page.key_arrows"], ["Home", "page.key_home"], ["End", "page.key_end"], ["?", "page.key_help"]];
  byId("help-keys").replaceChildren(...keys.flatMap(([key, what]) => [el("dt", {}, el("kbd", { text: key })), el("dd", { text: t(what) })]));
  showTheme();
}

function nextLanguage() {
  text.choose(text.lang === "en" ? "ru" : "en");
  showLanguage();
  panels.build();
  panels.renderAll(new Set(["shown", "run", "story"]));
  renderTime();
}

// The slider: one stop for each measured line, so that the first steps, where most happens, are not a dot at its left end.
let drawnPhases = "";
function renderTime() {
  const last = Math.max(0, state.lines.length - 1);
  slider.max = String(last);
  slider.value = String(store.isLive() ? last : store.index());
  const line = store.line();
  const words = line ? t("page.moment", { epoch: text.epoch(store.epoch()), step: text.count(store.isLive() ? state.now.step : line.step) }) : t("page.nothing_measured");
  const goesOn = !api.isReport && state.now.mode !== "ended";
  write(byId("live"), goesOn ? t("page.live") : t("page.latest"));
  const live = store.isLive() && goesOn ? ` · ${t("page.live")}` : "";
  write(byId("moment"), words);
  slider.setAttribute("aria-valuetext", words + live);
  byId("live").setAttribute("aria-pressed", String(store.isLive()));
  const key = JSON.stringify([state.phases, last]);
  if (key !== drawnPhases) {
    drawnPhases = key;
    renderPhases(last);
  }
}

/** @param {number} last */
function renderPhases(last) {
  const at = (/** @type {number} */ epoch) => {
    const i = state.lines.findIndex((line) => line.epoch >= epoch);
    return ((i < 0 ? last : i) / Math.max(1, last)) * 100;
  };
  byId("time-phases").replaceChildren(...state.phases.map((phase) => {
    const band = el("span", { "data-phase": phase.name });
    band.style.left = `${at(phase.start)}%`;
    band.style.width = `${Math.max(0.5, at(phase.end) - at(phase.start))}%`;
    band.style.opacity = String(0.4 + 0.6 * phase.certainty);
    return band;
  }));
}

// Runs through the story in about eight seconds; for those who want no motion, in ten stops.
/** @type {number | undefined} */
let playing;
function replay() {
  if (playing) return stopReplay();
  const last = state.lines.length - 1;
  if (last < 1) return undefined;
  const stops = Math.min(last, calm.matches ? 10 : 80);
  let stop = 0;
  const next = () => {
    store.moveTo(Math.round((stop / stops) * last));
    if (stop++ >= stops) stopReplay();
  };
  playing = setInterval(next, REPLAY_MS / stops);
  write(byId("replay"), `■ ${t("page.replay_stop")}`);
  return next();
}

function stopReplay() {
  clearInterval(playing);
  playing = undefined;
  write(byId("replay"), `▶ ${t("page.replay")}`);
}

/** Keys work where they do not already mean something. @param {KeyboardEvent} event */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  // Right after a dialog was closed, a browser may still send keys to its button.
  const at = event.target instanceof HTMLElement ? event.target : document.body;
  const target = at.closest("dialog") ? document.body : at;
  const typing = target.closest("input:not([type=range]), select, textarea");
  const pressing = target.closest("button, summary, label, a");
  const scrolling = target.closest(".scroll, .flow, pre");
  const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (typing || target.isContentEditable) return;
  if (event.key === "?") helpDialog.showModal();
  else if (event.key === " " && !pressing) toggleTraining();
  else if (move && !scrolling) store.moveTo(store.index() + move);
  else if (event.key === "Home" && !scrolling) store.moveTo(0);
  else if (event.key === "End" && !scrolling) store.setMoment(null);
  else return;
  event.preventDefault();
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
  forgetColours();
  if (printing) panels.renderForPrint();
  else panels.renderAll(new Set(["theme", "shown"]));
}

function listen() {
  byId("theme").addEventListener("click", nextTheme);
  byId("language").addEventListener("click", nextLanguage);
  byId("help-button").addEventListener("click", () => helpDialog.showModal());
  byId("replay").addEventListener("click", replay);
  byId("live").addEventListener("click", () => store.setMoment(null));
  slider.addEventListener("input", () => {
    if (playing) stopReplay();
    store.moveTo(Number(slider.value));
  });
  addEventListener("keydown", onKey);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
  addEventListener("beforeprint", () => forPrint(true));
  addEventListener("afterprint", () => forPrint(false));
  // A file that misses the drop zone must not replace the page.
  for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
}

async function start() {
  document.documentElement.dataset.theme = theme;
  document.documentElement.classList.toggle("report", api.isReport);
  text.take(/** @type {Texts} */ (await api.get("/api/texts")));
  showLanguage();
  await store.start();
  listen();
  // On a phone the panels that go deeper are sheets to be opened.
  panels.start(byId("main"), PANELS, phone.matches);
  store.subscribe(renderTime);
  renderTime();
  // What is not there yet takes no room; shown all at once, nothing moves.
  requestAnimationFrame(() => document.documentElement.classList.add("ready"));
  document.title = `${state.run.name} · klubok`;
}

start().catch(alert);
