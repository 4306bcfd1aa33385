// @ts-check
// What the drawing of a network has in each of its columns: the input, the hidden layers, and the output, on the way forward
// or back.
import * as film from "./film.js";
import { state } from "./state.js";
import { target } from "./target.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { BackwardPass, Edge, ForwardLayer, LayerMetrics, Pass, UnitValue } from "./types.js" */

/**
 * A unit in the drawing: what it is filled with, how that is written, and its name where it has one.
 * @typedef {{ unit: number, value: number, shown: string, name?: string, shut?: boolean, right?: boolean }} Node
 */
/**
 * A column: its units, and the edges that come to them, from the column before or back from the one behind.
 * @typedef {object} Column
 * @property {string | null} layer none of the input
 * @property {string} title
 * @property {string} sub
 * @property {Node[]} nodes
 * @property {Edge[]} edges
 * @property {string} foot its figures
 * @property {string[]} slopes at its weights, known once the error has come through
 * @property {boolean} reached whether what is shown has come here
 */

/** The activation whose gate can be shut. */
const GATED = "relu";

/** @param {string} name */
export const layerOf = (name) => state.run.network.layers.find((layer) => layer.name === name);
/** @param {string} name */
export const isGated = (name) => layerOf(name)?.activation === GATED;
/** @param {{ name: string }} layer */
const isOutput = ({ name }) => name === "output";
/** @param {number} i */
const inputName = (i) => state.run.data.columns?.[i] ?? String(i + 1);

/** @param {number | null | undefined} value */
const number = (value) => text.number(value, 3).replace("-", "−");

/** How many are drawn, where it is not all of them. @param {number} shown @param {number} all @param {string} some @param {string} every */
const counted = (shown, all, some, every) => t(shown < all ? some : every, { shown, n: text.count(all), all: text.count(all) });

/** @param {ForwardLayer} layer */
function unitsOf({ name, drawn, units }) {
  const activation = isOutput({ name }) ? "" : ` · ${layerOf(name)?.activation ?? ""}`;
  return counted(drawn.length, units, "page.units_of", "page.units") + activation;
}

/** The column of the input; pixels are a picture, not units. @param {Pass} look @param {Node[]} nodes @returns {Column} */
function inputColumn(look, nodes) {
  const all = state.run.network.inputs;
  const sub = look.pixels ? t("page.inputs", { n: text.count(all) }) : counted(nodes.length, all, "page.inputs_of", "page.inputs");
  return { layer: null, title: t(look.pixels ? "page.input" : "page.input_columns"), sub, nodes: look.pixels ? [] : nodes, edges: [], foot: "", slopes: [], reached: true };
}

/** @param {Pass} look @returns {Column[]} */
export function forwardColumns(look) {
  const measured = measuredAt(look.step);
  const inputs = look.inputs.map(({ unit, value }) => ({ unit, value, name: inputName(unit), shown: number(look.values?.[unit]) }));
  return [inputColumn(look, inputs), ...look.layers.map((layer) => ({
    layer: layer.name, title: isOutput(layer) ? t("page.answer") : layer.name, sub: unitsOf(layer),
    nodes: isOutput(layer) ? answers(look, layer.drawn) : hidden(layer), edges: layer.edges,
    foot: isOutput(layer) ? lossLine(look) : figures(layer, measured[layer.name]), slopes: [], reached: true,
  }))];
}

/** @param {ForwardLayer} layer @returns {Node[]} */
const hidden = ({ name, drawn }) => drawn.map(({ unit, value }) => ({ unit, value, shown: number(value), shut: isGated(name) && !(value > 0) }));

/** The outputs, filled with the confidence; numbers by their distance from the mean. @param {Pass} look @param {UnitValue[]} drawn @returns {Node[]} */
function answers(look, drawn) {
  const { classes, target: predicts } = state.run.data;
  return drawn.map(({ unit, value }) => ({
    unit, name: classes[unit], right: target().isTrue(look, unit), value: predicts === "number" ? value : look.confidences[unit],
    shown: predicts === "number" ? number(look.confidences[unit]) : text.percent(look.confidences[unit]),
  }));
}

/** @param {Pass} look */
function lossLine({ loss, label, probabilities, confidences }) {
  if (!text.isNumber(loss)) return "";
  const p = label === null ? NaN : probabilities[label];
  // The loss is that of the probabilities before the temperature, which the drawing does not show.
  const isCalibrated = label !== null && text.percent(p) !== text.percent(confidences[label]);
  return t(isCalibrated ? "page.loss_line_before" : "page.loss_line", { loss: text.number(loss), p: text.percent(p) });
}

/** What was measured at this very step: a figure of another one says nothing of these weights. @param {number} step @returns {{ [layer: string]: LayerMetrics }} */
function measuredAt(step) {
  const [line, snapshot] = [state.lines.find((line) => line.step === step), film.at(step)];
  const of = [...(line?.layers ?? []), ...(snapshot?.layers ?? [])];
  return Object.fromEntries(of.map(({ name }) => [name, Object.assign({}, ...of.filter((layer) => layer.name === name))]));
}

/** What was measured of a layer, in one line. @param {ForwardLayer} layer @param {LayerMetrics | undefined} of */
const figures = ({ active }, of) => t("page.layer_line", {
  active: text.percent(active, 0), all: text.percent(of?.active_fraction, 0), gradient: text.number(of?.grad_norm, 2), dead: text.percent(of?.dead_fraction, 0),
});

/**
 * The columns with the error that has come back through some of them, from the output on.
 * @param {Pass} look
 * @param {BackwardPass} back
 * @param {number} pulled
 * @returns {Column[]}
 */
export function backwardColumns(look, back, pulled) {
  const last = look.layers.length;
  const inputs = back.inputs.map(({ unit, value }) => ({ unit, value, name: inputName(unit), shown: text.signed(value, 2) }));
  const columns = [inputColumn(look, inputs), ...look.layers.map((layer, i) => {
    const own = back.layers[i];
    return {
      layer: layer.name, title: isOutput(layer) ? t("page.answer") : layer.name, sub: isOutput(layer) ? "p − y" : unitsOf(layer),
      nodes: layer.drawn.map(({ unit, value }, k) => ({
        unit, value: own.deltas[k], shown: own.deltas[k] === 0 ? "0" : text.signed(own.deltas[k], 2), name: isOutput(layer) ? state.run.data.classes[unit] : undefined,
        right: isOutput(layer) && unit === back.target, shut: isGated(layer.name) && !(value > 0),
      })),
      edges: /** @type {Edge[]} */ ([]), foot: errorLine(own, layer.units),
      slopes: own.steepest.map(({ unit, input, slope }) => `${unit} ← ${i === 0 && !look.pixels ? inputName(input) : input}: ${text.signed(slope, 2)}`),
      reached: true,
    };
  })];
  if (look.pixels) columns[0].foot = t("page.gradient_scale", { scale: text.number(back.input_scale, 2) });
  columns.forEach((column, i) => {
    column.reached = last - i <= pulled;
    // The weights of a layer take its error to the column before it.
    if (i < last) column.edges = back.layers[i].edges;
  });
  return columns;
}

/** @param {BackwardPass["layers"][0]} layer @param {number} units */
function errorLine({ name, open, arrives, norm }, units) {
  if (isOutput({ name })) return t("page.error_line", { norm: text.number(norm, 2) });
  const values = { open: text.count(open), all: text.count(units), arrives: text.number(arrives, 2), norm: text.number(norm, 2) };
  return t(isGated(name) ? "page.gates_line" : "page.slopes_line", values);
}
