// @ts-check
// The film strip: one frame for each snapshot, the phases under them, bookmarks, and the present. It is the page's slider.
import * as api from "./api.js";
import { contextOf, drawSigned, el, write } from "./draw.js";
import * as film from "./film.js";
import { bestStep, momentName } from "./moments.js";
import { phaseName } from "./phases.js";
import { drawFrame } from "./plane.js";
import { player } from "./player.js";
import { tile, tiles } from "./snapshot.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Change } from "./state.js" */
/** @import { Metrics } from "./types.js" */

/** Width of a frame, at least: of many snapshots the strip shows some, from the first to the last. */
const LEAST_FRAME = 40;

export function strip() {
  const played = player({ count: () => stops().length, index, moment: () => state.moment, show: moveTo });
  const live = el("button", { type: "button", class: "live", "aria-pressed": "true", onclick: () => store.setMoment(null) });
  const frames = el("canvas", { class: "frames", "aria-hidden": "true" });
  const phases = el("div", { class: "strip-phases", "aria-hidden": "true" });
  const marks = el("div", { class: "bookmarks" });
  const slider = el("input", { type: "range", id: "slider", min: 0, max: 0, value: 0, step: 1, "aria-label": t("page.time") });
  slider.addEventListener("input", () => moveTo(Number(slider.value)));
  const moment = el("output", { id: "moment", for: "slider" });
  const track = el("div", { class: "track" }, marks, frames, phases, slider);
  const element = el("section", { class: "strip", id: "time", "aria-label": t("page.time") }, played.button, track, el("div", { class: "strip-end" }, live, moment));
  let drawn = "";

  // The stops: the film's snapshots; without a film, the measured lines.
  const stops = () => (state.film.length > 0 ? state.film : state.lines.map(({ step }) => step));

  // Of a training that goes on, the present lies beyond the last stop.
  const goesOn = () => !api.isReport && !["ended", "following"].includes(state.now.mode);

  function index() {
    const all = stops();
    if (state.moment === null) return all.length - 1;
    const { moment } = state;
    return Math.max(0, all.findLastIndex((step) => step <= moment));
  }

  /** @param {number} i */
  function moveTo(i) {
    const all = stops();
    const last = all.length - 1;
    store.setMoment(i > last || (i >= last && !goesOn()) ? null : all[Math.max(0, i)] ?? null);
  }

  function renderLive() {
    write(live, !api.isReport && state.now.mode !== "ended" ? t("page.live") : t("page.latest"));
    live.setAttribute("aria-pressed", String(store.isLive()));
  }

  // A frame shows the same unit at every moment: the one that changed most.
  function drawFrames() {
    const all = stops();
    const { clientWidth: width, clientHeight: height } = frames;
    if (width === 0 || all.length === 0) return;
    const here = all.filter((step) => film.at(step));
    const key = [width, all.join(), here.length, film.last()?.step, document.documentElement.dataset.theme].join("|");
    if (key === drawn) return;
    drawn = key;
    const scale = devicePixelRatio || 1;
    frames.width = Math.round(width * scale);
    frames.height = Math.round(height * scale);
    const context = contextOf(frames);
    const count = Math.max(1, Math.min(all.length, Math.floor(width / LEAST_FRAME)));
    const each = frames.width / count;
    for (let i = 0; i < count; i++) {
      const picture = frameOf(all[Math.round((i / Math.max(1, count - 1)) * (all.length - 1))]);
      if (!picture) continue;
      const side = Math.min(each, frames.height);
      context.imageSmoothingEnabled = true;
      context.drawImage(picture, i * each + (each - side) / 2 + 0.5, (frames.height - side) / 2, side - 1, side);
    }
  }

  function renderPhases() {
    const all = stops();
    const perEpoch = state.now.steps_per_epoch || 1;
    const share = (/** @type {number} */ epoch) => {
      const i = all.findIndex((step) => step >= epoch * perEpoch);
      return ((i < 0 ? all.length : i) / Math.max(1, all.length)) * 100;
    };
    phases.replaceChildren(...state.phases.map((phase) => {
      const band = el("span", { "data-phase": phase.name, title: phaseName(phase) });
      band.style.left = `${share(phase.start)}%`;
      band.style.width = `${Math.max(0.5, share(phase.end) - share(phase.start))}%`;
      band.style.opacity = String(0.4 + 0.6 * phase.certainty);
      return band;
    }));
  }

  function renderMarks() {
    const all = stops();
    const buttons = bookmarks().map(({ step, key }) => {
      const i = Math.max(0, all.findLastIndex((own) => own <= step));
      const mark = el("button", { type: "button", class: "bookmark", tabindex: -1, text: t(key), onclick: () => moveTo(i) });
      mark.style.left = `${((i + 0.5) / Math.max(1, all.length)) * 100}%`;
      return mark;
    });
    marks.replaceChildren(...buttons);
    spread(buttons, marks.clientWidth);
  }

  /** @param {Set<Change>} changes */
  function render(changes) {
    played.render();
    renderLive();
    const all = stops();
    slider.max = String(Math.max(0, all.length - 1));
    slider.value = String(index());
    const words = momentName();
    write(moment, words);
    slider.setAttribute("aria-valuetext", words);
    element.style.setProperty("--at", String((index() + 0.5) / Math.max(1, all.length)));
    if (changes.has("story") || changes.has("run") || changes.has("shown")) {
      renderPhases();
      renderMarks();
    }
    if (changes.has("film") || changes.has("story") || changes.has("theme") || changes.has("shown")) drawFrames();
  }

  new ResizeObserver(() => drawFrames()).observe(frames);
  return { element, render, step: (/** @type {number} */ by) => moveTo(index() + by + (store.isLive() && goesOn() && by < 0 ? 1 : 0)), moveTo, stop: played.stop };
}

