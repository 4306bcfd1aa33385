// @ts-check
// The page of a race: several runs side by side, who leads, their losses, and a slider that moves all of them.
//
// `race-state.js` holds the lanes and the moment; `lane.js` shows one of them, `race-sentence.js` says who leads, and
// `race-chart.js` draws the losses. What a run's own page draws in the same way comes from modules that keep no state.
import * as api from "./api.js";
import { alert, confirm } from "./dialogs.js";
import { button, el, write } from "./draw.js";
import { laneCard } from "./lane.js";
import { paces } from "./pace.js";
import { player } from "./player.js";
import { lossChart } from "./race-chart.js";
import { diverged, sentence } from "./race-sentence.js";
import * as store from "./race-state.js";
import { race } from "./race-state.js";
import * as text from "./text.js";
import { t } from "./text.js";
import * as theme from "./theme.js";
/** @import { Change } from "./race-state.js" */
/** @import { Texts } from "./types.js" */

/** @typedef {{ render: (changes: Set<Change>) => void }} Part */

/** The parts that are built anew in another language. @type {Part[]} */
let parts = [];

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const rests = () => race.lanes.some(({ now }) => now.mode === "resting");
const mayAct = () => race.canAct && !store.allEnded();
/** @param {string} act */
const act = (act) => void api.post("/api/act", { act }).catch(alert);
const toggle = () => mayAct() && act(rests() ? "go_on" : "pause");

async function stop() {
  if (await confirm(t("race.stop_sure"), t("page.stop"))) act("stop");
}

function repaint() {
  theme.showTheme();
  store.changed("theme");
}

/** @returns {Part} */
function bar() {
  const pace = paces((seconds) => void api.post("/api/pace", { seconds }).catch(alert));
  const pause = button("page.pause", toggle, "strong");
  byId("acts").replaceChildren(pace.element, pause);
  const end = button("page.stop", stop);
  const box = el("div", { class: "menu-box" }, el("button", { type: "button", id: "language", text: t("page.language"), onclick: nextLanguage }),
    el("button", { type: "button", id: "theme", onclick: () => { theme.nextTheme(); repaint(); } }), end);
  byId("menu").replaceChildren(el("summary", { "aria-label": t("page.menu"), text: "⋯" }), box);
  /** @type {[key: string, mode: string, sign: string]} */
  const going = ["page.mode_training", "training", "●"];

  function render() {
    const [key, mode, sign] = store.allEnded() ? ["page.mode_ended", "ended", "■"] : rests() ? ["page.mode_resting", "resting", "❚❚"] : going;
    const isLost = !race.connected && !store.allEnded();
    write(byId("mode"), isLost ? `⚠ ${t("page.no_connection")}` : `${sign} ${t(key)}`);
    byId("mode").dataset.mode = isLost ? "lost" : mode;
    byId("acts").hidden = end.hidden = !mayAct();
    pace.show(race.lanes.find((lane) => !store.hasEnded(lane))?.now.pace ?? null);
    write(pause, t(rests() ? "page.go_on" : "page.pause"));
  }

  return { render };
}

/** @returns {Part & { element: HTMLElement }} */
function say() {
  const said = el("h1", { class: "said", id: "said", "aria-live": "polite" });
  const when = el("p", { class: "when" });
  const arrow = (/** @type {string} */ sign, /** @type {string} */ key, /** @type {number} */ by) =>
    el("button", { type: "button", class: "quiet", text: sign, "aria-label": t(key), title: t(key), onclick: () => store.nextPicture(by) });
  const picks = el("div", { class: "picks", role: "group", "aria-label": t("race.picture") },
    el("span", { class: "note", text: t(race.lanes[0].run.data.kind === "pictures" ? "race.picture" : "page.sample") }), arrow("◀", "page.previous_row", -1), arrow("▶", "page.next_row", 1));
  const [{ scene }] = race.lanes;
  picks.hidden = !scene?.pictures || Boolean(scene.grid);
  const element = el("section", { class: "say", "aria-label": t("page.sentence") }, el("div", {}, said, when), picks);

  function render() {
    const { words, interval, step } = sentence();
    said.setAttribute("aria-live", race.moment === null ? "polite" : "off");
    write(said, words);
    said.title = interval;
    const isOver = race.moment === null && store.allEnded();
    const measured = step === null || isOver || step === stepOfMoment() ? [] : [t("say.measured_at", { step: text.count(step) })];
    write(when, [...diverged(), isOver ? t("race.ended") : momentName(), ...measured].join(" · "));
  }

  return { element, render };
}

