// @ts-check
// The thread: the error goes back one layer at a time, and a sentence says what happened to it there.
import { isGated, layerOf } from "./network-columns.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { BackwardPass, Pass } from "./types.js" */

/** How often the thread can be pulled: through each hidden layer, and to the input. @param {Pass} look */
export const pulls = (look) => look.layers.length;

/** What the last pull did; before the first, what the error is. @param {Pass} look @param {BackwardPass} back @param {number} pulled */
export function threadWords(look, back, pulled) {
  const at = look.layers.length - 1 - pulled;
  if (pulled === 0) return atOutput(look, back);
  return at < 0 ? atInput(look, back) : throughLayer(look.layers[at].units, back.layers[at]);
}

/** @param {Pass} look @param {BackwardPass} back */
function atOutput(look, back) {
  const values = { name: state.run.data.classes[back.target], p: text.number(look.probabilities[back.target]), norm: text.number(back.layers.at(-1)?.norm, 2) };
  return t("page.thread_output", values);
}

/** @param {number} units @param {BackwardPass["layers"][0]} layer */
function throughLayer(units, { name, open, arrives, norm }) {
  const [before, after] = [text.number(arrives, 2), text.number(norm, 2)];
  if (arrives === 0) return t("page.thread_none", { layer: name });
  const change = before === after ? "page.thread_same" : norm < arrives ? "page.thread_shrank" : "page.thread_grew";
  const size = t(change, { before, after });
  if (!isGated(name)) return t("page.thread_through", { layer: name, activation: layerOf(name)?.activation, size });
  return t("page.thread_gates", { layer: name, shut: text.count(units - open), all: text.count(units), size });
}

/** @param {Pass} look @param {BackwardPass} back */
const atInput = (look, back) => t(look.pixels ? "page.thread_pixels" : "page.thread_inputs", { scale: text.number(back.input_scale, 2) });
