// @ts-check
// What is in a cell of the confusion matrix: the samples of one class that got one prediction. Each leads to itself in the other
// panels.
import * as api from "./api.js";
import { el, pictureOf, refill, write } from "./draw.js";
import { lastingName } from "./moments.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { CellSample, ConfusionCell } from "./types.js" */

/** Places that are kept for samples of a cell, at most as many as the server shows. */
const MOST = 24;
const VALUES = 4;

/** @typedef {{ truth: number, said: number }} Cell */

export function cellBox() {
  const title = el("h3");
  const note = el("p", { class: "note", role: "status" });
  const list = el("ul", { class: state.run.data.kind === "pictures" ? "cell-samples" : "cell-samples rows" });
  const box = el("section", { class: "cell", hidden: true, "aria-label": t("page.cell") }, title, note, list);
  list.style.setProperty("--aspect", `${state.run.data.width ?? 1} / ${state.run.data.height ?? 1}`);
  /** @type {Cell | null} */
  let chosen = null;
  let asked = "";

  /** Shows a cell, of which the matrix counts n samples. @param {Cell} cell @param {number} n */
  async function open(cell, n) {
    chosen = cell;
    const path = pathOf(cell);
    asked = path;
    box.hidden = false;
    write(title, titleOf(cell, n));
    write(note, "");
    // The room is kept: nothing moves when the samples come.
    list.replaceChildren(...Array.from({ length: Math.min(n, MOST) }, () => el("li", { class: "empty" })));
    try {
      const found = /** @type {ConfusionCell} */ (await api.get(path, true));
      if (asked === path) fill(cell, found);
    } catch (error) {
      if (asked !== path) return;
      list.replaceChildren();
      write(note, error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {Cell} cell @param {ConfusionCell} found */
  function fill(cell, found) {
    write(title, titleOf(cell, found.of));
    const values = { n: text.count(found.samples.length), all: text.count(found.of), moment: lastingName(found.step) };
    write(note, t(found.samples.length < found.of ? "page.cell_some" : "page.cell_all", values));
    refill(list, found.samples.map((sample) => el("li", {}, sampleOf(sample, found))));
  }

  /** Another moment has other samples in the cell. @param {number[][]} counts */
  function render(counts) {
    if (chosen && pathOf(chosen) !== asked) open(chosen, counts[chosen.truth][chosen.said]);
  }

  /** @param {number} truth @param {number} said */
  const shows = (truth, said) => chosen?.truth === truth && chosen.said === said;

  return { box, open, render, shows };
}

/** Of the moment of the matrix; a report has some cells of the present. @param {Cell} cell */
function pathOf({ truth, said }) {
  const path = `/api/look/cell?truth=${truth}&said=${said}`;
  return store.isLive() ? path : `${path}&moment=${store.lastUntilMoment(state.film)}`;
}

/** @param {Cell} cell @param {number} n */
function titleOf({ truth, said }, n) {
  const { classes } = state.run.data;
  return t(truth === said ? "page.cell_right" : "page.taken_for", { truth: classes[truth], answer: classes[said], n: text.count(n) });
}

/** Marks the one that is chosen of several buttons. @param {string} selector @param {string} focus */
export function press(selector, focus) {
  for (const button of document.querySelectorAll(`button${selector}`)) button.setAttribute("aria-pressed", String(button.getAttribute("data-focus") === focus));
}

/** @param {CellSample} sample @param {ConfusionCell} found */
function sampleOf({ row, name, pixels, values = [], confidence }, { width = 1, height = 1, channels = 1 }) {
  const sure = text.percent(confidence, 0);
  const columns = state.run.data.columns ?? [];
  const shown = pixels
    ? pictureOf(t("page.picture_text", { name, width, height }), { width, height, channels }, pixels)
    : el("span", { class: "row-values", text: values.slice(0, VALUES).map((value, i) => `${columns[i] ?? i + 1} ${text.number(value)}`).join(" · ") });
  const sureness = el("span", { class: "value", text: sure });
  if (!store.mayChoose(row)) return el("div", { class: "cell-sample", title: name }, shown, sureness);
  return el("button", { type: "button", class: "cell-sample", title: name, "data-focus": `c${row}`, "aria-pressed": String(row === state.sample.row), "aria-label": t("page.cell_sample", { name, sure }), onclick: () => lead(row) }, shown, sureness);
}

/** @param {number} row */
function lead(row) {
  store.setSample({ row });
  press(".cell-sample", `c${row}`);
  document.getElementById("panel-picture")?.scrollIntoView({ block: "nearest" });
}
