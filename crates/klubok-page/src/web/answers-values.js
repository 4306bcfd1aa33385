// @ts-check
// The predictions of labels and of numbers: figures of each, and numbers against their true values.
import { ticksOf } from "./chart.js";
import { el, region, svg, table } from "./draw.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { LabelPredictions, NumberPredictions } from "./types.js" */

const SIZE = 300;

/** @param {LabelPredictions} look */
export function labels(look) {
  const [low, high] = look.accuracy_interval;
  const lead = t("page.accuracy_is_labels", {
    accuracy: text.percent(look.accuracy), low: text.percent(low), high: text.percent(high), exact: text.percent(look.exact),
    chance: text.percent(look.chance), n: text.count(look.samples),
  });
  const heads = [t("page.label"), "F1", t("page.average_precision"), t("page.precision"), t("page.recall"), t("page.samples")];
  const rows = look.per_label.map((of) =>
    [of.label, ...[of.f1, of.average_precision, of.precision, of.recall].map((value) => text.percent(value)), text.count(of.support)]);
  const mean = [t("page.mean"), text.percent(look.macro_f1), text.percent(look.mean_average_precision), "", "", ""];
  return [el("p", { class: "lead", text: lead }), el("h3", { text: t("page.by_label") }),
    region(t("page.by_label"), table(heads, [...rows, mean])), el("p", { class: "note", text: t("page.average_precision_is") })];
}

/** Both axes have the same scale, so that an exact prediction lies on the diagonal. @param {[number, number][]} pairs @param {string} name */
function scatter(pairs, name) {
  const values = pairs.flat();
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = (most - least || Math.abs(most) || 1) * 0.05;
  const [low, high] = [least - margin, most + margin];
  const at = (/** @type {number} */ value) => ((value - low) / (high - low)) * SIZE;
  const words = t("page.scatter_text", { name, n: text.count(pairs.length) });
  return svg("svg", { viewBox: `-62 -10 ${SIZE + 82} ${SIZE + 50}`, class: "scatter", role: "img", "aria-label": words },
    svg("rect", { x: 0, y: 0, width: SIZE, height: SIZE, class: "frame" }),
    ...pairs.map(([truth, prediction]) => svg("circle", { cx: at(truth), cy: SIZE - at(prediction), r: 2.6, class: "dot" })),
    svg("line", { x1: 0, y1: SIZE, x2: SIZE, y2: 0, class: "diagonal" }),
    ...ticksOf(low, high, 4).flatMap((value) => [
      svg("text", { x: at(value), y: SIZE + 15, "text-anchor": "middle", text: text.plain(value) }),
      svg("text", { x: -5, y: SIZE - at(value) + 4, "text-anchor": "end", text: text.plain(value) }),
    ]),
    svg("text", { x: SIZE / 2, y: SIZE + 33, "text-anchor": "middle", text: t("page.true_value") }),
    svg("text", { x: -SIZE / 2, y: -50, transform: "rotate(-90)", "text-anchor": "middle", text: t("page.prediction") }));
}

/** @param {NumberPredictions} look @param {string[]} names */
export function numbers(look, names) {
  const lead = t("page.errors_are", {
    rmse: text.number(look.rmse), mae: text.number(look.mae), r2: text.decimals(look.r2, 3), n: text.count(look.samples),
  });
  const heads = [t("page.number"), "RMSE", "MAE", "R²"];
  const rows = look.per_output.map((of) => [of.output, text.number(of.rmse), text.number(of.mae), text.decimals(of.r2, 3)]);
  const [first] = names;
  // Of a single number, the mean says it all.
  const each = names.length > 1 ? [el("h3", { text: t("page.by_number") }), region(t("page.by_number"), table(heads, rows))] : [];
  return [el("p", { class: "lead", text: lead }), ...each,
    el("h3", { text: t("page.scatter", { name: first }) }), scatter(look.pairs, first), el("p", { class: "note", text: t("page.scatter_is") })];
}
