// @ts-check
// The terrain that the training walked: its loss on the plane through the start, the best weights and the last ones.
import * as api from "./api.js";
import { button, colour, contextOf, drawSquares, el, mix, placeIn, region, rgb, table, write } from "./draw.js";
import { look as lookAt } from "./looks.js";
import { panel } from "./panels.js";
import * as store from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Measured, Spot, Terrain } from "./types.js" */

const PATH = "/api/look/terrain";
const SIZE = 864;
let /** @type {HTMLButtonElement} */ measure, /** @type {HTMLElement} */ shown, /** @type {HTMLCanvasElement} */ drawing;
let /** @type {HTMLElement} */ low, /** @type {HTMLElement} */ high, /** @type {HTMLElement} */ words, /** @type {HTMLElement} */ note;
// It takes seconds, so that somebody has to want it.
let wanted = false;

/** @param {HTMLElement} body */
function build(body) {
  measure = button("page.measure", ask, "strong");
  note = el("p", { class: "note", "aria-live": "polite" });
  drawing = el("canvas", { class: "map", role: "img", width: SIZE, height: SIZE });
  [low, high] = [el("span", { class: "number" }), el("span", { class: "number" })];
  const ramp = el("p", { class: "scale" }, low, el("span", { class: "ramp rising", "aria-hidden": "true" }), high);
  words = el("div");
  shown = el("div", { class: "map-and-words", hidden: true }, el("figure", {}, drawing),
    el("div", {}, ramp, el("p", { class: "note", text: t("page.terrain_is") }), words));
  body.append(el("div", { class: "bar-of-tools start stays" }, measure, note), shown);
  measure.hidden = api.isReport;
}

async function ask() {
  wanted = true;
  write(note, t("page.measuring"));
  measure.disabled = true;
  await lookAt(PATH);
  measure.disabled = false;
  write(note, "");
}

/** From low to high on a scale of powers: a terrain is flat where it was trained, and steep far away. @param {Measured[]} losses */
function scale(losses) {
  const log = (/** @type {number} */ loss) => Math.log(Math.max(loss, 1e-6));
  const known = losses.filter(text.isNumber).map(log);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  return { low, high, share: (/** @type {Measured} */ loss) => (text.isNumber(loss) ? (log(loss) - low) / Math.max(high - low, 1e-9) : 1) };
}

/** @param {Terrain} look @param {Spot} spot */
function nameOf(look, spot) {
  const names = [];
  if (spot === look.spots[0]) names.push(t("page.at_the_start"));
  if (spot.step === look.best) names.push(t("page.at_the_best"));
  if (spot === look.spots.at(-1)) names.push(t("page.at_the_end"));
  return names.join(", ");
}

/** The way, its moments as dots, and the names of those that span the plane. The slider's moment is filled. @param {Terrain} look */
function drawWay(look) {
  const context = contextOf(drawing);
  const place = placeIn(look, SIZE);
  const at = store.isLive() ? Infinity : store.line()?.step ?? 0;
  const current = look.spots.findLast((spot) => spot.step <= at);
  context.lineWidth = 4;
  context.strokeStyle = rgb("--accent");
  context.beginPath();
  for (const { at } of look.spots) context.lineTo(...place(at));
  context.stroke();
  for (const spot of look.spots) {
    const name = nameOf(look, spot);
    const [x, y] = place(spot.at);
    context.beginPath();
    context.arc(x, y, name || spot === current ? 11 : 6, 0, 2 * Math.PI);
    context.fillStyle = rgb(spot === current ? "--accent" : "--panel");
    context.strokeStyle = rgb("--accent");
    context.lineWidth = 4;
    context.fill();
    context.stroke();
    if (name) drawName(context, name, x, y);
  }
}

/** @param {CanvasRenderingContext2D} context @param {string} name @param {number} x @param {number} y */
function drawName(context, name, x, y) {
  const left = x > SIZE / 2;
  context.font = "26px system-ui, sans-serif";
  context.textAlign = left ? "right" : "left";
  context.lineWidth = 6;
  context.strokeStyle = rgb("--panel");
  context.strokeText(name, x + (left ? -18 : 18), y - 14);
  context.fillStyle = rgb("--ink");
  context.fillText(name, x + (left ? -18 : 18), y - 14);
}

/** @param {Terrain} look */
function tableOf(look) {
  const length = Math.hypot(...(look.spots.at(-1)?.at ?? [])) || 1;
  const rows = look.spots.map((spot) =>
    [[text.count(spot.step), nameOf(look, spot)].filter(Boolean).join(" · "), text.number(spot.loss), text.percent(spot.off / length, 0)]);
  return el("details", {}, el("summary", { text: t("page.as_table") }),
    region(t("page.terrain"), table([t("page.step"), t("page.training_loss"), t("page.off_plane")], rows)));
}

function without() {
  shown.hidden = true;
}

/** @param {Terrain} look */
function render(look) {
  shown.hidden = false;
  const losses = scale(look.losses);
  const [flat, steep] = [colour("--middle"), colour("--positive")];
  drawSquares(drawing, look.side, (i) => mix(flat, steep, losses.share(look.losses[i])));
  drawWay(look);
  write(low, text.number(Math.exp(losses.low), 2));
  write(high, text.number(Math.exp(losses.high), 2));
  drawing.setAttribute("aria-label", t("page.terrain_text", { first: text.number(look.spots[0].loss), last: text.number(look.spots.at(-1)?.loss) }));
  const open = words.querySelector("details")?.open ?? false;
  const moments = tableOf(look);
  moments.open = open;
  words.replaceChildren(el("p", { class: "note", text: t("page.terrain_of", { n: text.count(look.samples), third: text.count(look.third) }) }), moments);
}

// Asked for once, and again by the button only.
const path = () => (wanted || api.keptPaths(PATH).length > 0 ? PATH : null);

export const terrain = panel({
  id: "terrain", title: "page.terrain", about: "page.terrain_about", wide: true, folds: true, path, every: Infinity, build, render, without,
});
