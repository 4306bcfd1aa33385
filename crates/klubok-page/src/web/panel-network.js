// @ts-check
// The network from left to right: what each layer makes of the sample, and the way the error goes back.
import { bar, bytes, canvas, choice, drawSigned, drawTiles, el, pairs, pictureOf, refill, signedBytes, twoSided, write } from "./draw.js";
import * as film from "./film.js";
import { panel } from "./panels.js";
import { proof } from "./proof.js";
import * as store from "./state.js";
import { state } from "./state.js";
import { target } from "./target.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Child } from "./draw.js" */
/** @import { BackwardPass, LayerMetrics, Pass, UnitValue } from "./types.js" */

const STRONGEST = 8;
const CLASSES = 8;
const INPUTS = 12;
let /** @type {HTMLElement} */ flow, /** @type {HTMLElement} */ note, /** @type {ReturnType<typeof proof>} */ proven;
/** @type {"forward" | "backward"} */
let way = "forward";

/** @param {HTMLElement} body */
function build(body) {
  /** @type {["forward" | "backward", string][]} */
  const choices = [["forward", t("page.forward")], ["backward", t("page.backward")]];
  flow = el("ol", { class: "flow", tabindex: 0, "aria-label": t("page.network") });
  note = el("p", { class: "note" });
  const ways = choice(t("page.way"), choices, way, (chosen) => {
    way = chosen;
    store.changed("choice");
  });
  // The error that goes back is that of a class.
  ways.hidden = state.run.data.target !== "class";
  proven = proof();
  body.append(el("div", { class: "bar-of-tools" }, note, ways), flow, proven.box);
}

/** A figure of a layer: its name, a bar where it has a scale, and the number. @param {string} label @param {string} value @param {Child} bar */
function figure(label, value, bar) {
  return el("div", { class: "layer-figure" }, el("span", { text: label }), bar, el("b", { text: value }));
}

/** @param {string} title @param {string} sub @param {Child[]} children */
const column = (title, sub, ...children) =>
  el("li", { class: "layer" }, el("h3", { text: title }), el("p", { class: "sub", text: sub }), ...children);

/** The strongest units as bars; each leads to the neuron. @param {string} layer @param {UnitValue[]} list @param {boolean} signed */
function units(layer, list, signed) {
  const most = Math.max(...list.map((unit) => Math.abs(unit.value)), 1e-30);
  return el("ul", { class: "units" }, ...list.slice(0, STRONGEST).map(({ unit, value }) => el("li", {}, el("button", {
    type: "button", class: "unit", "data-focus": `${layer}-${unit}`, onclick: () => store.setNeuron(layer, unit),
  }, el("span", { class: "unseen", text: `${t("page.unit")} ` }), el("span", { class: "number", text: unit }),
  signed ? twoSided(value / most) : bar(value / most),
  el("span", { class: "value", text: signed ? text.signed(value, 2) : text.number(value, 2) })))));
}

/** @param {Pass} look */
function input({ pixels, values = [], name, width = 1, height = 1, channels = 1 }) {
  if (pixels) return pictureOf(t("page.picture_text", { name: name || t("page.own_picture"), width, height }), { width, height, channels }, pixels);
  const names = state.run.data.columns ?? [];
  return el("dl", { class: "evidence" }, ...pairs(values.slice(0, INPUTS).map((value, i) => [names[i] ?? String(i + 1), text.number(value)])));
}

const inputs = () => t("page.inputs", { n: text.count(state.run.network.inputs) });
/** @param {string} name */
function unitsOf(name) {
  const layer = state.run.network.layers.find((layer) => layer.name === name);
  return t("page.units", { n: text.count(layer?.units) }) + (layer?.activation ? ` · ${layer.activation}` : "");
}

/** Gradients differ by powers of ten: a bar of their logarithm shows whether they vanish on the way. @param {number} norm @param {number[]} norms */
function gradientBar(norm, norms) {
  if (!(norm > 0)) return null;
  const [low, high] = [Math.min(...norms, 1e30), Math.max(...norms, 1e-30)];
  const from = Math.log10(Math.min(low, high / 1000));
  return bar((Math.log10(norm) - from) / (Math.log10(high) - from || 1));
}

/** What was measured at this very step: a figure of another one says nothing of these weights. @param {number} step @returns {{ [layer: string]: LayerMetrics }} */
function measuredAt(step) {
  const [line, snapshot] = [state.lines.find((line) => line.step === step), film.at(step)];
  const of = [...(line?.layers ?? []), ...(snapshot?.layers ?? [])];
  return Object.fromEntries(of.map(({ name }) => [name, Object.assign({}, ...of.filter((layer) => layer.name === name))]));
}