/** Moves bookmarks apart that would cover each other, within the strip. @param {HTMLElement[]} buttons @param {number} width */
function spread(buttons, width) {
  const placed = buttons.map((button) => ({ button, half: button.offsetWidth / 2, x: (parseFloat(button.style.left) / 100) * width }));
  placed.sort((a, b) => a.x - b.x);
  let end = 0;
  for (const place of placed) {
    place.x = Math.max(place.x, end + place.half);
    end = place.x + place.half + 4;
  }
  let begin = width;
  for (const place of placed.reverse()) {
    place.x = Math.min(place.x, begin - place.half);
    begin = place.x - place.half - 4;
    place.button.style.left = `${place.x}px`;
  }
}

/** @type {Map<string, HTMLCanvasElement>} */
const pictures = new Map();
const MOST_PICTURES = 400;
/** Pixels of a frame of a plane. */
const FRAME = 72;
/** @param {Float32Array} tile */
const sizeOf = (tile) => tile.reduce((sum, w) => sum + w * w, 0);
// The unit that the frames show, and the weight at which its colour is full; they follow from the last snapshot.
let shownUnit = { step: -1, unit: 0, full: 1 };
function unitOfFrames() {
  const [last, shape] = [film.last(), film.theScene()?.tiles];
  if (!last || last.step === shownUnit.step) return shownUnit;
  const sizes = tiles(shape, last, false).map(sizeOf);
  const unit = sizes.indexOf(Math.max(...sizes));
  // As on the stage: random weights are faint from the beginning.
  const [end, first] = [tile(shape, last, unit, true), film.at(0)];
  const least = first ? 4 * sizeOf(tile(shape, first, unit, true)) : 0;
  return (shownUnit = { step: last.step, unit, full: 3 * Math.sqrt(Math.max(least, sizeOf(end)) / end.length) });
}

/** The small picture of a step; null until its snapshot is here. @param {number} step */
function frameOf(step) {
  const [{ tiles: shape = null, grid = null } = {}, of] = [film.theScene() ?? {}, film.at(step)];
  if (!of || !(shape || grid)) return null;
  const { unit, full } = unitOfFrames();
  const key = [step, unit, full.toPrecision(2), document.documentElement.dataset.theme].join();
  const known = pictures.get(key);
  if (known) return known;
  const canvas = el("canvas", { width: FRAME, height: FRAME });
  if (grid) drawFrame(canvas, state.run.data, grid, of);
  else if (shape) drawSigned(canvas, shape, tile(shape, of, unit, true), full);
  if (pictures.size > MOST_PICTURES) pictures.clear();
  pictures.set(key, canvas);
  return canvas;
}

/** The moments that everybody looks for. */
function bookmarks() {
  /** @type {{ step: number, key: string }[]} */
  const found = [{ step: 0, key: "page.mark_random" }];
  const { run } = state;
  const isBetter = (/** @type {Metrics} */ line) => (run.data.target === "number" ? (line.val_r2 ?? -1) > 0
    : (text.wilson(line.val_accuracy, store.samples(line))?.[0] ?? 0) > run.chance);
  // From then on it stayed better.
  const better = state.lines[state.lines.findLastIndex((line) => !isBetter(line)) + 1];
  if (better && better.step > 0) found.push({ step: better.step, key: "page.mark_better" });
  const best = bestStep();
  if (best) found.push({ step: best, key: "page.mark_best" });
  const heart = state.phases.find(({ name }) => name === "specialisation");
  if (heart) found.push({ step: Math.ceil(heart.start * (state.now.steps_per_epoch || 1)), key: "page.mark_heart" });
  return found;
}
