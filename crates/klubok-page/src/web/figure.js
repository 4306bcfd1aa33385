// @ts-check
// The curves as the chart is told them: loss above, accuracy or R² below, phases, flags and the best epoch. No state is kept here.
import { phaseName } from "./phases.js";
import * as store from "./state.js";
import { state } from "./state.js";
import { target } from "./target.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Data, Phase, Plot } from "./chart.js" */
/** @import { Measured, Metrics } from "./types.js" */
/** @typedef {"steps" | "epochs" | "seconds"} AxisKind */

// Step 0 has no logarithm: it stands half a step before step 1.
const ZERO = 0.5;

const titles = { steps: "page.axis_steps", epochs: "page.axis_epochs", seconds: "page.axis_seconds" };

/** Where a line is on an axis. @type {{ [kind in AxisKind]: (line: Metrics) => number }} */
const places = {
  steps: (line) => Math.max(line.step, ZERO),
  epochs: (line) => line.epoch,
  seconds: (line) => line.elapsed_seconds,
};

/** Where an epoch is on an axis. @param {AxisKind} kind @param {number} epoch */
function placeOf(kind, epoch) {
  if (kind === "steps") return Math.max(epoch * (state.now.steps_per_epoch || 1), ZERO);
  if (kind === "epochs") return epoch;
  return (state.lines.find((line) => line.epoch >= epoch) ?? state.lines.at(-1))?.elapsed_seconds ?? 0;
}

/** The training loss of a line, measured as the validation's if it was. @param {Metrics} line */
export const trainingLoss = (line) => line.train_eval_loss ?? line.train_loss;

/**
 * @param {Measured[]} train
 * @param {Measured[]} val
 * @param {(values: Measured[], i: number) => string} words
 */
const linesOf = (train, val, words) => [
  { name: t("page.training"), kind: "training", dashed: true, values: train, words: (/** @type {number} */ i) => words(train, i) },
  { name: t("page.validation"), kind: "validation", values: val, words: (/** @type {number} */ i) => words(val, i) },
];

/** @param {AxisKind} kind @returns {Plot} */
function lossPlot(kind) {
  const { lines, run, best_epoch } = state;
  const [train, val] = [lines.map(trainingLoss), lines.map((line) => line.val_loss)];
  const best = lines.find((line) => line.epoch === best_epoch);
  const guess = run.loss_of_guessing;
  const highest = [...train, ...val].filter(text.isNumber).reduce((most, loss) => Math.max(most, loss), (guess ?? 0) * 1.3);
  return {
    title: t("page.loss"), range: [0, (highest || 1) * 1.05], format: text.plain,
    lines: linesOf(train, val, (values, i) => text.number(values[i], 4)),
    level: text.isNumber(guess) ? { y: guess, words: target().guessing() } : undefined,
    // Random weights are the best only until the first epoch has been measured.
    star: best && best.step > 0 && text.isNumber(best.val_loss) ? { x: places[kind](best), y: best.val_loss, words: t("page.best"), kind: "validation" } : undefined,
  };
}

/** @returns {Plot} */
function scorePlot() {
  const { lines, run } = state;
  const { score, guessing } = target();
  const [train, val] = [lines.map(score.train), lines.map(score.val)];
  const intervals = lines.map(score.interval);
  const guess = score.guess(run);
  const lowest = [...train, ...val].filter(text.isNumber).reduce((least, value) => Math.min(least, value), guess);
  return {
    title: score.name(), range: [Math.max(score.lowest, lowest - 0.08), 1.02], format: score.tick,
    lines: linesOf(train, val, (values, i) => score.words(lines[i], values[i])),
    band: { kind: "validation", low: intervals.map((of) => of?.[0]), high: intervals.map((of) => of?.[1]) },
    level: { y: guess, words: guessing() },
  };
}

/** @param {AxisKind} kind @returns {Phase[]} */
const phasesOf = (kind) => state.phases.map((phase) => ({
  from: placeOf(kind, phase.start), to: placeOf(kind, phase.end), kind: phase.name,
  // The less sure it is, the softer are its edges.
  fade: Math.max(0.02, (1 - phase.certainty) / 2), words: `${phaseName(phase)} ${text.percent(phase.certainty, 0)}`,
}));

/** The whole figure. @param {AxisKind} kind of the x axis @returns {Data} */
export function figure(kind) {
  const line = store.line();
  return {
    axis: {
      values: state.lines.map(places[kind]), log: kind === "steps", zero: kind === "steps" ? ZERO : undefined,
      end: kind === "epochs" ? state.now.epochs || 1 : 1, title: t(titles[kind]),
      format: kind === "steps" ? text.count : text.plain,
      words: (i) => t("page.moment", { epoch: text.epoch(state.lines[i].epoch), step: text.count(state.lines[i].step) }),
    },
    plots: [lossPlot(kind), scorePlot()],
    phases: phasesOf(kind),
    flags: state.verdicts.map(({ since, severity }, i) => ({ x: placeOf(kind, since), words: `⚑${i + 1}`, kind: severity })),
    cursor: line && places[kind](line),
  };
}
