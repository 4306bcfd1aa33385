// @ts-check
// The validation loss of all lanes, on one scale, over epochs.
import { chart } from "./chart.js";
import { el } from "./draw.js";
import { laneName } from "./race-sentence.js";
import * as store from "./race-state.js";
import { race } from "./race-state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Data, Line } from "./chart.js" */
/** @import { Lane } from "./race-state.js" */

/** How far above guessing the drawing reaches: the loss of a lane that diverges has no bound. */
const HEADROOM = 1.25;

export function lossChart() {
  const drawn = chart({ onPick: (i) => store.setMoment(stepAt(epochs()[i])) });
  const element = el("section", { class: "race-loss", "aria-label": t("race.loss") }, drawn.element);
  return { element, render: () => drawn.update(figure()) };
}

/** Where any lane measured. */
const epochs = () => [...new Set(race.lanes.flatMap(({ lines }) => lines.map(({ epoch }) => epoch)))].sort((a, b) => a - b);

/** The step at an epoch. @param {number} epoch */
const stepAt = (epoch) => race.lanes.flatMap(({ lines }) => lines).find((line) => line.epoch === epoch)?.step ?? 0;

/** @param {Lane} lane @param {Map<number, number>} places the place of each epoch @returns {Line} */
function lineOf(lane, places) {
  /** @type {(number | null)[]} */
  const values = Array(places.size).fill(null);
  for (const { epoch, val_loss } of lane.lines) if (text.isNumber(val_loss)) values[places.get(epoch) ?? 0] = val_loss;
  return { name: laneName(lane), kind: `lane${lane.number}`, values, words: (i) => text.number(values[i], 3), end: laneName(lane) };
}

/**
 * The losses that are drawn: at first from half of the highest on, so that lanes lie apart, and not often another scale.
 * @param {Line[]} lines
 * @returns {[number, number]}
 */
function range(lines) {
  const starts = race.lanes.map((lane) => lane.lines[0]?.val_loss ?? 0);
  const most = HEADROOM * Math.max(...starts, ...race.lanes.map(({ run }) => run.loss_of_guessing ?? 0));
  const values = lines.flatMap(({ values }) => values).filter(text.isNumber);
  const highest = values.reduce((high, value) => Math.max(high, value), 0);
  const top = (most > 0 ? Math.min(most, highest * 1.05) : highest) || 1;
  return [0.95 * values.reduce((low, value) => Math.min(low, value), top / 2), top];
}

/** @returns {Data} */
function figure() {
  const at = epochs();
  const lines = race.lanes.map((lane) => lineOf(lane, new Map(at.map((epoch, i) => [epoch, i]))));
  const [{ run }] = race.lanes;
  const guess = run.loss_of_guessing;
  // Where a step is another epoch in each lane, there is no one place for it.
  const perEpoch = store.stepsPerEpoch();
  const shown = race.moment === null || perEpoch === null ? null : race.moment / perEpoch;
  return {
    axis: {
      values: at, end: Math.max(1, ...race.lanes.map(({ now }) => now.epochs)), title: t("page.axis_epochs"), format: text.plain,
      words: (i) => t("race.epoch", { epoch: text.epoch(at[i]) }),
    },
    plots: [{
      title: t("race.loss"), range: range(lines), format: text.plain, lines,
      level: text.isNumber(guess) && run.data.target !== "number" ? { y: guess, words: t("page.guessing") } : undefined,
    }],
    cursor: shown,
  };
}
