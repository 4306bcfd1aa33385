// @ts-check
// Your picture or a sample of the data: what the network gets of it, and what it predicts from it.
import * as api from "./api.js";
import { alert } from "./dialogs.js";
import { bar, button, bytes, canvas, drawPicture, el, pairs, write } from "./draw.js";
import { look as lookAt } from "./looks.js";
import { panel } from "./panels.js";
import * as store from "./state.js";
import { state } from "./state.js";
import { target } from "./target.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Mistake, Pass } from "./types.js" */

const MOST_CLASSES = 6;
let /** @type {HTMLElement} */ stage, /** @type {HTMLCanvasElement} */ drawing, /** @type {HTMLElement} */ values;
let /** @type {HTMLElement} */ name, /** @type {HTMLElement} */ truth, /** @type {HTMLElement} */ chances, /** @type {HTMLElement} */ far;
let /** @type {HTMLElement} */ trust, /** @type {HTMLElement} */ loss, /** @type {HTMLElement} */ mistakesBox, /** @type {HTMLElement} */ counter;
/** @type {Mistake[]} */
let mistakes = [];
let at = 0;
/** @type {[number, number] | null} */
let beside = null;

/** @param {File | null | undefined} file */
async function upload(file) {
  if (!file) return;
  try {
    const kept = await api.postPicture(file);
    store.setSample({ picture: kept.picture });
  } catch (error) {
    alert(error);
  }
}

// Choosing, dropping and taking a picture are one thing: a file.
function inputs() {
  const input = (/** @type {string} */ id, /** @type {string | null} */ capture) => el("input", {
    type: "file", id, accept: "image/*", class: "unseen", capture,
    onchange(event) {
      upload(event.target.files[0]);
      event.target.value = "";
    },
  });
  return el("div", { class: "drop stays" },
    input("picture-file", null), el("label", { for: "picture-file", class: "button", text: t("page.choose") }),
    input("picture-camera", "environment"), el("label", { for: "picture-camera", class: "button camera", text: t("page.camera") }),
    el("span", { class: "hint", text: t("page.drop") }));
}

/** @param {HTMLElement} body */
function takeDrops(body) {
  // A body lives longer than what is built into it.
  body.ondragover = (event) => {
    event.preventDefault();
    body.classList.add("over");
  };
  body.ondragleave = () => body.classList.remove("over");
  body.ondrop = (event) => {
    event.preventDefault();
    body.classList.remove("over");
    upload(event.dataTransfer?.files[0]);
  };
}

/** Through the validation part: 0 is back, 1 is on, and from an own picture to its first sample. @param {0 | 1} by */
function stepRow(by) {
  store.setSample({ row: beside ? beside[by] : null });
}

async function loadMistakes() {
  const held = await lookAt("/api/look/answers");
  if (!held.answer) return alert(held.error ?? t("page.later"));
  const all = /** @type {Mistake[]} */ (held.answer.mistakes ?? []);
  mistakes = all.filter(({ row }) => store.mayChoose(row));
  if (api.isReport && mistakes.length === 0) return write(counter, t("page.not_in_report"));
  return showMistake(0);
}

/** @param {number} i */
function showMistake(i) {
  if (mistakes.length === 0) return write(counter, t("page.no_mistakes"));
  at = (i + mistakes.length) % mistakes.length;
  write(counter, t("page.mistake", { n: at + 1, all: mistakes.length }));
  mistakesBox.hidden = false;
  return store.setSample({ row: mistakes[at].row });
}

/** @param {HTMLElement} body */
function build(body) {
  const { run } = state;
  const own = run.data.kind === "pictures" && run.takes_pictures && !api.isReport;
  drawing = canvas("", "sample");
  values = el("dl", { class: "evidence values", hidden: true });
  name = el("p", { class: "name" });
  truth = el("div", { class: "truth" });
  chances = el("div", { class: "chances" });
  far = el("p", { class: "far", hidden: true, text: `⚠ ${t("page.far")}` });
  trust = el("p", { class: "trust", hidden: true });
  loss = el("p", { class: "sum-line" });
  counter = el("span", { class: "counter", "aria-live": "polite" });
  mistakesBox = el("span", { class: "pair", hidden: true },
    button("page.previous_mistake", () => showMistake(at - 1), "quiet"), button("page.next_mistake", () => showMistake(at + 1), "quiet"));
  stage = el("div", { class: "sample-box" },
    el("figure", {}, drawing, values, el("figcaption", {}, name, truth)), chances);
  const steps = el("div", { class: "steps stays" });
  if (!api.isReport) {
    steps.append(el("span", { class: "pair" }, button("page.previous_row", () => stepRow(0), "quiet"), button("page.next_row", () => stepRow(1), "quiet")));
  }
  // Only a class is a mistake or none.
  if (run.data.target === "class") steps.append(button("page.mistakes", loadMistakes, "quiet"), mistakesBox, counter);
  body.append(...(own ? [inputs()] : []), stage, far, trust, loss, steps);
  if (own) takeDrops(body);
  mistakes = [];
}

