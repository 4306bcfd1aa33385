// @ts-check
// The sentence: where learning stands, in plain words, and the one verdict that matters most.
import { copyButton, el, pairs, write } from "./draw.js";
import { panel } from "./panels.js";
import { phases } from "./phases.js";
import * as store from "./state.js";
import { state } from "./state.js";
import { target } from "./target.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Metrics, Verdict } from "./types.js" */
/** @typedef {Verdict & { number: number }} Numbered a verdict with its number among all */

let /** @type {HTMLElement} */ said, /** @type {HTMLElement} */ meaning, /** @type {HTMLElement} */ phaseLine, /** @type {HTMLElement} */ findings;
let shown = "";

const severities = { info: ["ℹ", "verdict.info"], warning: ["▲", "verdict.warning"], error: ["✖", "verdict.error"] };

// What figures of a verdict are called, in English as in docs/diagnosis.md and events.jsonl.
const figures = new Set([
  "evidence.rise", "evidence.standard_errors", "evidence.loss_first", "evidence.loss_before", "evidence.loss_now",
  "evidence.loss_lowest", "evidence.loss_highest", "evidence.loss_mean", "evidence.train_loss_then",
  "evidence.train_loss_now", "evidence.train_loss_chance", "evidence.val_loss_calibrated_then", "evidence.val_loss_calibrated_now", "evidence.val_loss_lowest", "evidence.val_loss_now",
  "evidence.val_accuracy", "evidence.val_accuracy_then", "evidence.val_accuracy_now", "evidence.val_samples",
  "evidence.chance", "evidence.fall", "evidence.fall_per_epoch_first", "evidence.fall_per_epoch_last", "evidence.jitter",
  "evidence.turning", "evidence.update_ratio", "evidence.limit", "evidence.grad_norm_first", "evidence.grad_norm_now",
  "evidence.times_first", "evidence.prediction_spread", "evidence.smallest_class", "evidence.largest_class",
  "evidence.share_of_even", "evidence.inputs", "evidence.constant", "evidence.nearly_constant", "evidence.share",
  "evidence.val_in_train", "evidence.val_share", "evidence.test_in_train", "evidence.test_share", "evidence.samples",
  "evidence.input_mean", "evidence.input_std", "evidence.input_scale",
]);

/** @param {Metrics} line */
function where(line) {
  if (line.step === 0) return t("page.say_start");
  return t("page.say_where", { epoch: text.epoch(line.epoch), epochs: text.count(state.now.epochs) });
}

/** @param {HTMLElement} body */
function build(body) {
  said = el("p", { class: "said", "aria-live": "polite" });
  meaning = el("p", { class: "said-more" });
  phaseLine = el("p", { class: "phase-line" });
  findings = el("div", { class: "findings" });
  // Side by side: a verdict comes and goes, and what is below stays where it is.
  body.append(el("div", {}, said, meaning, phaseLine), findings);
  shown = "";
}

/** @param {Verdict} verdict */
function evidence(verdict) {
  const rows = Object.entries(verdict.evidence).map(([name, value]) => {
    const key = `evidence.${name}`;
    return /** @type {[string, string]} */ ([figures.has(key) ? t(key) : name.replaceAll("_", " "), text.number(value)]);
  });
  return el("details", {}, el("summary", { text: t("page.why") }), el("dl", { class: "evidence" }, ...pairs(rows)),
    verdict.source ? el("p", { class: "source", text: t("page.source", { source: verdict.source }) }) : null);
}

/** @param {Verdict} verdict */
function advice(verdict) {
  const words = text.both(verdict.advice);
  if (!words && !verdict.try) return null;
  const command = verdict.try
    ? el("p", { class: "command" }, el("code", { text: verdict.try }), copyButton(() => verdict.try)) : null;
  return el("details", {}, el("summary", { text: t("page.what_to_do") }), words ? el("p", { text: words }) : null, command);
}

/** @param {Numbered} verdict */
function finding(verdict) {
  const [sign, word] = severities[verdict.severity];
  return el("article", { class: `finding ${verdict.severity}` },
    el("p", {}, el("strong", { text: `${sign} ${t(word)}` }), ` ⚑${verdict.number} `, text.both(verdict.sentence)),
    el("div", { class: "unfold" }, evidence(verdict), advice(verdict)));
}

/** @param {Numbered[]} verdicts */
function renderFindings(verdicts) {
  // Built anew only when they changed: what a person has unfolded stays unfolded.
  const key = JSON.stringify([text.lang, verdicts, Boolean(store.line())]);
  if (key === shown) return;
  shown = key;
  findings.replaceChildren();
  const [first, ...rest] = verdicts;
  if (!first) {
    if (store.line()) findings.append(el("p", { class: "good", text: `✓ ${t("page.no_verdict")}` }));
    return;
  }
  findings.append(finding(first));
  if (rest.length > 0) {
    findings.append(el("details", { class: "more" },
      el("summary", { text: t("page.more_verdicts", { n: rest.length }) }), ...rest.map(finding)));
  }
}

function renderPhase() {
  const phase = store.phase();
  const known = phase && phases[phase.name];
  phaseLine.dataset.phase = known ? phase.name : "none";
  if (!known) return write(phaseLine, t("phase.none"));
  const [name, is, idea] = known;
  return write(phaseLine, t("page.phase_line", { name: t(name), sure: text.percent(phase.certainty, 0), meaning: t(is), idea: t(idea) }));
}

/** Live, a sentence an epoch: the last epoch's line, not each step's. */
const toldLine = () => (store.isLive() ? state.epochs.at(-1) ?? store.line() : store.line());

function render() {
  const live = store.isLive();
  // A slider that is dragged is not read out: its own value is.
  said.setAttribute("aria-live", live ? "polite" : "off");
  const told = toldLine();
  const [error, compared] = target().said(state.run, told);
  write(said, told && error ? `${where(told)} ${error}` : t("page.say_nothing"));
  const hindsight = !live && state.verdicts.length > 0 ? t("page.hindsight") : "";
  write(meaning, [compared, hindsight].filter(Boolean).join(" "));
  renderPhase();
  renderFindings(store.verdicts());
}

export const sentence = panel({ id: "sentence", title: "page.sentence", about: "page.sentence_about", wide: true, on: ["story", "now"], step: () => toldLine()?.step, build, render });
