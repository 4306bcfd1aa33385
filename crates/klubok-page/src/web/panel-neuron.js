// @ts-check
// One neuron under the glass: what it is given, what it weighs with, and the sum.
import * as api from "./api.js";
import { button, canvas, drawSigned, el, floats, pairs, region, table, twoSided, write } from "./draw.js";
import { panel } from "./panels.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Measured, Neuron, Shape } from "./types.js" */

const LARGEST = 10;
let /** @type {HTMLSelectElement} */ layers, /** @type {HTMLInputElement} */ unit;
let /** @type {HTMLElement} */ parts, /** @type {HTMLElement} */ sum, /** @type {HTMLElement} */ note;

// A report holds a few neurons; else the first unit of the first layer stands until somebody chooses.
function chosen() {
  const { layer, unit } = state.neuron;
  if (layer !== null) return { layer, unit: unit ?? 0 };
  const [first] = api.keptPaths("/api/look/neuron?");
  const query = new URLSearchParams(first?.split("?")[1]);
  return { layer: query.get("layer") ?? state.run.network.layers[0].name, unit: Number(query.get("unit")) };
}

function path() {
  const { layer, unit } = chosen();
  const sample = store.sampleAlone();
  const of = `/api/look/neuron?layer=${encodeURIComponent(layer)}&unit=${unit}`;
  // A report has the sum of one sample.
  return store.atMoment(sample && !api.isReport ? `${of}&${sample}` : of);
}

/** @param {string} layer */
const unitsOf = (layer) => state.run.network.layers.find(({ name }) => name === layer)?.units ?? 1;

function choose(by = 0) {
  const wanted = Math.round(Number(unit.value)) + by;
  store.setNeuron(layers.value, Math.max(0, Math.min(unitsOf(layers.value) - 1, Number.isFinite(wanted) ? wanted : 0)));
}

/** @param {HTMLElement} body */
function build(body) {
  const names = state.run.network.layers.map(({ name }) => el("option", { value: name, text: name }));
  layers = el("select", { id: "neuron-layer", onchange: () => choose() }, ...names);
  unit = el("input", { id: "neuron-unit", type: "number", min: 0, step: 1, value: 0, onchange: () => choose() });
  const step = (/** @type {string} */ sign, /** @type {string} */ key, /** @type {number} */ by) => {
    const stepper = button(key, () => choose(by), "quiet");
    stepper.setAttribute("aria-label", t(key));
    write(stepper, sign);
    return stepper;
  };
  parts = el("div", { class: "parts" });
  sum = el("dl", { class: "sum" });
  note = el("p", { class: "note" });
  body.append(el("div", { class: "bar-of-tools start stays" },
    el("label", { for: "neuron-layer", text: t("page.layer") }), layers,
    el("span", { class: "stepper" }, el("label", { for: "neuron-unit", text: t("page.unit") }),
      step("−", "page.unit_before", -1), unit, step("+", "page.unit_after", 1))),
  el("div", { class: "glass" }, parts, el("div", {}, sum, note)));
  renderChoice();
}

function renderChoice() {
  const { layer, unit: number } = chosen();
  if (document.activeElement !== layers) layers.value = layer;
  unit.max = String(unitsOf(layer) - 1);
  if (document.activeElement !== unit) unit.value = String(number);
}

/**
 * Inputs, weights and their products as three pictures, each on its own scale.
 * @param {Shape} shape
 * @param {Float32Array} x
 * @param {Float32Array} w
 * @param {Float32Array} products
 */
function pictures(shape, x, w, products) {
  const figure = (/** @type {string} */ sign, /** @type {string} */ label, /** @type {Float32Array} */ values) => {
    const limit = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
    const picture = canvas(`${label} ±${text.number(limit, 2)}`, "sample");
    drawSigned(picture, shape, values, limit);
    return [el("span", { class: "sign", "aria-hidden": "true", text: sign }),
      el("figure", {}, picture, el("figcaption", { text: label }), el("span", { class: "sub", text: `±${text.number(limit, 2)}` }))];
  };
  return [...figure("", t("page.x_is"), x), ...figure("×", t("page.w_is"), w), ...figure("=", t("page.products_are"), products)];
}

/**
 * The products that weigh most, as a table.
 * @param {Neuron} look
 * @param {Float32Array} x
 * @param {Float32Array} w
 * @param {Float32Array} products
 */
function largest(look, x, w, products) {
  const order = [...products.keys()].sort((a, b) => Math.abs(products[b]) - Math.abs(products[a])).slice(0, LARGEST);
  const most = Math.abs(products[order[0]]) || 1;
  const names = (look.from === "input" && state.run.data.columns) || [];
  const rows = order.map((i) => [names[i] ?? `${look.from} ${i}`, text.number(x[i]), text.signed(w[i]), text.signed(products[i]),
    el("td", { class: "bar-cell" }, twoSided(products[i] / most))]);
  const caption = t("page.largest_products");
  return [region(caption, table([t("page.from"), "x", "w", "x · w", t("page.share")], rows, { caption }))];
}

/** @type {{ [name: string]: string }} */
const activations = { relu: "max(0, z)", identity: "z", tanh: "tanh z", sigmoid: "σ(z)" };

/** @param {Neuron} look */
function render(look) {
  renderChoice();
  const { width = 1, height = 1, channels = 1 } = look;
  const [x, w] = [floats(look.x), floats(look.w)];
  const products = w.map((weight, i) => weight * x[i]);
  parts.replaceChildren(...(height > 1 ? pictures({ width, height, channels }, x, w, products) : largest(look, x, w, products)));
  renderSum(look, products);
}

/** Added up as on paper, one number below the other. @param {Neuron} look @param {Float32Array} products */
function renderSum(look, products) {
  let [up, down] = [0, 0];
  for (const product of products) product > 0 ? (up += product) : (down += product);
  /** @type {[label: string, value: Measured, kind?: string][]} */
  const rows = [[t("page.products_above"), up], [t("page.products_below"), down]];
  if (text.isNumber(look.b)) rows.push([t("page.bias"), look.b]);
  if (look.normalised) rows.push([t("page.sum"), look.sum, "total"], [t("page.normalised"), look.z]);
  else rows.push([t("page.sum_z"), look.z, "total"]);
  rows.push([activations[look.activation] ?? look.activation, look.a, "result"]);
  const shown = (/** @type {Measured} */ value) => text.decimals(value, 4).replace("-", "−");
  sum.replaceChildren(...pairs(rows.map(([label, value, kind]) => [label, shown(value), kind])));
  write(note, look.activation === "relu" && !((look.z ?? 0) > 0) ? t("page.silent") : "");
}

export const neuron = panel({
  id: "neuron", title: "page.neuron", about: "page.neuron_about", wide: true, path, every: 2000, on: ["neuron", "sample"], build, render,
});
