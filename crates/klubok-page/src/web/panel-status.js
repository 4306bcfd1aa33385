// @ts-check
// Status: where the run is, and what a person may do to it.
import { act, mayAct, stop, toggleTraining } from "./acts.js";
import { alert } from "./dialogs.js";
import { button, el, write } from "./draw.js";
import { trainingLoss } from "./figure.js";
import { panel } from "./panels.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";

let /** @type {HTMLProgressElement} */ progress, /** @type {HTMLElement} */ controls, /** @type {HTMLElement} */ toggle, /** @type {HTMLInputElement} */ rate;
const figures = { epoch: el("dd"), step: el("dd"), loss: el("dd"), rate: el("dd"), speed: el("dd"), elapsed: el("dd"), left: el("dd") };
const loss = el("span"), measured = el("small");
const labels = {
  epoch: "page.epoch", step: "page.step", loss: "page.training_loss", rate: "page.learning_rate", speed: "page.speed",
  elapsed: "page.elapsed", left: "page.left",
};

/** @param {Event} event */
function setRate(event) {
  event.preventDefault();
  const value = Number(rate.value.replace(",", "."));
  if (value > 0) act({ act: "learning_rate", rate: value });
  else alert(t("page.rate_wrong"));
}

/** @param {HTMLElement} body */
function build(body) {
  figures.loss.replaceChildren(loss, " ", measured);
  const names = /** @type {(keyof typeof labels)[]} */ (Object.keys(labels));
  const list = el("dl", { class: "figures" }, ...names.map((name) => el("div", {}, el("dt", { text: t(labels[name]) }), figures[name])));
  progress = el("progress", { max: 1, value: 0, "aria-label": t("page.progress") });
  toggle = button("page.pause", toggleTraining, "strong");
  rate = el("input", { id: "rate", inputmode: "decimal", size: 8, autocomplete: "off" });
  const form = el("form", { class: "rate", onsubmit: setRate },
    el("label", { for: "rate", text: t("page.learning_rate") }), rate, el("button", { text: t("page.set") }));
  controls = el("div", { class: "controls", hidden: true, role: "group", "aria-label": t("page.controls") }, toggle,
    button("page.one_step", () => act({ act: "one_step" })), button("page.one_epoch", () => act({ act: "one_epoch" })),
    form, button("page.stop", stop, "quiet"));
  body.append(list, progress, controls);
}

function render() {
  const { now } = state;
  const live = store.isLive();
  const line = store.line();
  const learningRate = store.learningRate();
  write(figures.epoch, t("page.of", { n: text.epoch(store.epoch()), all: text.count(now.epochs) }));
  write(figures.step, text.count(live ? now.step : line?.step));
  // The loss is measured now and then.
  write(loss, text.number(line && trainingLoss(line)));
  write(measured, live && line && line.step !== now.step ? t("page.at_step", { step: text.count(line.step) }) : "");
  write(figures.rate, text.number(learningRate, 2));
  write(figures.speed, text.count((live ? now.samples_per_second : null) ?? line?.samples_per_second));
  write(figures.elapsed, text.duration(live ? now.elapsed_seconds : line?.elapsed_seconds));
  const goesOn = live && ["training", "resting", "following"].includes(now.mode) && !now.stopped;
  write(figures.left, goesOn ? text.duration(now.seconds_left) : "–");
  progress.value = now.epochs ? Math.min(1, store.epoch() / now.epochs) : 0;
  controls.hidden = !mayAct();
  write(toggle, now.mode === "resting" ? t("page.go_on") : t("page.pause"));
  if (document.activeElement !== rate && learningRate !== null) rate.placeholder = text.number(learningRate, 2);
}

export const status = panel({ id: "status", title: "page.status", about: "page.status_about", wide: true, on: ["story", "now"], step: () => (store.isLive() ? state.now.step : store.line()?.step), build, render });