/** @param {Pass} look */
function forward(look) {
  const measured = measuredAt(look.step);
  const norms = Object.values(measured).map(({ grad_norm }) => grad_norm ?? 0).filter((norm) => norm > 0);
  const columns = [column(t(look.pixels ? "page.input" : "page.input_columns"), inputs(), input(look))];
  for (const layer of look.layers.filter((layer) => layer.name !== "output")) {
    const of = measured[layer.name];
    const tiles = canvas(t("page.tiles_text", { layer: layer.name, active: text.percent(layer.active, 0) }), "tiles");
    drawTiles(tiles, bytes(layer.all));
    columns.push(column(layer.name, unitsOf(layer.name), tiles,
      figure(t("page.active"), text.percent(layer.active, 0), bar(layer.active, { tick: 0.5 })),
      figure(t("page.active_all"), text.percent(of?.active_fraction, 0), bar(of?.active_fraction, { tick: 0.5, kind: "soft" })),
      figure(t("page.gradient"), text.number(of?.grad_norm, 2), gradientBar(of?.grad_norm ?? 0, norms)),
      figure(t("page.dead"), text.percent(of?.dead_fraction, 0), null),
      el("h4", { text: t("page.strongest") }), units(layer.name, layer.strongest, layer.strongest.some(({ value }) => value < 0))));
  }
  columns.push(column(t("page.answer"), unitsOf("output"), answer(look)));
  return columns;
}

/** @param {number[]} list */
const order = (list) => list.map((_, i) => i).sort((a, b) => Math.abs(list[b]) - Math.abs(list[a])).slice(0, CLASSES);

/** @param {string} name @param {boolean} right @param {Child} bar @param {string} value */
const answerLine = (name, right, bar, value) =>
  el("li", {}, el("span", { class: "class", text: `${name}${right ? " ✓" : ""}` }), bar, el("span", { class: "value", text: value }));

/** @param {Pass} look */
function answer(look) {
  const { classes, target: predicts } = state.run.data;
  if (predicts === "number") {
    return el("dl", { class: "evidence" }, ...pairs(look.confidences.map((number, i) => [classes[i], text.number(number)])));
  }
  return el("ul", { class: "answer" }, ...order(look.confidences).map((i) => {
    const right = target().isTrue(look, i);
    return answerLine(classes[i], right, bar(look.confidences[i], { kind: right ? "right" : "" }), text.percent(look.confidences[i]));
  }));
}

/** Weights by the slope of the loss along them: gradient descent moves each against it. @param {BackwardPass["layers"][0]["steepest"]} list */
const weights = (list) => el("ul", { class: "weights" }, ...list.map(({ unit, input, slope }) =>
  el("li", {}, el("span", { text: `${unit} ← ${input}` }), el("b", { text: text.signed(slope, 2) }))));

/** @param {Pass} look @param {BackwardPass} back */
function backwardInput({ pixels, width = 1, height = 1, channels = 1 }, back) {
  if (!pixels) return column(t("page.input_columns"), inputs());
  const slopes = canvas(t("page.gradient_text"), "sample");
  drawSigned(slopes, { width, height, channels }, signedBytes(back.input), 127);
  const scale = t("page.gradient_scale", { scale: text.number(back.input_scale, 2) });
  return column(t("page.input"), t("page.gradient_at_input"), slopes, el("p", { class: "sub", text: scale }));
}

/** @param {Pass} look @param {BackwardPass} back */
function backward(look, back) {
  const { classes } = state.run.data;
  const norms = back.layers.map((layer) => layer.norm).filter((norm) => norm > 0);
  const columns = [backwardInput(look, back)];
  for (const layer of back.layers.filter((layer) => layer.name !== "output")) {
    columns.push(column(layer.name, unitsOf(layer.name),
      figure(t("page.gates"), text.percent(layer.open, 0), bar(layer.open, { tick: 0.5 })),
      figure(t("page.error_size"), text.number(layer.norm, 2), gradientBar(layer.norm, norms)),
      el("h4", { text: t("page.most_error") }), units(layer.name, layer.strongest, true),
      el("h4", { text: t("page.steepest") }), weights(layer.steepest)));
  }
  columns.push(column(t("page.answer"), "p − y", el("ul", { class: "answer" }, ...order(back.output).map((i) =>
    answerLine(classes[i], i === back.target, twoSided(back.output[i]), text.signed(back.output[i], 2))))));
  return columns;
}

/** @param {Pass} look */
function render(look) {
  proven.render(look);
  const back = way === "backward" ? look.backward : null;
  flow.classList.toggle("backward", Boolean(back));
  refill(flow, back ? backward(look, back) : forward(look));
  if (way === "backward" && !back) write(note, t("page.no_way_back"));
  else write(note, back ? t("page.backward_is") : t("page.forward_is"));
}

export const network = panel({
  id: "network", title: "page.network", about: "page.network_about", wide: true, path: store.passPath, every: 1500, on: ["story", "film", "sample", "choice"], build, render,
});
