// @ts-check
// What excites a unit: the training pictures that do it most, and a picture that would do it more than they do.
import * as api from "./api.js";
import { el, pictureOf, refill, write } from "./draw.js";
import { panel } from "./panels.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { ActivationMaxima, Maximum } from "./types.js" */

let /** @type {HTMLSelectElement} */ layers, /** @type {HTMLElement} */ note, /** @type {HTMLElement} */ list;
let layer = "";

/** @param {string} name */
const pathOf = (name) => `/api/look/excites?layer=${encodeURIComponent(name)}`;

function offered() {
  // The answer is what most people want to see first.
  const names = state.run.network.layers.map((layer) => layer.name).reverse();
  return api.isReport ? names.filter((name) => api.keptPaths(pathOf(name)).length > 0) : names;
}

function path() {
  layer ||= offered()[0] ?? "output";
  return store.atMoment(pathOf(layer));
}

/** @param {HTMLElement} body */
function build(body) {
  const options = offered().map((name) => el("option", { value: name, text: name === "output" ? t("page.answer") : name }));
  layers = el("select", {
    "aria-label": t("page.layer"),
    onchange() {
      layer = layers.value;
      store.changed("choice");
    },
  }, ...options);
  note = el("p", { class: "note" });
  list = el("ol", { class: "exciting" });
  body.append(el("div", { class: "bar-of-tools stays" }, layers, note), list);
}

/** @param {ActivationMaxima} look @param {Maximum} maximum */
function row(look, maximum) {
  const { unit } = maximum;
  const isClass = look.layer === "output";
  // There is no room for the names of several labels.
  const one = state.run.data.target === "class";
  const name = isClass ? state.run.data.classes[unit] : `${t("page.unit")} ${unit}`;
  const head = isClass
    ? el("span", { class: "name", text: name })
    : el("button", { type: "button", class: "quiet name", "data-focus": `e${unit}`, text: name, onclick: () => store.setNeuron(look.layer, unit) });
  const best = el("figure", { class: "best" }, pictureOf(t("page.excites_most_text", { name }), look, maximum.pixels), el("figcaption", { text: t("page.excites_most") }));
  const pictures = maximum.rows.map((row, i) => {
    const { pixels, truth } = look.pictures[row];
    const value = text.signed(maximum.values[i], 2);
    const shown = [pictureOf(t("page.exciting_text", { label: truth || "–", value }), look, pixels), el("span", { class: "caption", text: one ? `${truth} · ${value}` : value })];
    if (!store.mayChoose(row)) return el("li", {}, el("div", { class: "feature" }, ...shown));
    return el("li", {}, el("button", { type: "button", class: "feature", "data-focus": `e${unit}-${row}`, onclick: () => store.setSample({ row }) }, ...shown));
  });
  return el("li", {}, el("div", { class: "exciting-head" }, head), best, el("ul", { class: "pictures" }, ...pictures));
}

/** While another layer is on its way, the old one stays. @param {ActivationMaxima} look */
function render(look) {
  layers.value = layer;
  write(note, t("page.excites_of", { n: look.units.length, all: text.count(look.of), samples: text.count(look.samples), components: look.components }));
  refill(list, look.units.map((maximum) => row(look, maximum)));
}

export const excites = panel({
  id: "excites", title: "page.excites", about: "page.excites_about", wide: true, folds: true, path, every: 10000, long: true, on: ["choice"], build, render,
});
