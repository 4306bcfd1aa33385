// @ts-check
// From the first layer to the answer: a row of units for each layer, the strongest ways between them, and what the network says
// of the chosen picture.
import { el, rgb, svg } from "./draw.js";
import { RADIUS, edgeMark, edgeOpacity, edgePath, unitMark, unitOpacity } from "./flow-marks.js";
import { rowOf } from "./snapshot.js";
import * as text from "./text.js";
/** @import { Place } from "./flow-marks.js" */
/** @import { Answered, Packed, Snapshot } from "./snapshot.js" */
/** @import { Layer, Run } from "./types.js" */

/** Ways that lead to a unit, at most. */
const WAYS = 3;
/** Units of a layer that are drawn, at most. */
const MOST_UNITS = 12;
/** Hidden layers that are drawn, at most: the first, and the last ones. */
const MOST_LAYERS = 3;
const MOST_ANSWERS = 10;
/** Height of the names below the last row. */
const FOOT = 40;

/** @typedef {{ name: string, at: number, shown: number[], values: Float32Array }} Row a layer: its units that are drawn */

/** @param {Run} run whose network is drawn */
export function flow(run) {
  const drawing = svg("svg", { class: "flow-drawing", "aria-hidden": "true" });
  const element = el("div", { class: "flow-box" }, drawing);
  /** @type {[Snapshot, Answered | null] | null} */
  let last = null;

  /** @param {Snapshot} shown @param {Answered | null} sample */
  function render(shown, sample) {
    last = [shown, sample];
    const [width, height] = [element.clientWidth, element.clientHeight];
    if (width < 40 || height < 40) return;
    drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const { ways, units, answers } = placed(run, shown, sample, width, height);
    drawing.replaceChildren(
      ...ways.map(({ from, to, share }) => edgeMark(from, to, share)),
      ...units.map(({ at, share }) => unitMark(at, share)),
      ...answers.flatMap(({ x, y, name, value, isBest }) => [
        svg("text", { x, y, class: isBest ? "flow-answer best" : "flow-answer", text: name }), svg("text", { x, y: y + 18, class: "flow-said", text: value })]),
    );
  }

  new ResizeObserver(() => last && render(...last)).observe(element);
  return { element, render };
}

/**
 * The same on a canvas, for the saved film.
 * @param {CanvasRenderingContext2D} context
 * @param {Run} run
 * @param {Snapshot} shown
 * @param {Answered | null} sample
 * @param {number} width
 * @param {number} height
 * @param {string} family of the font
 */
export function drawFlow(context, run, shown, sample, width, height, family) {
  const { ways, units, answers } = placed(run, shown, sample, width, height);
  context.fillStyle = context.strokeStyle = rgb("--training");
  context.lineWidth = 1.6;
  for (const { from, to, share } of ways) {
    context.globalAlpha = edgeOpacity(share);
    context.setLineDash(share < 0 ? [4, 4] : []);
    context.stroke(new Path2D(edgePath(from, to)));
  }
  context.setLineDash([]);
  for (const { at: [x, y], share } of units) {
    context.beginPath();
    context.arc(x, y, RADIUS, 0, 2 * Math.PI);
    context.globalAlpha = unitOpacity(share);
    context.fill();
    context.globalAlpha = 0.25;
    context.stroke();
  }
  context.globalAlpha = 1;
  context.fillStyle = rgb("--ink");
  context.textAlign = "center";
  for (const { x, y, name, value, isBest } of answers) {
    context.font = `${isBest ? 700 : 400} 14px ${family}`;
    context.fillText(name, x, y);
    context.font = `14px ${family}`;
    context.fillText(value, x, y + 18);
  }
  context.textAlign = "left";
}

/**
 * Where the ways, the units and the answers are in a drawing of a size.
 * @param {Run} run
 * @param {Snapshot} shown
 * @param {Answered | null} sample
 * @param {number} width
 * @param {number} height
 */
