// @ts-check
// How far each layer has come: what a straight cut through its outputs can tell, how little a flip or a shift of the picture
// changes them, and where the validation samples lie before the last layer.
import { bar, el, region, table, write } from "./draw.js";
import { panel } from "./panels.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Layers } from "./types.js" */

const box = el("div");
let /** @type {HTMLElement} */ note;

/** @param {HTMLElement} body */
function build(body) {
  note = el("p", { class: "note" });
  body.append(region(t("page.layers"), box), note);
}

/** @param {number} share */
const barCell = (share) => el("td", { class: "bar-cell" }, bar(share));
/** @param {string} name */
const nameOf = (name) => (name === "input" ? t(state.run.data.kind === "pictures" ? "page.input" : "page.input_columns") : name);

/** @param {Layers} look */
function render(look) {
  const pictures = text.isNumber(look.pixels);
  const heads = [t("page.layer"), t("page.probe"), el("th", { "aria-hidden": "true", text: t("page.probe") }),
    ...(pictures ? [t("page.flipped"), t("page.shifted")] : [])];
  const rows = look.layers.map((layer) => [nameOf(layer.name), text.percent(layer.probe), barCell(layer.probe),
    ...(pictures ? [text.decimals(layer.flip, 2), text.decimals(layer.shift, 2)] : [])]);
  const foot = [t("page.network_itself"), text.percent(look.network), barCell(look.network), ...(pictures ? ["", ""] : [])];
  box.replaceChildren(table(heads, rows, { foot }));
  const probe = t("page.probe_is", { n: text.count(look.learnt_from), all: text.count(look.samples), chance: text.percent(state.run.chance) });
  write(note, pictures ? `${probe} ${t("page.alike_is", { pixels: look.pixels })}` : probe);
}

export const layers = panel({
  id: "layers", title: "page.layers", about: "page.layers_about", folds: true,
  path: () => store.atMoment("/api/look/layers"), every: 10000, long: true, build, render,
});
