// @ts-check
// A frame of the saved film, drawn for slides and messages: always in the light colours, readable without the page.
import { momentOf } from "./chosen.js";
import { bytes, drawPicture, drawPoint, drawSigned, el, hue, inLight, rgb } from "./draw.js";
import * as film from "./film.js";
import { nameOf } from "./moments.js";
import { phaseName } from "./phases.js";
import { planeOf } from "./plane.js";
import { answersOf } from "./says.js";
import { tiles as tilesOf } from "./snapshot.js";
import { drawFlow } from "./stage-flow.js";
import { drawWithSample } from "./stage-grid.js";
import { fullWeight } from "./stage-tiles.js";
import * as store from "./state.js";
import { state } from "./state.js";
import { target } from "./target.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Answer } from "./says.js" */
/** @import { Answered, Snapshot } from "./snapshot.js" */
/** @import { Phase, Shape } from "./types.js" */

export const WIDTH = 720;
export const HEIGHT = 450;
const EDGE = 24;
/** Where the hero and the sample begin, and how high they are. */
const TOP = 98;
const ROOM = 290;
const HERO = 440;
/** Width of the sample beside the hero. */
const SIDE = 188;
const COLUMNS = 6;
const GAP = 4;
/** Height of a line of an answer, with its bar and without. */
const ANSWER = 34;
const LINE = 22;
/** @type {{ [phase: string]: string }} */
const PHASES = {
  fast_learning: "--phase-fast", fine_tuning: "--phase-fine", specialisation: "--phase-special", converged: "--phase-rest",
  underfitting: "--phase-under", diverging: "--phase-diverging",
};

/**
 * A moment with what the network said of the chosen sample: then or, of what the film does not have, at the last step until then
 * at which the whole network is known.
 * @typedef {{ shown: Snapshot, sample: Answered | null }} Frame
 */
/** @typedef {{ frames: Frame[], full: number }} Film the frames, and the weight at which the colour of a tile is full in all of them */

const family = getComputedStyle(document.body).fontFamily;

/** @param {Frame[]} frames from the first to the last @returns {Film} */
export const filmOf = (frames) => ({ frames, full: fullWeight(frames[0].shown, frames[frames.length - 1].shown, true) });

/**
 * Draws a frame of a film; the canvas may be larger than `WIDTH` in its proportions.
 * @param {CanvasRenderingContext2D} context
 * @param {Film} film
 * @param {number} i
 */
export function drawFilmFrame(context, { frames, full }, i) {
  const scale = context.canvas.width / WIDTH;
  inLight(() => {
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.fillStyle = rgb("--panel");
    context.fillRect(0, 0, WIDTH, HEIGHT);
    const { shown, sample } = frames[i];
    drawHead(context, shown);
    context.save();
    context.translate(sample?.of ? EDGE : (WIDTH - HERO) / 2, TOP);
    drawHero(context, frames[i], full);
    context.restore();
    if (sample?.of) drawSample(context, sample, shown);
    drawProgress(context, frames, i);
  });
}

/**
 * Writes a line, which ends in an ellipsis where it is too long.
 * @param {CanvasRenderingContext2D} context
 * @param {string} words
 * @param {number} x
 * @param {number} y
 * @param {{ size?: number, weight?: number, ink?: string, most?: number, right?: boolean }} [how]
 * @returns {number} its width
 */
function say(context, words, x, y, { size = 15, weight = 400, ink = "--ink", most = WIDTH, right = false } = {}) {
  context.font = `${weight} ${size}px ${family}`;
  context.fillStyle = rgb(ink);
  context.textAlign = right ? "right" : "left";
  let said = words;
  while (said.length > 1 && context.measureText(said).width > most) said = `${said.slice(0, -2)}…`;
  context.fillText(said, x, y);
  context.textAlign = "left";
  return context.measureText(said).width;
}

