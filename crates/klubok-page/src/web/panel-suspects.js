// @ts-check
// Training samples whose label the network contradicts: perhaps the label is wrong, perhaps the sample is odd.
import * as api from "./api.js";
import { el, pictureOf, refill, write } from "./draw.js";
import { panel } from "./panels.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { LabelErrors, Suspect } from "./types.js" */

let /** @type {HTMLElement} */ list, /** @type {HTMLElement} */ note;

/** @param {HTMLElement} body */
function build(body) {
  note = el("p", { class: "note" });
  list = el("ul", { class: "suspects" });
  body.append(note, list);
}

/** @param {Suspect} one */
function row(one) {
  const { classes } = state.run.data;
  const { row, name, pixels, width = 1, height = 1, channels = 1 } = one;
  const words = t("page.suspect", { label: classes[one.label], answer: classes[one.said], sure: text.percent(one.confidence, 0), loss: text.number(one.loss) });
  const picture = pixels ? pictureOf(t("page.picture_text", { name, width, height }), { width, height, channels }, pixels) : null;
  const head = api.isReport
    ? el("b", { text: name })
    : el("button", { type: "button", class: "quiet", "data-focus": `s${row}`, text: name, onclick: () => store.setSample({ row }) });
  return el("li", {}, picture, el("div", {}, head, el("p", { text: words })));
}

/** @param {LabelErrors} look */
function render(look) {
  const values = { n: text.count(look.samples), moments: text.count(look.moments), doubt: text.percent(look.doubt, 0) };
  write(note, look.moments === 0 ? t("page.suspects_later") : look.suspects.length === 0 ? t("page.no_suspects", values) : t("page.suspects_are", values));
  refill(list, look.suspects.map(row));
}

export const suspects = panel({
  id: "suspects", title: "page.suspects", about: "page.suspects_about", folds: true,
  path: () => store.atMoment("/api/look/suspects"), every: 10000, long: true, build, render,
});
