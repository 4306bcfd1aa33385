// @ts-check
// What the server says of a film, its scene and its snapshots, and how they are unpacked.
import { floats, signedBytes } from "./draw.js";
/** @import { Metrics, Pass, Shape } from "./types.js" */

/**
 * Numbers as signed bytes, where 127 stands for the scale; in a report as characters, where 15 does.
 * @typedef {{ bytes?: string, text?: string, scale: number }} Quantised
 */
/** @typedef {{ width: number, values: string }} Packed a matrix of f32 */
/**
 * A picture of the film: pixels with their shape, or the values of columns.
 * @typedef {{ row: number, name: string, truth: number | number[], pixels?: string, values?: number[] } & Partial<Shape>} FilmPicture
 */
/** @typedef {Shape & { of: [number, number] | null, start: Quantised | null }} Tiles of the first layer */
/** @typedef {{ side: number, low: number[], high: number[], train: Point[], val: Point[] }} Grid */
/** @typedef {[at: number[], truth: number | number[]]} Point */
/**
 * `/api/look/scene`.
 * @typedef {object} Scene
 * @property {Tiles} [tiles]
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

/**
 * The tiles of a snapshot: what training added alone, or the whole weights. Of the whole, each value is the mean of three by
 * three weights, as an eye at some distance would take them: single random weights fade, what neighbours share stays.
 * @param {Tiles | undefined} shape
 * @param {Snapshot} of
 * @param {boolean} whole
 * @returns {Float32Array[]} one for each unit
 */
export function tiles(shape, of, whole) {
  if (!shape || !of.tiles) return [];
  const count = unpack(of.tiles).length / (shape.width * shape.height * shape.channels);
  return Array.from({ length: count }, (_, unit) => tile(shape, of, unit, whole));
}

/** One of the tiles. @param {Tiles | undefined} shape @param {Snapshot} of @param {number} unit @param {boolean} whole @returns {Float32Array} */
export function tile(shape, of, unit, whole) {
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

/**
 * A sample, and what the network says of it.
 * @typedef {object} Answered
 * @property {FilmPicture | Pass | null} of null where the data is not at hand
 * @property {string} name
 * @property {number[]} said
 * @property {number | number[] | null} truth
 * @property {{ [layer: string]: Float32Array }} activations of the units that the film shows
 * @property {number | null} step of the network that said it, if that need not be the snapshot's
 */

/** A picture of the film, by its number. @param {FilmPicture[] | undefined} pictures @param {Snapshot} shown @param {number} i @returns {Answered | null} */
export function filmed(pictures, shown, i) {
  const [of = null, said] = [pictures?.[i], shown.pictures[i]];
  if (!said) return null;
  const activations = Object.fromEntries(Object.entries(shown.activations).map(([layer, packed]) => [layer, rowOf(packed, i)]));
  return { of, name: of?.name ?? "", said, truth: of?.truth ?? null, activations, step: null };
}

/** Standard deviations of all weights at which a tile's colour is full. */
export const FULL = 3;
/** How many times as strong as random weights a colour can be, at least. */
const FAINT = 2;

/**
 * How large the weights of tiles are: it follows from the last snapshot and, while that is still near the start, from the start, so
 * that random weights are faint from the beginning.
 * @param {Tiles | undefined} shape
 * @param {Snapshot | null | undefined} first
 * @param {Snapshot | null | undefined} last
 * @param {boolean} whole
 */
export function spread(shape, first, last, whole) {
  const of = (/** @type {Snapshot | null | undefined} */ snapshot) => (snapshot ? deviation(tiles(shape, snapshot, whole)) : 0);
  return Math.max(whole ? FAINT * of(first) : 0, of(last));
}

/** The standard deviation of all weights. @param {Float32Array[]} tiles */
function deviation(tiles) {
  let [sum, count] = [0, 0];
  for (const tile of tiles) for (const w of tile) [sum, count] = [sum + w * w, count + 1];
  return Math.sqrt(sum / Math.max(1, count));
}