/** The run and the moment, and how good the network is by then. @param {CanvasRenderingContext2D} context @param {Snapshot} shown */
function drawHead(context, shown) {
  const right = WIDTH - EDGE;
  const line = store.lineUntil(shown.step);
  const phase = shown.step > 0 ? store.phaseAt(shown.epoch) : undefined;
  const when = t("page.at_moment", { epoch: text.epoch(shown.epoch), step: text.count(shown.step) });
  say(context, state.run.name, EDGE, 34, { ink: "--muted", most: 380 });
  say(context, when, right, 34, { ink: "--muted", most: 280, right: true });
  const large = { size: 22, weight: 650 };
  const score = line ? say(context, target().filmed(line), right, 67, { ...large, right: true }) : 0;
  dot(context, EDGE + 7, 60, phase);
  const name = phase ? phaseName(phase) : t(shown.step === 0 ? "page.film_random" : "page.film_begun");
  // There is no room for what a name has in brackets.
  say(context, name[0].toUpperCase() + name.slice(1).split(" (")[0], EDGE + 24, 67, { ...large, most: WIDTH - 3 * EDGE - 24 - score });
  if (line && line.step !== shown.step) say(context, t("say.measured_at", { step: text.count(line.step) }), right, 87, { size: 12, ink: "--muted", right: true });
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {Phase | undefined} phase */
function dot(context, x, y, phase) {
  context.fillStyle = rgb(PHASES[phase?.name ?? ""] ?? "--line");
  context.beginPath();
  context.arc(x, y, 7, 0, 2 * Math.PI);
  context.fill();
}

/** Tiles, the plane of the inputs, or the units: what the stage has in its middle. @param {CanvasRenderingContext2D} context @param {Frame} frame @param {number} full */
function drawHero(context, { shown, sample }, full) {
  const { grid = null, tiles = null } = film.theScene() ?? {};
  if (grid) {
    const plane = planeOf(grid, "");
    drawWithSample(plane, grid, shown, sample);
    const height = Math.min(ROOM, (HERO * plane.height) / plane.width);
    const width = (height * plane.width) / plane.height;
    context.drawImage(plane, (HERO - width) / 2, (ROOM - height) / 2, width, height);
  } else if (tiles) {
    drawTiles(context, tilesOf(tiles, shown, true), tiles, full);
  } else {
    drawFlow(context, state.run, momentOf(sample, shown), sample, HERO, ROOM, family);
  }
}

/** @param {CanvasRenderingContext2D} context @param {Float32Array[]} tiles @param {Shape} shape @param {number} full */
function drawTiles(context, tiles, shape, full) {
  const lines = Math.ceil(tiles.length / COLUMNS);
  const side = Math.floor(Math.min((HERO + GAP) / COLUMNS, (ROOM + GAP) / lines) - GAP);
  const small = el("canvas");
  tiles.forEach((weights, k) => {
    drawSigned(small, shape, weights, full);
    context.drawImage(small, (k % COLUMNS) * (side + GAP), Math.floor(k / COLUMNS) * (side + GAP), side, side);
  });
}

/** The sample with what the network says of it. @param {CanvasRenderingContext2D} context @param {Answered} sample @param {Snapshot} shown */
function drawSample(context, { of, name, said, truth, step }, shown) {
  const x = WIDTH - EDGE - SIDE;
  const answers = answersOf(state.run.data, said, truth);
  const rows = answers.reduce((sum, { share }) => sum + (share === null ? LINE : ANSWER), 0);
  const side = Math.min(SIDE, ROOM - rows - LINE * (step === null ? 1 : 2) - 12);
  let y = TOP;
  if (of?.pixels && side > 0) {
    const picture = el("canvas");
    drawPicture(picture, /** @type {Shape} */ (of), bytes(of.pixels));
    context.imageSmoothingEnabled = false;
    context.drawImage(picture, x, y, side, side);
    context.imageSmoothingEnabled = true;
    y += side + 4;
  }
  y += 15;
  say(context, name, x, y, { size: 14, ink: "--muted", most: SIDE });
  for (const [column, value] of (of?.values ?? []).slice(0, Math.max(0, Math.floor(side / LINE))).entries()) {
    y += LINE;
    say(context, state.run.data.columns?.[column] ?? String(column + 1), x, y, { size: 14, ink: "--muted", most: SIDE - 70 });
    say(context, text.number(value), x + SIDE, y, { size: 14, right: true });
  }
  if (step !== null) say(context, nameOf(step), x, (y += LINE - 3), { size: 13, ink: step === shown.step ? "--muted" : "--warn" });
  y += 8;
  for (const answer of answers) y += drawAnswer(context, answer, x, y);
}

/** @param {CanvasRenderingContext2D} context @param {Answer} answer @param {number} x @param {number} y @returns {number} its height */
function drawAnswer(context, { k, name, value, share, isChosen, isRight }, x, y) {
  const weight = isChosen ? 650 : 400;
  // On the map a class has a sign.
  const signs = film.theScene()?.grid && state.run.data.target === "class";
  if (signs) drawPoint(context, k, [x + 7, y + 11], 6);
  const left = signs ? 20 : 0;
  say(context, name, x + left, y + 16, { weight, most: SIDE - left - 60 });
  say(context, value, x + SIDE, y + 16, { weight, right: true });
  if (share === null) return LINE;
  context.fillStyle = rgb("--sunk");
  context.fillRect(x, y + 22, SIDE, 7);
  context.fillStyle = rgb(signs ? hue(k) : isRight ? "--good" : "--accent");
  context.fillRect(x, y + 22, SIDE * Math.max(0, Math.min(1, share)), 7);
  return ANSWER;
}

/** How far the film is, in the colours of the phases, and what the hero is. @param {CanvasRenderingContext2D} context @param {Frame[]} frames @param {number} i */
function drawProgress(context, frames, i) {
  const [width, top] = [(WIDTH - 2 * EDGE) / frames.length, HEIGHT - 46];
  frames.forEach(({ shown }, at) => {
    context.globalAlpha = at <= i ? 1 : 0.2;
    context.fillStyle = rgb(PHASES[(shown.step > 0 && store.phaseAt(shown.epoch)?.name) || ""] ?? "--phase-rest");
    context.fillRect(Math.round(EDGE + at * width), top, Math.round(EDGE + (at + 1) * width) - Math.round(EDGE + at * width), 8);
  });
  context.globalAlpha = 1;
  const { grid, units } = film.theScene() ?? {};
  const [{ name, units: all }] = state.run.network.layers;
  const words = grid ? t(grid.low.length === 1 ? "page.hero_curve" : "page.hero_map")
    : t("page.hero_units", { n: text.count(units?.[name]?.length), all: text.count(all) });
  say(context, words, EDGE, HEIGHT - 16, { size: 13, ink: "--muted" });
  say(context, "klubok", WIDTH - EDGE, HEIGHT - 16, { size: 13, ink: "--muted", right: true });
}
