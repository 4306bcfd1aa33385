// @ts-check
// The film of the run: what it shows at every moment, and its snapshots, each asked for once and kept. The present state of a
// training counts as a snapshot that the film does not keep.
import * as api from "./api.js";
import { floats, signedBytes } from "./draw.js";
import * as store from "./state.js";
import { state } from "./state.js";
/** @import { Metrics, Shape } from "./types.js" */

/**
 * Numbers as signed bytes, where 127 stands for the scale; in a report as characters, where 15 does.
 * @typedef {{ bytes?: string, text?: string, scale: number }} Quantised
 */
/** @typedef {{ width: number, values: string }} Packed a matrix of f32 */
/**
 * A picture of the film: pixels with their shape, or the values of columns.
 * @typedef {{ row: number, name: string, truth: number | number[], pixels?: string, values?: number[] } & Partial<Shape>} FilmPicture
 */
/** @typedef {{ side: number, low: number[], high: number[], train: Point[], val: Point[] }} Grid */
/** @typedef {[at: number[], truth: number | number[]]} Point */
/**
 * `/api/look/scene`.
 * @typedef {object} Scene
 * @property {Shape & { of: [number, number] | null, start: Quantised | null }} [tiles]
 * @property {{ [layer: string]: number[] }} units those of each layer that the film shows
 * @property {FilmPicture[]} [pictures] absent where the data is not at hand
 * @property {(number | number[])[]} [truths] of its samples, the pictures first
 * @property {Grid} [grid] of one or two inputs
 */
/**
 * `/api/look/film`.
 * @typedef {object} Snapshot
 * @property {number} step
 * @property {number} epoch
 * @property {Metrics["layers"]} layers
 * @property {Quantised | null} tiles
 * @property {{ [layer: string]: Packed }} activations of the pictures
 * @property {{ [layer: string]: Packed }} edges
 * @property {number | null} claimed how sure the network is on average, uncalibrated
 * @property {number[][]} pictures what the network says of each
 * @property {string} samples
 * @property {string | null} grid
 */

/** @type {Scene | null} */
let scene = null;
/** @type {Map<number, Snapshot>} */
const kept = new Map();
/** @type {Snapshot | null} */
let newest = null;
/** Those that are on their way. @type {Map<number, Promise<void>>} */
const asked = new Map();

/** What the film shows; null until it is there, and for a run without a film. */
export const theScene = () => scene;

/** The steps of the film, in order. */
export const steps = () => state.film;

/** The step of the film that the moment is: the last one until it. */
export const stepOfMoment = () => (state.moment === null ? null : store.lastUntilMoment(state.film));

/** The snapshot of the moment; null until it is there. */
export function snapshot() {
  const step = stepOfMoment();
  if (step !== null) return kept.get(step) ?? null;
  return newest ?? kept.get(state.film.at(-1) ?? -1) ?? null;
}

/** The last snapshot that is here: scales follow from it. */
export const last = () => newest ?? kept.get(state.film.findLast((step) => kept.has(step)) ?? -1) ?? null;

/** @param {number} step */
export const at = (step) => kept.get(step) ?? null;

/** @param {number} step */
async function fetchStep(step) {
  if (kept.has(step)) return;
  const asking = asked.get(step) ?? ask(step);
  asked.set(step, asking);
  await asking;
}

/** @param {number} step */
async function ask(step) {
  try {
    const answer = await api.get(`/api/look/film?moment=${step}`);
    kept.set(step, /** @type {Snapshot} */ (answer));
    store.changed("film");
  } finally {
    asked.delete(step);
  }
}

/** All snapshots of the film as it is now, in order. */
export async function all() {
  /** @type {Snapshot[]} */
  const found = [];
  for (const step of [...state.film]) {
    // A training that goes on may have thinned the film meanwhile.
    await fetchStep(step).catch((error) => {
      if (state.film.includes(step)) throw error;
    });
    const own = kept.get(step);
    if (own) found.push(own);
  }
  return found;
}