const stepOfMoment = () => race.moment ?? Math.max(...race.lanes.map(({ now }) => now.step));

function momentName() {
  const step = stepOfMoment();
  if (race.moment === 0) return t("page.at_random");
  const perEpoch = store.stepsPerEpoch();
  if (perEpoch === null) return t("race.at_step", { step: text.count(step) });
  const values = { epoch: text.epoch(step / perEpoch), step: text.count(step) };
  if (race.moment !== null) return t("page.at_moment", values);
  return t(store.allEnded() ? "page.at_last" : "page.at_now", values);
}

/** @returns {Part & { element: HTMLElement }} */
function lanes() {
  const cards = race.lanes.map(laneCard);
  const element = el("div", { class: "lanes" }, ...cards.map((card) => card.element));
  return { element, render: (changes) => cards.forEach((card) => card.render(changes)) };
}

/** Moves all lanes to one step. @returns {Part & { moveTo: (i: number) => void, step: (by: number) => void, stop: () => void }} */
function strip() {
  const played = player({ count: () => store.stops().length, index: () => index(), moment: () => race.moment, show: moveTo });
  const slider = el("input", { type: "range", id: "slider", min: 0, max: 0, value: 0, step: 1, "aria-label": t("page.time") });
  slider.addEventListener("input", () => moveTo(Number(slider.value)));
  const live = el("button", { type: "button", class: "live", onclick: () => store.setMoment(null) });
  const moment = el("output", { id: "moment", for: "slider" });
  byId("strip").replaceChildren(el("section", { class: "race-strip", "aria-label": t("page.time") }, played.button, slider, moment, live));
  const index = () => (race.moment === null ? store.stops().length - 1 : store.stops().findLastIndex((step) => step <= (race.moment ?? 0)));

  /** @param {number} i */
  function moveTo(i) {
    const all = store.stops();
    store.setMoment(i >= all.length - 1 ? null : all[Math.max(0, i)]);
  }

  function render() {
    played.render();
    slider.max = String(Math.max(0, store.stops().length - 1));
    slider.value = String(index());
    write(moment, momentName());
    slider.setAttribute("aria-valuetext", momentName());
    write(live, t(store.allEnded() ? "page.latest" : "page.live"));
    live.setAttribute("aria-pressed", String(race.moment === null));
  }

  return { render, moveTo, step: (by) => moveTo(index() + by), stop: played.stop };
}

/** @type {ReturnType<typeof strip> | undefined} */
let slider;

function build() {
  const [sentence, cards, losses] = [say(), lanes(), lossChart()];
  byId("main").replaceChildren(sentence.element, cards.element, losses.element);
  // What plays would go on beside what is built anew.
  slider?.stop();
  slider = strip();
  parts = [bar(), sentence, cards, losses, slider];
  write(byId("run-name"), t("race.of", { name: race.name }));
  document.title = `${t("race.of", { name: race.name })} · klubok`;
  theme.showTheme();
  render(new Set(["all"]));
}

/** @param {Set<Change>} changes */
const render = (changes) => parts.forEach((part) => part.render(changes));

function nextLanguage() {
  text.choose(text.lang === "en" ? "ru" : "en");
  text.apply();
  build();
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const target = event.target instanceof HTMLElement ? event.target : document.body;
  const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (event.key === " " && !target.closest("button, summary")) toggle();
  else if (move && target.id !== "slider") slider?.step(move);
  else if (event.key === "Home") slider?.moveTo(0);
  else if (event.key === "End") slider?.moveTo(Infinity);
  else return;
  event.preventDefault();
}

async function start() {
  theme.showTheme();
  text.take(/** @type {Texts} */ (await api.get("/api/texts")));
  text.apply();
  await store.start();
  build();
  store.subscribe(render);
  addEventListener("keydown", onKey);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  addEventListener("click", (event) => {
    const menu = /** @type {HTMLDetailsElement} */ (byId("menu"));
    if (event.target instanceof Node && !menu.querySelector("summary")?.contains(event.target)) menu.open = false;
  });
  requestAnimationFrame(() => document.documentElement.classList.add("ready"));
}

start().catch(alert);
