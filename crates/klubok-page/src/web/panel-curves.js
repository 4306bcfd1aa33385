// @ts-check
// Curves: loss above, accuracy or R² below, with phases, flags and the moment that is shown.
import { chart } from "./chart.js";
import { choice, el, region, svg, table, write } from "./draw.js";
import { figure, trainingLoss } from "./figure.js";
import { panel } from "./panels.js";
import { phaseName } from "./phases.js";
import * as store from "./state.js";
import { state } from "./state.js";
import { target } from "./target.js";
import * as text from "./text.js";
import { remembered, t } from "./text.js";
/** @import { AxisKind } from "./figure.js" */

const drawn = chart({ onPick: (i) => store.setMoment(state.lines[i].step) });
const rows = el("div");
let /** @type {HTMLElement} */ readout, /** @type {HTMLElement} */ summary, /** @type {HTMLDetailsElement} */ asTable;
let kind = /** @type {AxisKind} */ (remembered.get("klubok-axis") || "steps");
// How many epochs the table has.
let listed = 0;

/** @param {string} colour @param {boolean} dashed */
function sample(colour, dashed) {
  const line = svg("line", { x1: 0, x2: 26, y1: 5, y2: 5, "stroke-width": 2.5, class: colour, "stroke-dasharray": dashed ? "5 3" : null });
  return svg("svg", { width: 26, height: 10, "aria-hidden": "true" }, line);
}

/** @param {HTMLElement} body */
function build(body) {
  /** @type {[AxisKind, string][]} */
  const axes = [["steps", t("page.by_steps")], ["epochs", t("page.by_epochs")], ["seconds", t("page.by_seconds")]];
  const legend = el("ul", { class: "legend" },
    el("li", {}, sample("stroke-training", true), t("page.training")),
    el("li", {}, sample("stroke-validation", false), t("page.validation")),
    el("li", { hidden: target().score.lowest < 0 }, el("span", { class: "band-sample", "aria-hidden": "true" }), t("page.interval")));
  drawn.element.setAttribute("aria-hidden", "true");
  readout = el("p", { class: "readout" });
  summary = el("p", { class: "unseen" });
  listed = 0;
  asTable = el("details", { ontoggle: renderTable }, el("summary", { text: t("page.as_table") }), region(t("page.as_table"), rows));
  body.append(
    el("div", { class: "bar-of-tools" }, legend, choice(t("page.axis"), axes, kind, chooseAxis)),
    drawn.element, readout, summary, asTable);
}

/** @param {AxisKind} chosen */
function chooseAxis(chosen) {
  kind = chosen;
  remembered.set("klubok-axis", chosen);
  drawn.update(figure(kind));
}

// The figures of the moment as text: nobody needs a mouse to read the curves.
function renderReadout() {
  const line = store.line();
  if (!line) return write(readout, t("page.nothing_measured"));
  const losses = t("page.readout", {
    epoch: text.epoch(line.epoch), step: text.count(line.step),
    train_loss: text.number(trainingLoss(line)), val_loss: text.number(line.val_loss),
  });
  return write(readout, `${losses} ${target().score.readout(line)}`);
}

function renderSummary() {
  const [first, last] = [state.epochs.at(0), state.epochs.at(-1)];
  if (!first || !last) return;
  const best = state.epochs.find((line) => line.epoch === state.best_epoch);
  write(summary, t("page.curves_text", {
    first: text.number(first.val_loss), last: text.number(last.val_loss), epoch: text.epoch(last.epoch),
    best: text.epoch(state.best_epoch), lowest: text.number(best?.val_loss),
    phases: state.phases.map((phase) => `${phaseName(phase)} (${text.epoch(phase.start)}–${text.epoch(phase.end)})`).join(", ") || "–",
  }));
}

function renderTable() {
  if (!asTable.open || listed === state.epochs.length) return;
  listed = state.epochs.length;
  const columns = target().score.columns();
  rows.replaceChildren(table(
    [t("page.epoch"), t("page.training_loss"), t("page.validation_loss"), ...columns.map(([words]) => words)],
    state.epochs.map((line) => [
      text.epoch(line.epoch), text.number(trainingLoss(line)), text.number(line.val_loss), ...columns.map(([, value]) => value(line))])));
}

function render() {
  drawn.update(figure(kind));
  renderReadout();
  renderSummary();
  renderTable();
}

export const curves = panel({ id: "curves", title: "page.curves", about: "page.curves_about", on: ["story"], step: () => store.line()?.step, build, render });
