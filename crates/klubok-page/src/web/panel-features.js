// @ts-check
// What each layer has learnt: the weights of its units as pictures, at the start, now, and what training added.
import * as api from "./api.js";
import { canvas, choice, drawSigned, el, refill, signedBytes, tilesOf, write } from "./draw.js";
import { panel } from "./panels.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Features, FeatureUnit, Shape } from "./types.js" */
/** @typedef {"start" | "now" | "added"} View */

// From chaos to order takes six seconds; for those who want no motion, in a few stops.
const WHOLE = 6000;
const CALM_STOPS = 8;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let /** @type {HTMLElement} */ grid, /** @type {HTMLElement} */ low, /** @type {HTMLElement} */ high;
let /** @type {HTMLElement} */ note, /** @type {HTMLElement} */ play;
/** @type {number | undefined} */
let playing;
// The moment that is played; null is that of the slider.
/** @type {number | null} */
let played = null;
/** @type {View} */
let view = "added";
// The scales only ever grow: pictures of two moments can be compared.
const limits = { start: 0, added: 0 };
/** @type {number[]} */
let moments = [];

// Only the first layer reads pixels, so only its weights are pictures.
const layer = () => state.run.network.layers[0].name;

function path() {
  // The last moment of which there is a copy that is not after the slider's.
  const moment = played ?? (store.isLive() ? "live" : store.lastUntilMoment(moments));
  return `/api/look/features?layer=${encodeURIComponent(layer())}&moment=${api.isReport ? "live" : moment}`;
}

function start() {
  if (playing || moments.length < 2) return stop();
  const all = moments;
  const stops = Math.min(all.length, calm.matches ? CALM_STOPS : all.length);
  let i = 0;
  const next = () => {
    if (i >= stops) return stop();
    played = all[Math.round((i / (stops - 1)) * (all.length - 1))];
    i += 1;
    write(play, `■ ${t("page.step")} ${text.count(played)}`);
    return store.changed("choice");
  };
  playing = setInterval(next, WHOLE / stops);
  return next();
}

function stop() {
  clearInterval(playing);
  playing = undefined;
  played = null;
  write(play, `▶ ${t("page.play")}`);
  store.changed("choice");
}

/** @param {HTMLElement} body */
function build(body) {
  clearInterval(playing);
  [playing, played] = [undefined, null];
  /** @type {[View, string][]} */
  const views = [["start", t("page.view_start")], ["now", t("page.view_now")], ["added", t("page.view_added")]];
  [low, high] = [el("span", { class: "number" }), el("span", { class: "number" })];
  const legend = el("p", { class: "scale" }, low, el("span", { class: "ramp", "aria-hidden": "true" }), high);
  // What a report has is two moments.
  play = el("button", { type: "button", class: "quiet play", text: `▶ ${t("page.play")}`, onclick: start, hidden: api.isReport });
  note = el("p", { class: "note" });
  grid = el("ul", { class: "features" });
  body.append(el("div", { class: "bar-of-tools" }, legend, choice(t("page.view"), views, view, (chosen) => {
    view = chosen;
    store.changed("choice");
  }), play), note, grid);
}

/** @param {Features} look */
function limitOf({ scale_start = 0, scale_added = 0 }) {
  limits.start = Math.max(limits.start, scale_start);
  limits.added = Math.max(limits.added, scale_added);
  return { start: limits.start, now: Math.max(limits.start, limits.added), added: limits.added }[view];
}

/** @param {FeatureUnit} unit @param {Features} look */
function weights(unit, { scale_start = 0, scale_added = 0 }) {
  const start = Float32Array.from(signedBytes(unit.start), (w) => (w / 127) * scale_start);
  const added = Float32Array.from(signedBytes(unit.added), (w) => (w / 127) * scale_added);
  if (view === "start") return start;
  return view === "added" ? added : start.map((w, i) => w + added[i]);
}

/** Weights that do not belong to pixels have no shape: they are shown as tiles. @param {Shape} look @param {number} n */
function shape(look, n) {
  if (look.height > 1) return look;
  return n <= 64 ? { width: n, height: 1, channels: 1 } : tilesOf(n);
}

/** @param {FeatureUnit} unit @param {Features} look @param {number} limit */
function tile(unit, look, limit) {
  const values = weights(unit, look);
  const norm = text.number(unit.norm_added, 2);
  const picture = canvas(t("page.feature_text", { unit: unit.unit, layer: layer(), norm }), "sample");
  drawSigned(picture, shape(look, values.length), values, limit);
  return el("li", {}, el("button", {
    type: "button", class: "feature", "data-focus": `f${unit.unit}`, onclick: () => store.setNeuron(layer(), unit.unit),
  }, picture, el("span", { class: "caption", text: `${unit.unit} · ${norm}` })));
}

/** @param {Features} look */
function render(look) {
  moments = look.moments;
  const limit = limitOf(look);
  write(low, `−${text.number(limit, 2)}`);
  write(high, `+${text.number(limit, 2)}`);
  const words = { start: t("page.view_start_is"), now: t("page.view_now_is"), added: t("page.view_added_is") }[view];
  write(note, `${words} ${t("page.features_of", { n: look.units.length, all: text.count(look.of) })}`);
  refill(grid, look.units.map((unit) => tile(unit, look, limit)));
}

export const features = panel({
  id: "features", title: "page.features", about: "page.features_about", wide: true, folds: true, path, on: ["choice"], build, render,
});