let following = false;
async function fetchNewest() {
  if (following || api.isReport) return;
  following = true;
  try {
    newest = /** @type {Snapshot} */ (await api.get("/api/look/film"));
    store.changed("film");
  } finally {
    following = false;
  }
}

let filling = false;
// Fetches what is missing, one after the other: the moment's first, then the end, then the rest.
async function fill() {
  if (filling || document.hidden) return;
  filling = true;
  try {
    for (;;) {
      const missing = state.film.filter((step) => !kept.has(step));
      const wanted = stepOfMoment();
      const next = wanted !== null && missing.includes(wanted) ? wanted : missing.at(-1);
      if (next === undefined) break;
      await fetchStep(next);
      if (!kept.has(next)) break;
    }
  } catch {
    // Asked for again at the next news.
  } finally {
    filling = false;
  }
}

export async function start() {
  try {
    scene = /** @type {Scene} */ (await api.get("/api/look/scene"));
  } catch {
    scene = null; // the run has no film
    return;
  }
  store.subscribe((changes) => {
    if (changes.has("now") && state.now.snapshot !== newest?.step) void fetchNewest().catch(() => {});
    if (changes.has("story") || changes.has("moment")) void fill();
  });
  // What scales follow from comes first.
  await Promise.all([state.film.at(-1) ?? 0, 0].map((step) => fetchStep(step).catch(() => {})));
  void fill();
}

/** Whether the run has a film. */
export const exists = () => scene !== null;

/**
 * The tiles of a snapshot: what training added alone, or the whole weights. Of the whole, each value is the mean of three by
 * three weights, as an eye at some distance would take them: single random weights fade, what neighbours share stays.
 * @param {Snapshot} of
 * @param {boolean} whole
 * @returns {Float32Array[]} one for each unit
 */
export function tiles(of, whole) {
  const shape = scene?.tiles;
  if (!shape || !of.tiles) return [];
  const count = unpack(of.tiles).length / (shape.width * shape.height * shape.channels);
  return Array.from({ length: count }, (_, unit) => tile(of, unit, whole));
}

/** One of the tiles. @param {Snapshot} of @param {number} unit @param {boolean} whole @returns {Float32Array} */
export function tile(of, unit, whole) {
  const shape = scene?.tiles;
  if (!shape || !of.tiles) return new Float32Array();
  const size = shape.width * shape.height * shape.channels;
  const added = unpack(of.tiles).subarray(unit * size, (unit + 1) * size);
  if (!whole) return added;
  const start = shape.start ? unpack(shape.start).subarray(unit * size, (unit + 1) * size) : null;
  return smoothed(start ? added.map((w, i) => w + start[i]) : added, shape);
}

/** @param {Float32Array} weights @param {Shape} shape */
function smoothed(weights, { width, height, channels }) {
  const means = new Float32Array(weights.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [top, bottom, left, right] = [Math.max(0, y - 1), Math.min(height - 1, y + 1), Math.max(0, x - 1), Math.min(width - 1, x + 1)];
      const share = 1 / ((bottom - top + 1) * (right - left + 1));
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let j = top; j <= bottom; j++) for (let i = left; i <= right; i++) sum += weights[(j * width + i) * channels + c];
        means[(y * width + x) * channels + c] = sum * share;
      }
    }
  }
  return means;
}

/** @type {WeakMap<Quantised, Float32Array>} */
const unpacked = new WeakMap();
/** @param {Quantised} of */
function unpack(of) {
  const known = unpacked.get(of);
  if (known) return known;
  const values = of.text === undefined ? Float32Array.from(signedBytes(of.bytes ?? ""), (byte) => (byte / 127) * of.scale)
    : Float32Array.from(of.text, (c) => ((c.charCodeAt(0) - 64) / 15) * of.scale);
  unpacked.set(of, values);
  return values;
}

/** A row of a packed matrix. @param {Packed | undefined} packed @param {number} row */
export function rowOf(packed, row) {
  if (!packed) return new Float32Array();
  return floats(packed.values).slice(row * packed.width, (row + 1) * packed.width);
}
