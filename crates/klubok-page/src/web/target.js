// @ts-check
// What a run predicts: classes, labels or numbers. All that the panels measure and say differently for the three is here; which
// panels a run has at all, the server tells.
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Measured, Metrics, Pass, Run } from "./types.js" */

/**
 * How good the predictions of a line are.
 * @typedef {object} Score
 * @property {() => string} name
 * @property {(line: Metrics) => Measured} train
 * @property {(line: Metrics) => Measured} val
 * @property {(line: Metrics) => [number, number] | null} interval
 * @property {(line: Metrics, value: Measured) => string} words
 * @property {(run: Run) => number} guess
 * @property {number} lowest the lowest value worth a place in a drawing
 * @property {(value: number) => string} tick
 * @property {(line: Metrics) => string} readout
 * @property {() => [string, (line: Metrics) => string][]} columns
 */
/** @typedef {Pick<Pass, "label" | "targets">} Truth */
/**
 * @typedef {object} Kind
 * @property {Score} score
 * @property {() => string} guessing
 * @property {(run: Run, line: Metrics | undefined) => [said: string, compared: string]} said
 * @property {(line: Metrics) => string} filmed the score in a frame of the saved film
 * @property {() => { [panel: string]: string | undefined }} abouts
 * @property {(pass: Truth, i: number) => boolean} isTrue
 * @property {(pass: Pass, i: number) => boolean} isPredicted
 */

/** The share of right classes or labels, with what chance alone explains of it. @type {Score} */
const accuracy = {
  name: () => t("page.accuracy"),
  train: (line) => line.train_accuracy,
  val: (line) => line.val_accuracy,
  interval: (line) => text.wilson(line.val_accuracy, store.samples(line)),
  words: (line, value) => text.percent(value),
  guess: (run) => run.chance,
  lowest: 0,
  tick: (share) => text.percent(share, 0),
  readout(line) {
    const [low, high] = accuracy.interval(line) ?? [null, null];
    return t("page.readout_accuracy", {
      train_accuracy: text.percent(line.train_accuracy), val_accuracy: text.percent(line.val_accuracy),
      low: text.percent(low), high: text.percent(high),
    });
  },
  columns: () => [
    [t("page.training_accuracy"), (line) => text.percent(line.train_accuracy)],
    [t("page.validation_accuracy"), (line) => text.percent(line.val_accuracy)],
  ],
};

/** The share of the variation that is explained; at random weights it may be far below zero, where nothing is to be seen. @type {Score} */
const r2 = {
  name: () => "R²",
  train: () => null,
  val: (line) => line.val_r2,
  interval: () => null,
  words: (line, value) => `${text.decimals(value, 3)} · RMSE ${text.number(line.val_rmse)}`,
  guess: () => 0,
  lowest: -1,
  tick: text.plain,
  readout: (line) => t("page.readout_numbers", { rmse: text.number(line.val_rmse), r2: text.decimals(line.val_r2, 3) }),
  columns: () => [["RMSE", (line) => text.number(line.val_rmse)], ["R²", (line) => text.decimals(line.val_r2, 3)]],
};

/**
 * The error with what chance alone explains of it, in the words of `keys`.
 * @param {Run} run
 * @param {Metrics | undefined} line
 * @param {{ error: string, better: string, guess: string, worse: string }} keys
 * @returns {[string, string]}
 */
function saidOfShare(run, line, keys) {
  const share = line?.val_accuracy;
  const interval = line ? text.wilson(share, store.samples(line)) : null;
  if (!interval || !text.isNumber(share)) return ["", ""];
  const values = { error: text.percent(1 - share), low: text.percent(1 - interval[1]), high: text.percent(1 - interval[0]) };
  const guess = text.percent(1 - run.chance);
  let compared = keys.better;
  if (interval[0] <= run.chance && interval[1] >= run.chance) compared = keys.guess;
  else if (interval[1] < run.chance) compared = keys.worse;
  return [t(keys.error, values), t(compared, { guess })];
}

/** @param {Metrics | undefined} line @returns {[string, string]} */
function saidOfNumbers(line) {
  if (!line || !text.isNumber(line.val_r2)) return ["", ""];
  const said = t("page.say_error_numbers", { rmse: text.number(line.val_rmse), r2: text.decimals(line.val_r2, 3) });
  return [said, t(line.val_r2 > 0 ? "page.say_better_numbers" : "page.say_worse_numbers")];
}

/** What is said of ReLU holds where the hidden layers have it. @returns {{ [panel: string]: string }} */
const ofActivations = () => (state.run.network.layers.some(({ activation }) => activation === "relu") ? {} : { network: "page.network_about_other" });

/** @type {{ class: Kind, label: Kind, number: Kind }} */
const targets = {
  class: {
    score: accuracy,
    guessing: () => t("page.guessing"),
    said: (run, line) => saidOfShare(run, line, {
      error: "page.say_error", better: "page.say_better", guess: "page.say_guess", worse: "page.say_worse",
    }),
    filmed: (line) => t("page.film_right", { n: text.hundred(line.val_accuracy) }),
    abouts: () => ({ ...ofActivations(), ...(state.run.data.kind === "pictures" ? {} : { picture: "page.sample_about" }) }),
    isTrue: (pass, i) => i === pass.label,
    isPredicted: (pass, i) => i === pass.confidences.indexOf(Math.max(...pass.confidences)),
  },
  label: {
    score: accuracy,
    guessing: () => t("page.guessing"),
    said: (run, line) => saidOfShare(run, line, {
      error: "page.say_error_labels", better: "page.say_better_labels", guess: "page.say_guess_labels", worse: "page.say_worse_labels",
    }),
    filmed: (line) => t("page.film_right_labels", { n: text.hundred(line.val_accuracy) }),
    abouts: () => ({ ...ofActivations(), picture: "page.sample_about_labels", answers: "page.answers_about_labels", data: "page.data_about_labels" }),
    isTrue: (pass, i) => (pass.targets?.[i] ?? 0) > 0.5,
    isPredicted: (pass, i) => pass.confidences[i] > 0.5,
  },
  number: {
    score: r2,
    guessing: () => t("page.the_mean"),
    said: (run, line) => saidOfNumbers(line),
    filmed: (line) => t("page.film_r2", { r2: text.decimals(line.val_r2, 2) }),
    abouts: () => ({
      ...ofActivations(), sentence: "page.sentence_about_numbers", curves: "page.curves_about_numbers", picture: "page.sample_about_numbers",
      answers: "page.answers_about_numbers", data: "page.data_about_numbers",
    }),
    // A number is near or far, not true or false.
    isTrue: () => false,
    isPredicted: () => false,
  },
};

export const target = () => targets[state.run.data.target];
