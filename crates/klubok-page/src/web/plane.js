// @ts-check
// What a network says everywhere, for one or two inputs, with the points that it learns from.
import { bytes, colour, contextOf, drawPoint, drawSquares, el, floats, hue, mix, placeIn, rgb } from "./draw.js";
/** @import { Grid, Point, Snapshot } from "./snapshot.js" */
/** @import { Run } from "./types.js" */

/** Pixels of the drawing; it is shown smaller. */
const SIZE = 864;

/** An empty drawing of the inputs. @param {Grid} grid @param {string} label @param {string} [kind] */
export function planeOf({ low }, label, kind = "plane") {
  const isLine = low.length === 1;
  return el("canvas", { class: isLine ? `${kind} line` : kind, role: "img", "aria-label": label, width: SIZE, height: isLine ? SIZE * 0.6 : SIZE });
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Run["data"]} data
 * @param {Grid} grid
 * @param {Snapshot} shown
 */
export function drawPlane(canvas, data, grid, shown) {
  if (data.target === "number") drawNumbers(canvas, data, grid, shown);
  else drawClasses(canvas, grid, shown, data.classes.length);
}

/**
 * Without points: a frame of the strip.
 * @param {HTMLCanvasElement} canvas
 * @param {Run["data"]} data
 * @param {Grid} grid
 * @param {Snapshot} shown
 */
export function drawFrame(canvas, data, grid, shown) {
  const bare = { ...grid, train: [], val: [] };
  if (data.target === "number") drawNumbers(canvas, data, { ...bare, train: grid.train }, shown, canvas.width / 12);
  else drawClasses(canvas, bare, shown, data.classes.length);
}

/** @param {HTMLCanvasElement} canvas @param {Grid} grid @param {Snapshot} shown @param {number} classes */
function drawClasses(canvas, grid, shown, classes) {
  const said = bytes(shown.grid ?? "");
  const none = colour("--panel");
  const guess = 255 / classes;
  const cell = (/** @type {number} */ i) => {
    const own = said.subarray(i * classes, (i + 1) * classes);
    const best = own.indexOf(Math.max(...own));
    const sure = Math.max(0, (own[best] - guess) / (255 - guess));
    return mix(none, colour(hue(best)), 0.08 + 0.62 * sure);
  };
  if (grid.low.length === 1) drawBands(canvas, grid.side, cell);
  else drawSquares(canvas, grid.side, cell);
  const place = placer(canvas, grid);
  const context = contextOf(canvas);
  for (const [points, hollow] of /** @type {[Point[], boolean][]} */ ([[grid.val, true], [grid.train, false]])) {
    for (const [at, truth] of points) drawPoint(context, typeof truth === "number" ? truth : truth.indexOf(1), place(at), 8, { hollow });
  }
}

/** @param {HTMLCanvasElement} canvas @param {number} side @param {(i: number) => [number, number, number]} cell */
function drawBands(canvas, side, cell) {
  const context = contextOf(canvas);
  const wide = canvas.width / side;
  for (let i = 0; i < side; i++) {
    context.fillStyle = `rgb(${cell(i).map(Math.round).join()})`;
    context.fillRect(i * wide, 0, wide + 1, canvas.height);
  }
}

/** Where a point of the inputs is in the drawing. @param {HTMLCanvasElement} canvas @param {Grid} grid @returns {(at: number[]) => [number, number]} */
export function placer(canvas, { low, high }) {
  if (low.length === 1) return ([x]) => [((x - low[0]) / (high[0] - low[0])) * canvas.width, canvas.height / 2];
  const place = placeIn({ low: [low[0], low[1]], high: [high[0], high[1]] }, canvas.width);
  return ([x, y]) => place([x, y]);
}

/**
 * The first number: over a line as a curve, over a plane as shades.
 * @param {HTMLCanvasElement} canvas
 * @param {Run["data"]} data
 * @param {Grid} grid
 * @param {Snapshot} shown
 * @param {number} [stroke] width of the curve
 */
function drawNumbers(canvas, { classes }, grid, shown, stroke = 6) {
  const [outputs, isLine] = [classes.length, grid.low.length === 1];
  const said = floats(shown.grid ?? "").filter((_, i) => i % outputs === 0);
  const truths = [...grid.train, ...grid.val].map(([, truth]) => (Array.isArray(truth) ? truth[0] : truth));
  const [least, most] = [Math.min(...truths), Math.max(...truths)];
  const context = contextOf(canvas);
  if (!isLine) {
    const share = (/** @type {number} */ value) => Math.max(0, Math.min(1, (value - least) / (most - least || 1)));
    drawSquares(canvas, grid.side, (i) => mix(colour("--negative"), colour("--positive"), share(said[i])));
    return;
  }
  const margin = 0.1 * (most - least || 1);
  const x = (/** @type {number} */ at) => ((at - grid.low[0]) / (grid.high[0] - grid.low[0])) * canvas.width;
  const y = (/** @type {number} */ value) => (1 - (value - least + margin) / (most - least + 2 * margin)) * canvas.height;
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = rgb("--training");
  context.globalAlpha = 0.35;
  for (const [[at], truth] of grid.train) {
    context.beginPath();
    context.arc(x(at), y(Array.isArray(truth) ? truth[0] : truth), Math.min(5, stroke), 0, 2 * Math.PI);
    context.fill();
  }
  context.globalAlpha = 1;
  context.strokeStyle = rgb("--validation");
  context.lineWidth = stroke;
  context.beginPath();
  said.forEach((value, i) => context.lineTo(((i + 0.5) / said.length) * canvas.width, y(value)));
  context.stroke();
}
