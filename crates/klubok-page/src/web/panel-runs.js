// @ts-check
// Runs: the other runs in the folder, and by which settings they differ.
import { el, region, svg, table } from "./draw.js";
import { panel } from "./panels.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { ComparedRun, Runs } from "./types.js" */

const box = el("div");

/** @param {HTMLElement} body */
function build(body) {
  body.append(region(t("page.runs"), box));
}

/** The validation loss as a small line; all runs on the same scale. @param {ComparedRun["val_loss"]} points @param {number} longest @param {number} highest */
function sparkline(points, longest, highest) {
  const [width, height] = [90, 26];
  const at = points.flatMap(([epoch, loss]) => (loss === null ? [] :
    `${((epoch / longest) * width).toFixed(1)},${(height - 2 - (Math.min(loss, highest) / highest) * (height - 4)).toFixed(1)}`));
  return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "spark", "aria-hidden": "true" },
    svg("polyline", { points: at.join(" "), class: "stroke-validation" }));
}

/** Runs of a folder may predict different things. @param {ComparedRun[]} runs @returns {[string, (run: ComparedRun) => string][]} */
function measured(runs) {
  /** @type {ReturnType<typeof measured>} */
  const scores = [];
  if (runs.some((run) => run.best_val_accuracy !== null)) scores.push([t("page.accuracy"), (run) => text.percent(run.best_val_accuracy)]);
  if (runs.some((run) => run.best_val_r2 !== null)) scores.push(["R²", (run) => text.decimals(run.best_val_r2, 3)]);
  return scores;
}

/** @param {ComparedRun} run @param {string[]} scores @param {SVGElement | null} curve */
function row(run, scores, curve) {
  const differs = Object.entries(run.differs).map(([key, value]) => el("code", { text: `${key} = ${value}` }));
  return el("tr", { class: run.current ? "current" : "" },
    el("th", { scope: "row", text: run.current ? `▸ ${run.name}` : run.name }),
    ...[text.epoch(run.epochs), text.number(run.best_val_loss), ...scores].map((words) => el("td", { text: words })),
    el("td", {}, curve),
    el("td", { class: "differs" }, ...(differs.length > 0 ? differs : [run.current ? t("page.this_run") : t("page.same_settings")])));
}

/** @param {Runs} look */
function render(look) {
  const runs = look.runs.filter(({ comparable }) => comparable);
  const others = look.runs.filter(({ comparable }) => !comparable);
  const points = runs.flatMap((run) => run.val_loss);
  const longest = Math.max(1, ...points.map(([epoch]) => epoch));
  // A run that exploded must not flatten the others.
  const highest = Math.min(Math.max(0.1, ...points.map(([, loss]) => loss ?? 0)), (state.run.loss_of_guessing || Infinity) * 3);
  runs.sort((a, b) => (a.best_val_loss ?? Infinity) - (b.best_val_loss ?? Infinity));
  const scores = measured(look.runs);
  const heads = [t("page.run"), t("page.epochs"), t("page.lowest_loss"), ...scores.map(([words]) => words), t("page.curve"), t("page.differs")];
  const rowOf = (/** @type {ComparedRun} */ run, /** @type {SVGElement | null} */ curve) => row(run, scores.map(([, value]) => value(run)), curve);
  const rows = runs.map((run) => rowOf(run, sparkline(run.val_loss, longest, highest)));
  // What is measured on other samples has no rank and no place on the scale of the curves.
  const apart = others.length > 0 ? [el("tr", { class: "apart" }, el("td", { colspan: heads.length, text: t("page.runs_other") }))] : [];
  box.replaceChildren(table(heads, [...rows, ...apart, ...others.map((run) => rowOf(run, null))], { kind: "runs" }));
}

export const runs = panel({ id: "runs", title: "page.runs", about: "page.runs_about", folds: true, path: () => "/api/runs", every: 15000, build, render });
