// @ts-check
// The sample that the whole page looks at. Of the film's pictures the film has all answers; of other rows of the data, and of one's
// own picture, a pass through the network has them.
import { alert } from "./dialogs.js";
import { floats } from "./draw.js";
import * as film from "./film.js";
import * as looks from "./looks.js";
import { filmed } from "./snapshot.js";
import * as store from "./state.js";
import { state } from "./state.js";
import { t } from "./text.js";
/** @import { Answered, Snapshot } from "./snapshot.js" */
/** @import { Pass } from "./types.js" */

/** Milliseconds between two passes while a training goes on, at least. */
const EVERY = 1500;

/** The last pass that is here, with the sample that it is of. @type {{ sample: string, look: Pass } | null} */
let pass = null;

/** The number of the chosen picture in the film, or -1. */
export function place() {
  const { row, picture } = state.sample;
  if (picture !== null) return -1;
  return row === null ? 0 : (film.theScene()?.pictures ?? []).findIndex((of) => of.row === row);
}

/** Chooses the next picture of the film or the one before; from elsewhere its first or its last. @param {1 | -1} by */
export function choosePicture(by) {
  const pictures = film.theScene()?.pictures ?? [];
  if (pictures.length === 0) return;
  const from = place() < 0 && by < 0 ? 0 : place();
  const next = (from + by + pictures.length) % pictures.length;
  store.setSample({ row: next === 0 ? null : pictures[next].row });
}

/** The chosen sample at a moment; null until it is known. @param {Snapshot | null} shown @returns {Answered | null} */
export function chosen(shown) {
  if (place() >= 0) return shown && filmed(film.theScene()?.pictures, shown, place());
  const look = looks.held(store.passPath())?.answer;
  if (look) pass = { sample: store.sampleAlone(), look };
  // Until the one of this moment is there, the last one stands, with the name of its own.
  return pass?.sample === store.sampleAlone() ? ofPass(pass.look) : null;
}

/**
 * The snapshot of the network that answered: of a large one few moments are known as a whole.
 * @param {Answered | null} sample
 * @param {Snapshot} shown
 */
export const momentOf = (sample, shown) => film.at(sample?.step ?? shown.step) ?? shown;

/** @param {Pass} look @returns {Answered} */
export function ofPass(look) {
  const own = state.sample.picture !== null;
  return {
    of: look, name: own ? t("page.own_picture") : look.name ?? "", said: look.confidences, truth: own ? state.sample.label : look.label ?? look.targets,
    activations: Object.fromEntries(Object.entries(look.activations).map(([layer, values]) => [layer, floats(values)])), step: look.step,
  };
}

/** Has the pass asked for, now and again. */
export function follow() {
  if (place() < 0 && !document.hidden) looks.refresh(store.passPath(), EVERY);
}

/** Tells the stage of passes as they come. */
export function start() {
  looks.onLook((path) => {
    if (place() >= 0 || path !== store.passPath()) return;
    const { error, answer } = looks.held(path) ?? {};
    if (error && !answer) alert(error);
    store.changed("film");
  });
  setInterval(() => state.tab === "watch" && follow(), 1000);
}
