// @ts-check
// Who leads a race, in one sentence that is bound to measurements: of the same step in all lanes that go on and the last one of
// those that stopped, and in the end of the best weights of each.
import * as store from "./race-state.js";
import { race } from "./race-state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Lane } from "./race-state.js" */
/** @import { Metrics } from "./types.js" */

/** What a setting is called with its value. @type {{ [key: string]: string }} */
const SETTINGS = {
  "train.learning_rate": "race.learning_rate", "train.batch_size": "race.batch_size", "train.optimizer": "race.optimizer",
  "train.momentum": "race.momentum", "train.weight_decay": "race.weight_decay", "train.seed": "race.seed", "train.epochs": "race.epochs",
  "model.dropout": "race.dropout", "model.hidden": "race.hidden", "model.activation": "race.activation", "model.init": "race.init",
};
/** How names are written. @type {{ [value: string]: string }} */
const VALUES = { sgd: "SGD", rmsprop: "RMSProp", adam: "Adam", adamw: "AdamW", relu: "ReLU" };

/** A lane by its settings. @param {Lane} lane */
export const laneName = ({ settings }) => settings.map(([key, value]) => t(SETTINGS[key] ?? "race.setting", { key, value: bare(value) })).join(", ");

/** A value without the brackets of a list. @param {string} value */
function bare(value) {
  const inner = value.replace(/^\[|\]$/g, "");
  return VALUES[inner] ?? inner;
}

/** In the middle of a sentence as at its beginning. @param {string} words */
const begin = (words) => words.charAt(0).toUpperCase() + words.slice(1);

/** @typedef {{ lane: Lane, line: Metrics, score: number, range: [number, number] | null }} Placed a lane with its measurement; a higher score is better */

/** @param {Lane} lane @param {Metrics | undefined} line @returns {Placed[]} */
function placed(lane, line) {
  const isNumber = lane.run.data.target === "number";
  const score = isNumber ? -(line?.val_rmse ?? NaN) : line?.val_accuracy;
  if (!line || !text.isNumber(score)) return [];
  return [{ lane, line, score, range: isNumber ? null : text.wilson(score, store.samples(lane, line)) }];
}

/** The step at which lanes are compared: the last one that all have measured which go on. */
function commonStep() {
  if (race.moment !== null) return race.moment;
  const going = race.lanes.filter((lane) => !store.hasEnded(lane)).map(({ lines }) => lines.at(-1)?.step ?? 0);
  return going.length > 0 ? Math.min(...going) : null;
}

/** The lanes from the best to the worst; those that diverged are not among them. */
function ranked() {
  const step = commonStep();
  const isOver = step === null && !store.isInterrupted();
  const all = race.lanes.filter((lane) => !store.hasDiverged(lane)).flatMap((lane) => {
    const best = isOver ? lane.lines.find(({ epoch }) => epoch === lane.best_epoch) : undefined;
    return placed(lane, best ?? store.lineAt(lane, step));
  });
  return { isOver, ranked: all.sort((a, b) => b.score - a.score) };
}

/** @param {Placed} best */
const what = ({ lane: { run: { data } } }) => t({ class: data.kind === "pictures" ? "say.pictures" : "say.rows", label: "say.labels", number: "say.rows" }[data.target]);

/**
 * Who leads, how certain that is, and the step at which that was measured.
 * @returns {{ words: string, interval: string, step: number | null }}
 */
export function sentence() {
  const { isOver, ranked: all } = ranked();
  const [best] = all;
  if (!best) return { words: t(race.lanes.every(store.hasDiverged) ? "race.all_diverged" : "page.nothing_measured"), interval: "", step: null };
  const [words, interval] = comparison(isOver, all);
  return { words, interval, step: best.line.step };
}

/** @param {boolean} isOver @param {Placed[]} all at least one @returns {[said: string, interval: string]} */
function comparison(isOver, all) {
  const [best, second] = all;
  if (best.line.step === 0) return [startSentence(all), intervalOf(best)];
  const name = begin(laneName(best.lane));
  if (!best.range) {
    const rmse = text.number(-best.score, 3);
    return [t(isOver ? "race.won_numbers" : "race.leads_numbers", { lane: name, rmse }), ""];
  }
  const values = { lane: name, n: text.hundred(best.score), what: what(best) };
  const interval = intervalOf(best);
  if (best.range[0] <= best.lane.run.chance) return [t(isOver ? "race.none" : "race.guess", values), interval];
  const isLevel = second?.range && best.range[0] <= second.range[1];
  if (isLevel) {
    const [setting, ...more] = second.lane.settings;
    // What both vary is named once.
    const other = more.length === 0 && setting[0] in SETTINGS ? bare(setting[1]) : laneName(second.lane);
    const both = { ...values, lane: laneName(best.lane), other, m: text.hundred(second.score) };
    return [t(isOver ? "race.drawn" : "race.level", both), interval];
  }
  return [t(isOver ? "race.won" : "race.leads", values), interval];
}

/** @param {Placed[]} all */
function startSentence(all) {
  const [{ score, range }] = all;
  const isSame = all.every((other) => other.score === score);
  if (!range) return isSame ? t("race.start_numbers", { rmse: text.number(-score, 3) }) : t("race.start_many");
  return isSame ? t("race.start", { n: text.hundred(score) }) : t("race.start_many");
}

/** @param {Placed} best */
function intervalOf({ lane, line, range }) {
  if (!range) return "";
  const [low, high] = range.map((share) => text.percent(share));
  return t("say.interval", { low, high, guess: text.percent(lane.run.chance), n: text.count(store.samples(lane, line)) });
}

/** The lanes that diverged until the moment. */
export const diverged = () => race.lanes.filter(store.hasDiverged).map((lane) => t("race.diverged", { lane: begin(laneName(lane)) }));
