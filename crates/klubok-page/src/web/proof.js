// @ts-check
// Proof of backpropagation: one weight is moved a little to both sides, and the slope that is measured stands beside the one
// that the chain rule told.
import * as api from "./api.js";
import { button, el, pairs, write } from "./draw.js";
import { nameOf } from "./moments.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Pass, Slope } from "./types.js" */

// Digits that show what so small a step does to a loss.
const DIGITS = 9;

/** @param {number} n */
const any = (n) => Math.floor(Math.random() * n);

export function proof() {
  const { inputs, layers: all } = state.run.network;
  const layers = el("select", { "aria-label": t("page.layer") }, ...all.map((layer) => el("option", { value: layer.name, text: layer.name })));
  const shown = el("div", { class: "proof", "aria-live": "polite" });
  const note = el("p", { class: "note" });
  const steepest = button("page.prove", () => ask(""), "strong");
  const other = button("page.other_weight", () => ask(anyWeight()), "quiet");
  const box = el("details", { class: "more" }, el("summary", { text: t("page.prove_it") }),
    el("p", { class: "note", text: t("page.prove_is") }), el("div", { class: "bar-of-tools start" }, layers, steepest, other), note, shown);
  let of = store.samplePath();

  function anyWeight() {
    const at = layers.selectedIndex;
    return `&unit=${any(all[at].units)}&input=${any(at === 0 ? inputs : all[at - 1].units)}`;
  }

  /** @param {string} weight */
  async function ask(weight) {
    const sample = store.samplePath();
    try {
      const path = `/api/look/slope?layer=${encodeURIComponent(layers.value)}${weight}${sample ? `&${sample}` : ""}`;
      const slope = /** @type {Slope} */ (await api.get(store.atMoment(path), true));
      write(note, "");
      shown.replaceChildren(...slopeWords(slope));
    } catch (error) {
      shown.replaceChildren();
      write(note, error instanceof Error ? error.message : String(error));
    }
  }

  /** Another sample has other slopes. @param {Pass} look */
  function render(look) {
    box.hidden = !look.backward || api.isReport;
    const sample = store.samplePath();
    if (of !== sample) shown.replaceChildren();
    of = sample;
  }

  return { box, render };
}

/** Activations whose slope jumps where a gate opens. */
const GATES = ["relu", "leaky_relu", "selu"];
const hasKinks = () => state.run.network.layers.some(({ activation }) => GATES.includes(activation));

/** @param {Slope} slope */
function slopeWords(slope) {
  const exact = (/** @type {number} */ x) => text.decimals(x, DIGITS);
  const e = text.number(slope.epsilon, 1);
  return [
    el("p", { text: t("page.the_weight", { layer: slope.layer, unit: slope.unit, input: slope.input, w: text.signed(slope.weight) }) }),
    el("dl", { class: "sum" }, ...pairs([
      [t("page.loss_at", { w: `w + ${e}` }), exact(slope.moved[1])], [t("page.loss_at", { w: "w" }), exact(slope.loss)],
      [t("page.loss_at", { w: `w − ${e}` }), exact(slope.moved[0])],
      [t("page.slope_measured"), text.signed(slope.measured, 6), "total"],
      [t("page.slope_told"), text.signed(slope.told, 6), "result"],
      [t("page.slopes_apart"), text.number(Math.abs(slope.measured - slope.told), 2)]])),
    el("p", { class: "note", text: `${nameOf(slope.step)}. ${hasKinks() ? t("page.slope_kink") : ""}` })];
}
