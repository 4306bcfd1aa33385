// @ts-check
// From the first layer to the answer: a row of units for each layer, the strongest ways between them, and what the network says
// of the chosen picture.
import { el, svg } from "./draw.js";
import * as film from "./film.js";
import { state } from "./state.js";
import * as text from "./text.js";
/** @import { Packed, Snapshot } from "./film.js" */

const WIDTH = 720;
const ROW = 40;
const TOP = 10;
/** Ways that lead to a unit, at most. */
const WAYS = 3;
/** Hidden layers that are drawn, at most: the first, and the last ones. */
const MOST_LAYERS = 3;
const MOST_ANSWERS = 10;

export function flow() {
  const drawing = svg("svg", { class: "flow-drawing", "aria-hidden": "true" });
  const element = el("div", { class: "flow-box" }, drawing);

  /** @param {Snapshot} shown */
  function render(shown) {
    const layers = drawnLayers();
    const rows = layers.map(({ name }) => valuesOf(shown, name));
    const answers = answerOrder(shown);
    const height = TOP + ROW * rows.length + 34;
    drawing.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
    const place = (/** @type {number} */ row, /** @type {number} */ i, /** @type {number} */ n) => /** @type {[number, number]} */ (
      [((i + 0.5) / n) * WIDTH, TOP + row * ROW]);
    /** @type {Element[]} */
    const ways = [];
    const units = rows.flatMap((values, row) => {
      const most = Math.max(...values, 1e-9);
      return [...values].map((value, i) => {
        const [x, y] = place(row, i, values.length);
        return svg("circle", { cx: x, cy: y, r: 7, class: "flow-unit", style: null, "fill-opacity": (0.06 + 0.94 * Math.max(0, value / most)).toFixed(3) });
      });
    });
    for (let row = 1; row <= rows.length; row++) {
      const before = rows[row - 1];
      const last = row === rows.length;
      // Only layers that follow each other have weights between them.
      const name = last ? "output" : layers[row].name;
      if (!last && layers[row].at !== layers[row - 1].at + 1) continue;
      const edges = shown.edges[name];
      const targets = last ? answers : [...rows[row].keys()];
      ways.push(...targets.flatMap((unit, i) => waysTo(edges, unit, before).map(({ from, share }) => {
        const [x0, y0] = place(row - 1, from, before.length);
        const [x1, y1] = place(row, i, targets.length);
        return way(x0, y0 + 7, x1, last ? y1 - 6 : y1 - 7, share);
      })));
    }
    drawing.replaceChildren(...ways, ...units, ...answerMarks(shown, answers, TOP + ROW * rows.length));
  }

  return { element, render };
}

/** The layers of the drawing, with their place in the network. */
function drawnLayers() {
  const hidden = state.run.network.layers.slice(0, -1).map(({ name }, at) => ({ name, at }));
  if (hidden.length <= MOST_LAYERS) return hidden;
  return [hidden[0], ...hidden.slice(1 - MOST_LAYERS)];
}

/** @param {Snapshot} shown @param {string} layer */
const valuesOf = (shown, layer) => film.rowOf(shown.activations[layer], state.shown);

/**
 * The ways to a unit that carry most, each with its share of the largest in the row.
 * @param {Packed | undefined} edges
 * @param {number} unit
 * @param {Float32Array} before
 */
function waysTo(edges, unit, before) {
  const weights = film.rowOf(edges, unit);
  const carried = [...weights].map((w, from) => ({ from, share: w * (before[from] ?? 0) }));
  carried.sort((a, b) => Math.abs(b.share) - Math.abs(a.share));
  const most = Math.abs(carried[0]?.share ?? 0) || 1;
  return carried.slice(0, WAYS).filter(({ share }) => share !== 0).map(({ from, share }) => ({ from, share: share / most }));
}

/** @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1 @param {number} share */
function way(x0, y0, x1, y1, share) {
  const middle = (y0 + y1) / 2;
  return svg("path", {
    d: `M${x0.toFixed(1)} ${y0}C${x0.toFixed(1)} ${middle} ${x1.toFixed(1)} ${middle} ${x1.toFixed(1)} ${y1}`,
    class: share < 0 ? "flow-way less" : "flow-way", "stroke-opacity": (0.12 + 0.6 * Math.abs(share)).toFixed(2),
  });
}

/** The outputs in the drawing: those of the picture that are surest, in the order of the classes. @param {Snapshot} shown */
function answerOrder(shown) {
  const said = shown.pictures[state.shown] ?? [];
  const order = [...said.keys()].sort((a, b) => said[b] - said[a]).slice(0, MOST_ANSWERS);
  return order.sort((a, b) => a - b);
}

/** @param {Snapshot} shown @param {number[]} answers @param {number} y */
function answerMarks(shown, answers, y) {
  const said = shown.pictures[state.shown] ?? [];
  const { classes, target } = state.run.data;
  const best = Math.max(...said);
  return answers.flatMap((k, i) => {
    const x = ((i + 0.5) / answers.length) * WIDTH;
    const value = target === "number" ? text.number(said[k]) : text.percent(said[k], 0);
    const kind = target !== "number" && said[k] === best ? "flow-answer best" : "flow-answer";
    const name = classes[k] ?? String(k);
    const most = Math.floor(WIDTH / answers.length / 9);
    return [svg("text", { x, y: y + 10, class: kind, text: name.length > most ? `${name.slice(0, Math.max(1, most - 1))}…` : name }),
      svg("text", { x, y: y + 28, class: "flow-said", text: value })];
  });
}
