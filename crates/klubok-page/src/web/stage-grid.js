// @ts-check
// The hero of one or two inputs: what the network says everywhere, with the points it learns from. Of classes of two inputs the
// colour is the answer and its strength the confidence; of a number of one input it is a line.
import { bytes, classLegend, colour, contextOf, drawPoint, drawSquares, el, floats, hue, mix, placeIn, rgb, write } from "./draw.js";
import * as film from "./film.js";
import { state } from "./state.js";
import { t } from "./text.js";
/** @import { Change } from "./state.js" */
/** @import { Grid, Point, Snapshot } from "./film.js" */

/** Pixels of the drawing; it is shown smaller. */
const SIZE = 864;

/** @param {Grid} grid */
export function heroOfGrid(grid) {
  const isLine = grid.low.length === 1;
  const words = t(isLine ? "page.hero_curve" : "page.hero_map");
  const drawing = planeOf(grid);
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", words);
  const caption = el("p", { class: "hero-caption", text: words });
  const { classes, columns, target } = state.run.data;
  const legend = target === "class" ? classLegend(classes) : null;
  const axes = el("p", { class: "plane-axes", text: (columns ?? []).join(" × ") });
  const element = el("section", { class: "hero of-plane", "aria-label": words }, el("div", { class: "hero-head" }, caption, legend), drawing, axes);

  /** @param {Set<Change>} changes */
  function render(changes) {
    const shown = film.snapshot();
    if (!shown?.grid || ![...changes].some((change) => ["film", "moment", "theme", "sample", "shown", "now"].includes(change))) return;
    drawPlane(drawing, grid, shown);
    write(caption, words);
  }

  return { element, render };
}

/** An empty drawing of the inputs. @param {Grid} grid */
export function planeOf({ low }) {
  const isLine = low.length === 1;
  return el("canvas", { class: isLine ? "plane line" : "plane", width: SIZE, height: isLine ? SIZE * 0.6 : SIZE });
}

/** Draws what the network says, with the points and the chosen one. @param {HTMLCanvasElement} canvas @param {Grid} grid @param {Snapshot} shown */
export function drawPlane(canvas, grid, shown) {
  const isLine = grid.low.length === 1;
  if (state.run.data.target === "number") drawNumbers(canvas, grid, shown, isLine);
  else drawClasses(canvas, grid, shown, state.run.data.classes.length);
  if (!isLine) ring(canvas, grid);
}

/**
 * Draws what the network says, without points: a frame of the strip.
 * @param {HTMLCanvasElement} canvas
 * @param {Grid} grid
 * @param {Snapshot} shown
 */
export function drawFrame(canvas, grid, shown) {
  const bare = { ...grid, train: [], val: [] };
  if (state.run.data.target === "number") drawNumbers(canvas, { ...bare, train: grid.train }, shown, grid.low.length === 1, canvas.width / 12);
  else drawClasses(canvas, bare, shown, state.run.data.classes.length);
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

/** Marks the chosen sample. @param {HTMLCanvasElement} canvas @param {Grid} grid */
function ring(canvas, grid) {
  const at = film.theScene()?.pictures?.[state.shown]?.values;
  if (!at) return;
  const context = contextOf(canvas);
  const [x, y] = placer(canvas, grid)(at);
  context.beginPath();
  context.arc(x, y, 20, 0, 2 * Math.PI);
  context.lineWidth = 5;
  context.strokeStyle = rgb("--ink");
  context.stroke();
}

/** Where a point of the inputs is in the drawing. @param {HTMLCanvasElement} canvas @param {Grid} grid @returns {(at: number[]) => [number, number]} */
function placer(canvas, { low, high }) {
  if (low.length === 1) return ([x]) => [((x - low[0]) / (high[0] - low[0])) * canvas.width, canvas.height / 2];
  const place = placeIn({ low: [low[0], low[1]], high: [high[0], high[1]] }, canvas.width);
  return ([x, y]) => place([x, y]);
}

/**
 * The first number: over a line as a curve, over a plane as shades.
 * @param {HTMLCanvasElement} canvas
 * @param {Grid} grid
 * @param {Snapshot} shown
 * @param {boolean} isLine
 * @param {number} [stroke] width of the curve
 */
function drawNumbers(canvas, grid, shown, isLine, stroke = 6) {
  const outputs = state.run.data.classes.length;
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
