// @ts-check
// How the optimiser moves the weights: the sizes of the steps of single weights, and whether two steps in a row agree.
import * as api from "./api.js";
import { el, region, svg, table, write } from "./draw.js";
import { panel } from "./panels.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { LayerMotion, Motion } from "./types.js" */

const [WIDTH, HEIGHT] = [420, 170];
const figures = el("div");
let /** @type {HTMLElement} */ shown, /** @type {HTMLElement} */ sizes, /** @type {HTMLSelectElement} */ choose, /** @type {HTMLElement} */ note;
let chosen = "all";

/** @param {HTMLElement} body */
function build(body) {
  sizes = el("div");
  choose = el("select", {
    "aria-label": t("page.layer"),
    onchange() {
      chosen = choose.value;
      store.changed("choice");
    },
  });
  shown = el("div", { class: "motion" }, el("div", {}, choose, sizes), region(t("page.motion"), figures));
  note = el("p", { class: "note" });
  body.append(shown, note);
}

/** @param {LayerMotion} layer */
const nameOf = ({ name }) => (name === "all" ? t("page.all_weights") : t("page.weights_of", { layer: name }));

/** @param {Motion} look @param {LayerMotion} layer */
function histogram(look, layer) {
  const most = Math.max(1, ...layer.sizes);
  const wide = WIDTH / layer.sizes.length;
  const powers = layer.sizes.length / look.bins_of_a_power;
  const at = (/** @type {number} */ size) => (Math.log10(size) - look.lowest_power) * look.bins_of_a_power * wide;
  const bars = layer.sizes.map((n, i) => svg("rect", {
    x: i * wide + 1, width: wide - 2, y: HEIGHT - (n / most) * HEIGHT, height: (n / most) * HEIGHT,
  }));
  // A tick at every other power keeps its number readable.
  const ticks = Array.from({ length: Math.floor(powers / 2) + 1 }, (_, i) => {
    const power = look.lowest_power + 2 * i;
    return svg("text", { x: at(10 ** power), y: HEIGHT + 15, "text-anchor": "middle", text: text.number(10 ** power, 1) });
  });
  const rate = look.learning_rate ?? 0;
  const mark = rate > 0 ? [
    svg("line", { x1: at(rate), x2: at(rate), y1: -4, y2: HEIGHT }),
    svg("text", { class: "mark", x: at(rate) + 4, y: 6, text: `${t("page.learning_rate")} ${text.number(rate, 2)}` }),
  ] : [];
  return svg("svg", { viewBox: `-20 -14 ${WIDTH + 40} ${HEIGHT + 52}`, class: "sizes", role: "img", "aria-label": t("page.sizes_text", { typical: text.number(layer.typical, 2) }) },
    ...bars, ...mark, ...ticks, svg("text", { x: WIDTH / 2, y: HEIGHT + 33, "text-anchor": "middle", text: t("page.step_size") }));
}

/** @param {LayerMotion[]} layers */
function figuresOf(layers) {
  const heads = ["page.layer", "page.cosine", "page.relative_step", "page.typical_step", "page.still"].map((key) => t(key));
  return table(heads, layers.map((layer) => [nameOf(layer), text.decimals(layer.cosine, 2), text.number(layer.relative, 2),
    text.number(layer.typical, 2), text.percent(layer.still / layer.parameters, 0)]));
}

// Only steps that are taken now can be looked at; of others there is what was seen then.
function path() {
  if (api.isReport) return null;
  if (store.isLive() && state.now.mode === "training") return "/api/look/motion";
  const line = store.line();
  return line ? `/api/look/motion?moment=${line.step}` : null;
}

function without() {
  shown.hidden = true;
  write(note, t("page.no_steps"));
}

/** @param {Motion | { layers?: undefined }} look */
function render(look) {
  if (!look.layers) return without();
  shown.hidden = false;
  if (choose.options.length === 0) {
    choose.append(...[...look.layers].reverse().map((layer) => el("option", { value: layer.name, text: nameOf(layer) })));
  }
  choose.value = chosen;
  sizes.replaceChildren(histogram(look, look.layers.find((layer) => layer.name === chosen) ?? look.layers[0]));
  figures.replaceChildren(figuresOf(look.layers));
  return write(note, t("page.cosine_is"));
}

export const motion = panel({
  id: "motion", title: "page.motion", about: "page.motion_about", wide: true, folds: true, path, every: 10000, on: ["choice"], build, render, without,
});