function placed({ network, data }, shown, sample, width, height) {
  const { said, activations } = sample ?? { said: [], activations: {} };
  const rows = rowsOf(network.layers, activations);
  const order = answerOrder(said);
  const step = (height - FOOT - 2 * RADIUS) / Math.max(1, rows.length);
  const place = (/** @type {number} */ row, /** @type {number} */ i, /** @type {number} */ n) => /** @type {Place} */ (
    [((i + 0.5) / n) * width, RADIUS + 2 + row * step]);
  const units = rows.flatMap(({ values, shown: own }, row) => own.map((unit, i) => (
    { at: place(row, i, own.length), share: Math.max(0, values[unit]) / Math.max(...values, 1e-9) })));
  const ways = rows.flatMap((before, row) => {
    const next = rows[row + 1];
    // Only layers that follow each other have weights between them.
    if (next && next.at !== before.at + 1) return [];
    const targets = next ? next.shown : order;
    const edges = shown.edges[next ? next.name : "output"];
    return targets.flatMap((unit, i) => waysTo(edges, unit, before).map(({ from, share }) => {
      const [x0, y0] = place(row, from, before.shown.length);
      const [x1, y1] = place(row + 1, i, targets.length);
      return { from: /** @type {Place} */ ([x0, y0 + RADIUS]), to: /** @type {Place} */ ([x1, y1 - RADIUS]), share };
    }));
  });
  return { units, ways, answers: answerMarks(data, said, order, width, height - FOOT) };
}

/**
 * The layers of the drawing, with the units that answer most among those of the film.
 * @param {Layer[]} layers
 * @param {Answered["activations"]} activations
 * @returns {Row[]}
 */
function rowsOf(layers, activations) {
  const hidden = layers.slice(0, -1).map(({ name }, at) => ({ name, at }));
  const drawn = hidden.length <= MOST_LAYERS ? hidden : [hidden[0], ...hidden.slice(1 - MOST_LAYERS)];
  return drawn.map(({ name, at }) => {
    const values = activations[name] ?? new Float32Array();
    const order = [...values.keys()].sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]));
    return { name, at, values, shown: order.slice(0, MOST_UNITS).sort((a, b) => a - b) };
  });
}

/**
 * The ways to a unit that carry most, each with its share of the largest.
 * @param {Packed | undefined} edges
 * @param {number} unit
 * @param {Row} before
 */
function waysTo(edges, unit, before) {
  const weights = rowOf(edges, unit);
  const carried = before.shown.map((own, from) => ({ from, share: (weights[own] ?? 0) * before.values[own] }));
  carried.sort((a, b) => Math.abs(b.share) - Math.abs(a.share));
  const most = Math.abs(carried[0]?.share ?? 0) || 1;
  return carried.slice(0, WAYS).filter(({ share }) => share !== 0).map(({ from, share }) => ({ from, share: share / most }));
}

/** The outputs in the drawing: those of the picture that are surest, in the order of the classes. @param {number[]} said */
function answerOrder(said) {
  const order = [...said.keys()].sort((a, b) => said[b] - said[a]).slice(0, MOST_ANSWERS);
  return order.sort((a, b) => a - b);
}

/** @param {Run["data"]} data @param {number[]} said @param {number[]} answers @param {number} width @param {number} y */
function answerMarks({ classes, target }, said, answers, width, y) {
  const best = Math.max(...said);
  return answers.map((k, i) => {
    const name = classes[k] ?? String(k);
    const most = Math.floor(width / answers.length / 9);
    return {
      x: ((i + 0.5) / answers.length) * width, y: y + 14, isBest: target !== "number" && said[k] === best,
      name: name.length > most ? `${name.slice(0, Math.max(1, most - 1))}…` : name,
      value: target === "number" ? text.number(said[k]) : text.percent(said[k], 0),
    };
  });
}
