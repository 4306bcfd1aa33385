// @ts-check
// The sentence of the stage: what the network does at this moment, in at most twelve words, each bound to a measurement.
import { el, write } from "./draw.js";
import * as film from "./film.js";
import { momentName, stepOfMoment } from "./moments.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Metrics, Verdict } from "./types.js" */

/** What each phase is called in the sentence. @type {{ [phase: string]: string }} */
const PHASES = {
  fast_learning: "say.fast", fine_tuning: "say.fine", specialisation: "say.special", converged: "say.converged",
  underfitting: "say.under", diverging: "say.diverging",
  // Before any of them.
  first: "say.first", better: "say.better",
};
/** Verdicts that say more than the phase, those that matter most first. @type {{ [verdict: string]: string }} */
const VERDICTS = {
  loss_not_a_number: "say.not_a_number", diverging: "say.diverging", learning_rate_too_high: "say.too_high",
  learning_rate_kills_network: "say.killed", exploding_gradients: "say.exploding", predictions_ignore_input: "say.ignores",
  labels_look_shuffled: "say.shuffled", dead_units: "say.dead", vanishing_gradients: "say.vanishing", saturated_units: "say.saturated",
  over_fitting: "say.special", over_confidence: "say.too_sure", learning_rate_too_low: "say.too_low", under_fitting: "say.under",
  oscillating_loss: "say.swings", slow_convergence: "say.slow",
};
/** What is said of numbers instead. @type {{ [key: string]: string }} */
const OF_NUMBERS = {
  "say.start": "say.start_numbers", "say.first": "say.first_numbers", "say.fast": "say.fast_numbers", "say.fine": "say.fine_numbers",
  "say.special": "say.special_numbers", "say.converged": "say.converged_numbers", "say.under": "say.under_numbers", "say.slow": "say.slow_numbers",
};

export function sentence() {
  const said = el("h2", { class: "said", id: "said", "aria-live": "polite" });
  const when = el("p", { class: "when" });
  const element = el("section", { class: "say", "aria-label": t("page.sentence") }, said, when);

  function render() {
    const line = store.line();
    const phase = line && line.step > 0 ? store.phase() : undefined;
    element.dataset.phase = phase?.name ?? "none";
    said.setAttribute("aria-live", store.isLive() ? "polite" : "off");
    write(said, line ? sentenceOf(line) : t("page.nothing_measured"));
    said.title = line ? interval(line) : "";
    const other = line && line.step !== stepOfMoment() ? ` · ${t("say.measured_at", { step: text.count(line.step) })}` : "";
    write(when, `${momentName()}${other}`);
  }

  return { element, render };
}

/** @param {Metrics} line */
function sentenceOf(line) {
  const key = line.step === 0 ? "say.start" : keyOf(store.verdicts(), phaseOf(line));
  const { target, kind } = state.run.data;
  const isNumber = target === "number";
  const words = { class: kind === "pictures" ? "say.pictures" : "say.rows", label: "say.labels", number: "say.rows" }[target];
  const values = {
    n: text.hundred(line.val_accuracy), seen: text.hundred(line.train_accuracy), guess: text.hundred(state.run.chance), what: t(words),
    rmse: text.number(line.val_rmse, 2), claimed: text.percent(claimed(), 0), right: text.percent(line.val_accuracy, 0),
    dead: text.hundred(Math.max(0, ...line.layers.map(({ dead_fraction, silent_fraction }) => dead_fraction ?? silent_fraction ?? 0))),
    seen_loss: text.number(line.train_eval_loss, 2), new_loss: text.number(line.val_loss, 2),
  };
  return t((isNumber && OF_NUMBERS[key]) || key, values);
}

/** @param {Verdict[]} verdicts @param {string} phase */
function keyOf(verdicts, phase) {
  const names = new Set(verdicts.filter(({ severity }) => severity !== "info").map(({ name }) => name));
  const name = Object.keys(VERDICTS).find((name) => names.has(name));
  if (name && !(name === "over_confidence" && claimed() === null)) return VERDICTS[name];
  return PHASES[phase];
}

/**
 * The phase. While what is right may be chance, nothing is learnt yet, whatever the losses say; and as long as no phase is known,
 * it is at least known whether the network is better than chance.
 * @param {Metrics} line
 */
function phaseOf(line) {
  const phase = store.phase()?.name;
  const range = state.run.data.target === "number" ? null : text.wilson(line.val_accuracy, store.samples(line));
  if (phase && phase in PHASES && (phase !== "fast_learning" || !range || range[0] > state.run.chance)) return phase;
  return range && range[0] > state.run.chance ? "better" : "first";
}

/** How sure the network is on average of what it says of the film's samples, uncalibrated. */
const claimed = () => film.snapshot()?.claimed ?? null;

/** @param {Metrics} line */
function interval(line) {
  const range = state.run.data.target === "number" ? null : text.wilson(line.val_accuracy, store.samples(line));
  if (!range) return "";
  return t("say.interval", {
    low: text.percent(range[0]), high: text.percent(range[1]), guess: text.percent(state.run.chance), n: text.count(store.samples(line)),
  });
}
