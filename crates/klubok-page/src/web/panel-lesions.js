// @ts-check
// What is left when units are switched off: whether the answer hangs on a few units or is spread over many.
import { el, svg, write } from "./draw.js";
import { panel } from "./panels.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Ablation, Lesions } from "./types.js" */

const [WIDTH, HEIGHT] = [360, 200];
let /** @type {HTMLElement} */ box, /** @type {HTMLElement} */ note;

/** @param {HTMLElement} body */
function build(body) {
  box = el("div");
  note = el("p", { class: "note" });
  body.append(box, note);
}

/** @param {number} share @param {number} accuracy */
const at = (share, accuracy) => [share * WIDTH, HEIGHT - accuracy * HEIGHT];
/** @param {"mean" | "least" | "most"} key @param {Ablation[]} list */
const points = (key, list) => list.map((of) => at(of.off, of[key]).join(",")).join(" ");

/** @param {Lesions} look */
function render(look) {
  const { shares } = look;
  const level = HEIGHT - state.run.chance * HEIGHT;
  const words = shares.map((of) => t("page.lesion", { off: text.percent(of.off, 0), accuracy: text.percent(of.mean) }));
  const drawing = svg("svg", { viewBox: `-46 -10 ${WIDTH + 72} ${HEIGHT + 50}`, class: "lesions", role: "img", "aria-label": words.join("; ") },
    svg("rect", { x: 0, y: 0, width: WIDTH, height: HEIGHT, class: "frame" }),
    svg("line", { x1: 0, x2: WIDTH, y1: level, y2: level, class: "diagonal" }),
    svg("text", { x: WIDTH - 4, y: level - 4, "text-anchor": "end", text: t("page.guessing") }),
    svg("polygon", { class: "range", points: `${points("most", shares)} ${points("least", [...shares].reverse())}` }),
    svg("polyline", { class: "stroke-validation", points: points("mean", shares) }),
    ...shares.map((of) => svg("circle", { cx: at(of.off, of.mean)[0], cy: at(of.off, of.mean)[1], r: 3.5, class: "dot" })),
    ...[0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
      svg("text", { x: share * WIDTH, y: HEIGHT + 15, "text-anchor": "middle", text: text.percent(share, 0) }),
      svg("text", { x: -5, y: HEIGHT - share * HEIGHT + 4, "text-anchor": "end", text: text.percent(share, 0) }),
    ]),
    svg("text", { x: WIDTH / 2, y: HEIGHT + 33, "text-anchor": "middle", text: t("page.units_off") }));
  box.replaceChildren(drawing, el("details", {}, el("summary", { text: t("page.as_text") }), el("ul", {}, ...words.map((words) => el("li", { text: words })))));
  write(note, t("page.lesions_are", { n: text.count(look.samples), draws: look.draws }));
}

export const lesions = panel({
  id: "lesions", title: "page.lesions", about: "page.lesions_about", folds: true,
  path: () => store.atMoment("/api/look/lesions"), every: 10000, long: true, build, render,
});
