// @ts-check
// The decision map: what the network answers everywhere on the plane of its two inputs, with the points it learns from.
import { bytes, classLegend, colour, contextOf, drawPoint, drawSquares, el, hue, mix, placeIn, write } from "./draw.js";
import { panel } from "./panels.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { DecisionMap } from "./types.js" */

// Pixels of the drawing; it is shown smaller.
const SIZE = 864;
let /** @type {HTMLCanvasElement} */ drawing, /** @type {HTMLElement} */ note, /** @type {HTMLElement} */ share;
// The lowest and the highest value of each axis.
/** @type {[low: HTMLElement, high: HTMLElement][]} */
let ends;

/** @param {HTMLElement} body */
function build(body) {
  const { columns, classes } = state.run.data;
  drawing = el("canvas", { class: "map", role: "img", width: SIZE, height: SIZE });
  ends = [0, 1].map(() => [el("span"), el("span")]);
  const [x, y] = ends.map(([low, high], axis) => el("p", { class: `axis axis-${axis}` }, low, el("b", { text: columns?.[axis] }), high));
  note = el("p", { class: "note" });
  share = el("p", { class: "lead" });
  body.append(el("div", { class: "map-and-words" }, el("figure", { class: "map-box" }, y, drawing, x),
    el("div", {}, share, classLegend(classes), el("p", { class: "note", text: t("page.map_is") }), note)));
}

/** The surer an answer is, the fuller its colour. @param {DecisionMap} look */
function squares(look) {
  const confidences = bytes(look.confidences);
  const none = colour("--panel");
  const guess = 255 / state.run.data.classes.length;
  drawSquares(drawing, look.side, (i) => {
    const sure = Math.max(0, (confidences[i] - guess) / (255 - guess));
    return mix(none, colour(hue(look.answers[i])), 0.1 + 0.6 * sure);
  });
}

/** @param {DecisionMap} look */
function render(look) {
  squares(look);
  const context = contextOf(drawing);
  const place = placeIn(look, SIZE);
  for (const point of look.val) drawPoint(context, point[2], place(point), 9, { hollow: true });
  for (const point of look.train) drawPoint(context, point[2], place(point), 9);
  ends.forEach(([low, high], i) => {
    write(low, text.number(look.low[i], 2));
    write(high, text.number(look.high[i], 2));
  });
  // Of the whole plane, how much goes to each class.
  const { answers } = look;
  const words = state.run.data.classes.map((name, k) =>
    `${name} ${text.percent(answers.filter((said) => said === k).length / answers.length, 0)}`).join(", ");
  write(share, t("page.map_share", { shares: words }));
  drawing.setAttribute("aria-label", `${t("page.map")}: ${words}`);
  write(note, t("page.map_moments", { n: text.count(look.wholes.length) }));
}

export const map = panel({
  id: "map", title: "page.map", about: "page.map_about", wide: true, path: () => store.atMoment("/api/look/map"), every: 1500, build, render,
});
