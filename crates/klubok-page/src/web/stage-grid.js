// @ts-check
// The hero of one or two inputs: what the network says everywhere, with the points it learns from. Of classes of two inputs the
// colour is the answer and its strength the confidence; of a number of one input it is a line.
import { chosen } from "./chosen.js";
import { classLegend, contextOf, el, rgb, write } from "./draw.js";
import * as film from "./film.js";
import { drawPlane, placer, planeOf } from "./plane.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Change } from "./state.js" */
/** @import { Answered, Grid, Snapshot } from "./snapshot.js" */

/** @param {Grid} grid */
export function heroOfGrid(grid) {
  const isLine = grid.low.length === 1;
  const words = t(isLine ? "page.hero_curve" : "page.hero_map");
  const drawing = planeOf(grid, words);
  const caption = el("p", { class: "hero-caption", text: words });
  const { classes, columns, target } = state.run.data;
  const legend = target === "class" ? classLegend(classes) : null;
  const axes = el("p", { class: "plane-axes", text: (columns ?? []).join(" × ") });
  const element = el("section", { class: "hero of-plane", "aria-label": words }, el("div", { class: "hero-head" }, caption, legend), drawing, axes);

  /** @param {Set<Change>} changes */
  function render(changes) {
    const shown = film.snapshot();
    if (!shown?.grid || ![...changes].some((change) => ["film", "moment", "theme", "sample", "shown", "now"].includes(change))) return;
    drawWithSample(drawing, grid, shown, chosen(shown));
    write(caption, words);
  }

  return { element, render };
}

/**
 * Draws what the network says, with the points and the chosen one.
 * @param {HTMLCanvasElement} canvas
 * @param {Grid} grid
 * @param {Snapshot} shown
 * @param {Answered | null} sample
 */
export function drawWithSample(canvas, grid, shown, sample) {
  drawPlane(canvas, state.run.data, grid, shown);
  const at = sample?.of?.values ?? [];
  if (at.length > 1 && at.every(text.isNumber)) ring(canvas, grid, at);
}

/** Marks the chosen sample. @param {HTMLCanvasElement} canvas @param {Grid} grid @param {number[]} at */
function ring(canvas, grid, at) {
  const context = contextOf(canvas);
  const [x, y] = placer(canvas, grid)(at);
  context.beginPath();
  context.arc(x, y, 20, 0, 2 * Math.PI);
  context.lineWidth = 5;
  context.strokeStyle = rgb("--ink");
  context.stroke();
}