/** What an own picture shows is known to the person only: chosen, it makes a loss. @param {Pass} look */
function renderTruth(look) {
  const { classes, target } = state.run.data;
  if (target !== "class") return truth.replaceChildren();
  const { picture } = state.sample;
  if (picture === null) return truth.replaceChildren(look.label === null ? "" : t("page.truth", { name: classes[look.label] }));
  if (truth.querySelector("select")) return undefined;
  const choose = el("select", {
    id: "truth",
    onchange: (event) => store.setSample({ picture: state.sample.picture, label: event.target.value === "" ? null : Number(event.target.value) }),
  }, el("option", { value: "", text: t("page.unknown") }), ...classes.map((name, i) => el("option", { value: i, text: name })));
  return truth.replaceChildren(el("label", { for: "truth", text: `${t("page.it_shows")} ` }), choose);
}

/** The classes or labels that the network is surest of, and the right class. @param {Pass} look @param {number | null} label */
function shownClasses(look, label) {
  const order = look.confidences.map((_, i) => i);
  if (order.length <= MOST_CLASSES) return order;
  order.sort((a, b) => look.confidences[b] - look.confidences[a]);
  const first = order.slice(0, MOST_CLASSES);
  if (label !== null && !first.includes(label)) first[MOST_CLASSES - 1] = label;
  return first;
}

/** @param {Pass} look @param {number | null} label */
function renderChances(look, label) {
  const { classes } = state.run.data;
  const { isTrue, isPredicted } = target();
  const rows = shownClasses(look, label).map((i) => {
    const start = look.start_confidences ? look.start_confidences[i] : null;
    const [right, predicted] = [isTrue({ ...look, label }, i), isPredicted(look, i)];
    return el("li", { class: predicted ? "best" : "" },
      el("span", { class: "class", text: `${predicted ? "▸ " : ""}${classes[i]}${right ? " ✓" : ""}` }),
      bar(look.confidences[i], { tick: start, kind: right ? "right" : "" }),
      el("span", { class: "value", text: text.percent(look.confidences[i]) }),
      el("span", { class: "before", text: start === null ? "" : t("page.at_start", { p: text.percent(start) }) }));
  });
  chances.replaceChildren(el("ol", {}, ...rows));
}

/** Predicted numbers, each beside the true one. @param {Pass} look */
function renderNumbers(look) {
  chances.replaceChildren(...look.confidences.map((prediction, i) => {
    const known = look.targets?.[i];
    /** @type {[string, string, string?][]} */
    const rows = [[t("page.prediction"), text.number(prediction), "result"]];
    if (known !== undefined) rows.push([t("page.true_value"), text.number(known)], [t("page.off_by"), text.signed(prediction - known)]);
    return el("div", {}, el("p", { class: "name", text: state.run.data.classes[i] }), el("dl", { class: "sum" }, ...pairs(rows)));
  }));
}

/** Samples of the validation part have their answer beside them; of an own picture nobody knows it. @param {Pass} look */
function renderTrust(look) {
  const own = state.sample.picture !== null;
  far.hidden = !own || !look.far;
  const words = own ? text.both(look.trust) : "";
  trust.hidden = words === "";
  write(trust, words);
}

/** @param {Pass} look @param {number | null} label */
function lossWords(look, label) {
  const { target, classes } = state.run.data;
  if (target === "number") return "";
  if (target === "label") return rightLabels(look);
  const guess = text.number(state.run.loss_of_guessing);
  if (label === null) return t("page.loss_unknown", { guess });
  const p = look.probabilities[label];
  return t("page.loss_sum", { name: classes[label], p: text.number(p), loss: text.number(look.loss ?? -Math.log(p)), guess });
}

/** @param {Pass} look */
function rightLabels(look) {
  if (!look.targets) return "";
  const { isTrue, isPredicted } = target();
  const right = look.targets.filter((_, i) => isTrue(look, i) === isPredicted(look, i)).length;
  return t("page.labels_right", { right, all: look.targets.length });
}

/** @param {Pass} look */
function renderSample({ name: own, pixels, values: numbers = [], width = 1, height = 1, channels = 1 }) {
  drawing.hidden = !pixels;
  values.hidden = Boolean(pixels);
  write(name, state.sample.picture === null ? own ?? "" : t("page.own_picture"));
  if (pixels) {
    drawPicture(drawing, { width, height, channels }, bytes(pixels));
    drawing.setAttribute("aria-label", t("page.picture_text", { name: own || t("page.own_picture"), width, height }));
  } else {
    const names = state.run.data.columns ?? [];
    values.replaceChildren(...pairs(numbers.map((value, i) => [names[i] ?? String(i + 1), text.number(value)])));
  }
}

/** @param {Pass} look */
function render(look) {
  const label = state.sample.picture === null ? look.label : state.sample.label;
  const numbers = state.run.data.target === "number";
  beside = look.beside;
  renderSample(look);
  renderTruth(look);
  stage.classList.toggle("numbers", numbers);
  if (numbers) renderNumbers(look);
  else renderChances(look, label);
  renderTrust(look);
  const words = lossWords(look, label);
  loss.hidden = words === "";
  write(loss, words);
}

export const picture = panel({
  id: "picture", title: () => (state.run.data.kind === "pictures" ? "page.picture" : "page.sample"), about: "page.picture_about",
  path: store.passPath, every: 1500, on: ["sample"], build, render,
});
