// @ts-check
// Repeat: the command and the configuration of this run.
import { copyButton, el } from "./draw.js";
import { panel } from "./panels.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { EventLine, PersonEvent } from "./types.js" */

let /** @type {HTMLElement} */ acts;

/** What changes the numbers; a rest or a single step does not. @type {{ [act: string]: (event: PersonEvent) => string }} */
const telling = {
  learning_rate: () => "page.act_rate",
  stop: () => "page.act_stop",
  epochs: (event) => (event.rate === undefined ? "page.act_epochs" : "page.act_epochs_rate"),
};

/** @param {string} words */
function command(words) {
  return el("p", { class: "command" }, el("code", { text: words }), copyButton(() => words));
}

/** The run does not change; what people did to it does. @param {HTMLElement} body */
function build(body) {
  const { run } = state;
  const layers = [run.network.inputs, ...run.network.layers.map((layer) => layer.units)].join(" → ");
  acts = el("div", { hidden: true });
  body.append(
    command(run.command), acts,
    el("p", { class: "note", text: t("page.network_is", { layers, parameters: text.count(run.network.parameters), path: run.path }) }),
    el("div", { class: "head" }, el("h3", { text: t("page.configuration") }), copyButton(() => run.config_text)),
    el("pre", { tabindex: 0, "aria-label": t("page.configuration"), text: run.config_text }));
}

/** @param {EventLine} event @returns {event is PersonEvent} */
const tells = (event) => event.event === "person" && event.act in telling;

// What people did to the training is no part of its configuration.
function render() {
  const done = state.events.filter(tells);
  acts.hidden = done.length === 0;
  if (acts.hidden) return;
  acts.replaceChildren(
    el("p", { text: t("page.acts_are") }),
    el("ul", {}, ...done.map((event) => el("li", { text: t(telling[event.act](event), { step: text.count(event.step), epochs: event.epochs, rate: text.number(event.rate, 2) }) }))),
    command(`klubok train --replay ${state.run.quoted_path}`));
}

export const repeat = panel({ id: "repeat", title: "page.repeat", about: "page.repeat_about", folds: true, on: ["story"], build, render });
