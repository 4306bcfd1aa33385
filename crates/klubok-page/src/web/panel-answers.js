// @ts-check
// Answers: how good they are on the validation part. Of classes: what is taken for what, class by class, and whether the
// confidences are honest. A cell of the matrix opens its samples.
import { cellBox, press } from "./answers-cell.js";
import { labels, numbers } from "./answers-values.js";
import { canvas, drawTiles, el, refill, region, svg, table } from "./draw.js";
import { panel } from "./panels.js";
import { rove, stopAt } from "./rove.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Bin, ClassPredictions, Predictions } from "./types.js" */

// A matrix of more classes than this is a picture, with the most frequent confusions as text.
const MOST_CLASSES = 12;
const CONFUSIONS = 8;
let /** @type {HTMLElement} */ box, /** @type {HTMLElement} */ matrix, /** @type {ReturnType<typeof cellBox>} */ cell;

/** @param {HTMLElement} body */
function build(body) {
  box = body;
  matrix = el("div", { class: "matrix-box" });
  cell = cellBox();
  rove(matrix);
}

/** @param {number[]} row */
const total = (row) => row.reduce((a, b) => a + b, 0);

/** Opens the samples of class i that got prediction j. @param {string[]} names @param {number} i @param {number} j @param {number} n @param {string} words */
const cellButton = (names, i, j, n, words) => el("button", {
  type: "button", class: "cell-of", "data-at": `${j},${i}`, "data-focus": `cell${i}-${j}`, text: words,
  "aria-label": t("page.open_cell", { truth: names[i], answer: names[j], n: text.count(n) }),
  "aria-pressed": String(cell.shows(i, j)),
  onclick() {
    cell.open({ truth: i, said: j }, n);
    press(".cell-of", `cell${i}-${j}`);
  },
});

/** @param {string[]} names @param {number[][]} counts */
function confusionTable(names, counts) {
  const rows = counts.map((row, i) => [names[i], ...row.map((n, j) => {
    const td = el("td", { class: i === j ? "hit" : "" }, n === 0 ? text.count(n) : cellButton(names, i, j, n, text.count(n)));
    td.style.setProperty("--share", (n / (total(row) || 1)).toFixed(3));
    return td;
  })]);
  return region(t("page.confusion"), table([t("page.truth_answer"), ...names], rows, { kind: "confusion" }));
}

/** @param {string[]} names @param {number[][]} counts */
function confusionPicture(names, counts) {
  const picture = canvas(t("page.confusion"), "sample matrix");
  drawTiles(picture, counts.flatMap((row) => row.map((n) => Math.round(Math.sqrt(n / Math.max(1, total(row))) * 255))));
  const pairs = counts.flatMap((row, i) => row.map((n, j) => ({ n, i, j }))).filter(({ n, i, j }) => i !== j && n > 0);
  pairs.sort((a, b) => b.n - a.n);
  return el("div", { class: "side-by-side" }, picture, el("ol", {}, ...pairs.slice(0, CONFUSIONS).map(({ n, i, j }) =>
    el("li", {}, cellButton(names, i, j, n, t("page.taken_for", { truth: names[i], answer: names[j], n: text.count(n) }))))));
}

/** @param {ClassPredictions["per_class"]} rows */
function classTable(rows) {
  const heads = [t("page.class"), t("page.precision"), t("page.recall"), "F1", t("page.samples")];
  return region(t("page.by_class"), table(heads, rows.map((row) =>
    [row.class, text.percent(row.precision), text.percent(row.recall), text.percent(row.f1), text.count(row.support)])));
}

/** Confidence against how often it was right: honest confidences lie on the diagonal. @param {Bin[]} bins @param {number} ece */
function reliability(bins, ece) {
  const size = 200;
  // A difference of percentages.
  const points = text.decimals(100 * ece, 1);
  const at = (/** @type {number} */ share) => size - share * size;
  const filled = bins.filter((bin) => bin.samples > 0);
  const most = Math.max(1, ...filled.map((bin) => bin.samples));
  const words = filled.map((bin) => t("page.bin", { confidence: text.percent(bin.confidence, 0), accuracy: text.percent(bin.accuracy, 0), n: text.count(bin.samples) }));
  const drawing = svg("svg", { viewBox: `-40 -10 ${size + 60} ${size + 46}`, class: "reliability", role: "img", "aria-label": t("page.calibration_text", { points }) },
    svg("rect", { x: 0, y: 0, width: size, height: size, class: "frame" }),
    ...filled.map((bin) => svg("rect", {
      x: bin.from * size + 1, y: at(bin.accuracy ?? 0), width: Math.max(1, (bin.to - bin.from) * size - 2), height: (bin.accuracy ?? 0) * size,
      class: "bin", "fill-opacity": 0.25 + 0.75 * (bin.samples / most),
    })),
    svg("line", { x1: 0, y1: size, x2: size, y2: 0, class: "diagonal" }),
    ...[0, 0.5, 1].flatMap((share) => [
      svg("text", { x: share * size, y: size + 14, "text-anchor": "middle", text: text.percent(share, 0) }),
      svg("text", { x: -4, y: at(share) + 4, "text-anchor": "end", text: text.percent(share, 0) }),
    ]),
    svg("text", { x: size / 2, y: size + 30, "text-anchor": "middle", text: t("page.confidence") }));
  return el("div", { class: "side-by-side" }, drawing,
    el("div", {}, el("p", { text: t("page.ece", { points }) }),
      el("details", {}, el("summary", { text: t("page.as_text") }), el("ul", {}, ...words.map((text) => el("li", { text }))))));
}

/** @param {ClassPredictions} look @param {string[]} names */
function classes(look, names) {
  const [low, high] = look.accuracy_interval;
  const lead = t("page.accuracy_is", {
    accuracy: text.percent(look.accuracy), low: text.percent(low), high: text.percent(high), chance: text.percent(look.chance), n: text.count(look.samples),
  });
  refill(matrix, [names.length > MOST_CLASSES ? confusionPicture(names, look.confusion) : confusionTable(names, look.confusion)]);
  stopAt(matrix);
  cell.render(look.confusion);
  return [
    el("p", { class: "lead", text: lead }), el("h3", { text: t("page.confusion") }), el("p", { class: "note", text: t("page.confusion_is") }), matrix, cell.box,
    el("h3", { text: t("page.by_class") }), el("div", {}, classTable(look.per_class)),
    el("h3", { text: t("page.calibration") }), el("p", { class: "note", text: t("page.calibration_is") }), reliability(look.calibration, look.ece)];
}

/** @param {Predictions} look */
function render(look) {
  const { classes: names } = state.run.data;
  if ("per_label" in look) box.replaceChildren(...labels(look));
  else if ("per_output" in look) box.replaceChildren(...numbers(look, names));
  else refill(box, classes(look, names));
}

export const answers = panel({
  id: "answers", title: "page.answers", about: "page.answers_about", folds: true,
  path: () => store.atSnapshot("/api/look/answers"), every: 5000, build, render,
});
