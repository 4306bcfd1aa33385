// @ts-check
// What a network says of a sample, as bars.
import { el, write } from "./draw.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Run } from "./types.js" */

/** Bars, at most, unless told otherwise. */
const MOST_BARS = 5;

/**
 * Bars of what the network says, updated in place.
 * @param {HTMLElement} list
 * @param {Run["data"]} data
 * @param {number[]} said
 * @param {number | number[] | null} truth
 * @param {number} [most] bars
 */
export function renderBars(list, data, said, truth, most) {
  const answers = answersOf(data, said, truth, most);
  while (list.children.length > answers.length) list.lastElementChild?.remove();
  while (list.children.length < answers.length) {
    list.append(el("li", {}, el("span", { class: "class" }), el("span", { class: "value" }), el("span", { class: "bar", "aria-hidden": "true" }, el("span", { class: "fill" }))));
  }
  answers.forEach(({ name, value, share, isChosen, isRight }, i) => {
    const row = /** @type {HTMLElement} */ (list.children[i]);
    const bar = /** @type {HTMLElement} */ (row.children[2]);
    write(row.children[0], name);
    write(row.children[1], value);
    bar.hidden = share === null;
    row.className = [isChosen ? "best" : "", isRight ? "right" : ""].join(" ");
    /** @type {HTMLElement} */ (bar.firstElementChild).style.width = `${100 * (share ?? 0)}%`;
  });
}

/**
 * What the network says of a sample, output by output; a number has no share.
 * @typedef {{ k: number, name: string, value: string, share: number | null, isChosen: boolean, isRight: boolean }} Answer
 */

/** @param {Run["data"]} data @param {number[]} said @param {number | number[] | null} truth @param {number} [most] @returns {Answer[]} */
export function answersOf({ classes, target: kind }, said, truth, most = MOST_BARS) {
  return orderOf(said, truth, most).map((k) => {
    if (kind === "number") {
      const name = Array.isArray(truth) ? t("page.number_and_truth", { name: classes[k], truth: text.number(truth[k]) }) : classes[k];
      return { k, name, value: text.number(said[k]), share: null, isChosen: false, isRight: false };
    }
    const isRight = Array.isArray(truth) ? truth[k] > 0.5 : truth === k;
    const isChosen = kind === "label" ? said[k] > 0.5 : k === said.indexOf(Math.max(...said));
    const name = `${isChosen ? "▸ " : ""}${classes[k] ?? k}${isRight ? " ✓" : ""}`;
    return { k, name, value: text.percent(said[k], 0), share: said[k], isChosen, isRight };
  });
}

/** The outputs with bars: all of a few, of many the surest and the right one, in the order of the classes. @param {number[]} said @param {number | number[] | null} truth @param {number} most */
function orderOf(said, truth, most) {
  const all = [...said.keys()];
  if (all.length <= most) return all;
  const first = [...all].sort((a, b) => said[b] - said[a]).slice(0, most);
  if (typeof truth === "number" && !first.includes(truth)) first[most - 1] = truth;
  return first;
}
