// @ts-check
// The network as a drawing, forward and back. Back, the thread is pulled: the error goes one layer at a time.
import * as api from "./api.js";
import { button, bytes, choice, drawPicture, drawSigned, el, signedBytes, write } from "./draw.js";
import { backwardColumns, forwardColumns, isGated } from "./network-columns.js";
import { networkDrawing } from "./network-drawing.js";
import { pulls, threadWords } from "./network-thread.js";
import { panel } from "./panels.js";
import { proof } from "./proof.js";
import * as store from "./state.js";
import { state } from "./state.js";
import { t } from "./text.js";
/** @import { InputPicture } from "./network-drawing.js" */
/** @import { Change } from "./state.js" */
/** @import { BackwardPass, Pass } from "./types.js" */

let /** @type {HTMLElement} */ note, /** @type {HTMLElement} */ said, /** @type {HTMLElement} */ thread;
let /** @type {HTMLButtonElement} */ pull;
let /** @type {ReturnType<typeof networkDrawing>} */ drawing, /** @type {ReturnType<typeof proof>} */ proven;
/** @type {"forward" | "backward"} */
let way = "forward";
/** How many layers the error has gone back, once it may be pulled. */
let pulled = 0;
/** Whether the last render was asked for by a pull. */
let fresh = false;
let rested = false;
/** Whether the error has come to the input: then the thread is wound back. */
let isThrough = false;

/** The network that is shown does not change: its training rests, is over, or was at an earlier moment. */
const rests = () => api.isReport || !store.isLive() || ["resting", "ended"].includes(state.now.mode);

/** @param {number} by */
function pullTo(by) {
  pulled = by;
  fresh = true;
  store.changed("choice");
}

/** @param {HTMLElement} body */
function build(body) {
  /** @type {["forward" | "backward", string][]} */
  const choices = [["forward", t("page.forward")], ["backward", t("page.backward")]];
  note = el("p", { class: "note" });
  said = el("p", { class: "thread-said", role: "status" });
  const ways = choice(t("page.way"), choices, way, (chosen) => {
    way = chosen;
    pullTo(0);
  });
  // The error that goes back is that of a class.
  ways.hidden = state.run.data.target !== "class";
  pull = button("page.pull", () => pullTo(isThrough ? 0 : pulled + 1), "strong");
  thread = el("div", { class: "thread" }, pull, said);
  drawing = networkDrawing();
  proven = proof();
  body.append(el("div", { class: "bar-of-tools" }, note, ways), thread, drawing.box, proven.box);
}

/** The input as the network gets it, or the slopes of the loss at its pixels. @param {Pass} look @param {BackwardPass | null} back @returns {InputPicture | null} */
function pictureOf({ pixels, name, width = 1, height = 1, channels = 1 }, back) {
  if (!pixels) return null;
  const shape = { width, height, channels };
  if (back) return { shape, label: t("page.gradient_text"), draw: (canvas) => drawSigned(canvas, shape, signedBytes(back.input), 127) };
  const label = t("page.picture_text", { name: name || t("page.own_picture"), width, height });
  return { shape, label, draw: (canvas) => drawPicture(canvas, shape, bytes(pixels)) };
}

/** @param {Pass} look @param {Set<Change>} changes */
function render(look, changes) {
  const still = rests();
  // News of the training alone matters only where the thread may be pulled from now on, or no longer.
  if (changes.size === 1 && changes.has("now") && still === rested) return;
  if (still && !rested) pulled = 0;
  rested = still;
  proven.render(look);
  const back = way === "backward" ? look.backward : null;
  const through = still ? Math.min(pulled, pulls(look)) : pulls(look);
  const columns = back ? backwardColumns(look, back, through) : forwardColumns(look);
  isThrough = through === pulls(look);
  drawing.render({ columns, picture: pictureOf(look, isThrough ? back : null), back: Boolean(back), fresh });
  if (fresh) drawing.show(back ? columns.length - 1 - through : 0);
  fresh = false;
  renderWords(look, back, still, through);
}

/** @param {Pass} look @param {BackwardPass | null} back @param {boolean} still @param {number} through */
function renderWords(look, back, still, through) {
  const gates = look.layers.some(({ name }) => isGated(name)) ? ` ${t("page.gates_are")}` : "";
  if (way === "backward" && !back) write(note, t("page.no_way_back"));
  else write(note, t(back ? "page.backward_is" : "page.forward_is") + gates);
  thread.hidden = !back;
  pull.disabled = !still;
  write(pull, t(still && isThrough ? "page.wind" : "page.pull"));
  write(said, !back ? "" : still ? threadWords(look, back, through) : t("page.thread_rests"));
}

export const network = panel({
  id: "network", title: "page.network", about: "page.network_about", wide: true, path: store.passPath, every: 1500, on: ["story", "sample", "choice", "now"], build, render,
});
