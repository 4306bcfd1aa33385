// @ts-check
// The validation samples as the last layer gets them, in a plane: how the layers before it have sorted them.
import * as api from "./api.js";
import { classLegend, contextOf, drawPoint, el, write } from "./draw.js";
import { panel } from "./panels.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Cloud, CloudPoint } from "./types.js" */

const SIZE = 864;
let /** @type {HTMLCanvasElement} */ drawing, /** @type {HTMLElement} */ note;

function path() {
  if (store.isLive()) return "/api/look/cloud?moment=live";
  // Where a point lies depends on the last moment too: an answer of before is another drawing.
  const of = api.isReport ? "" : `&of=${state.film.at(-1)}`;
  return `/api/look/cloud?moment=${store.lastUntilMoment(state.film)}${of}`;
}

/** @param {HTMLElement} body */
function build(body) {
  drawing = el("canvas", { class: "map", role: "img", width: SIZE, height: SIZE });
  note = el("p", { class: "note" });
  body.append(drawing, classLegend(state.run.data.classes), note);
}

/** @param {CloudPoint} point */
const isRight = ([, , label, said]) => label === said;

// The scale only grows: moments can be compared.
let reach = 1;
/** @param {Cloud} look */
function render(look) {
  const context = contextOf(drawing);
  context.clearRect(0, 0, SIZE, SIZE);
  reach = Math.max(reach, ...look.points.flatMap(([x, y]) => [Math.abs(x), Math.abs(y)]));
  const place = (/** @type {number} */ v) => SIZE / 2 + (v / (reach * 1.06)) * (SIZE / 2);
  // Wrong answers are drawn last, and hollow.
  for (const wrong of [false, true]) {
    for (const point of look.points.filter((point) => isRight(point) !== wrong)) {
      drawPoint(context, point[2], [place(point[0]), SIZE - place(point[1])], 10, { hollow: wrong });
    }
  }
  const missed = look.points.filter((point) => !isRight(point)).length;
  const words = t("page.cloud_is", { n: text.count(look.points.length), width: text.count(look.width), missed: text.count(missed) });
  drawing.setAttribute("aria-label", words);
  write(note, words);
}

export const cloud = panel({ id: "cloud", title: "page.cloud", about: "page.cloud_about", folds: true, path, build, render });
