// @ts-check
// The sample that the whole page looks at. Of the film's pictures the film has all answers; of other rows of the data, and of one's
// own picture, a pass through the network has them.
import * as api from "./api.js";
import { alert } from "./dialogs.js";
import { floats } from "./draw.js";
import * as film from "./film.js";
import { filmed } from "./snapshot.js";
import * as store from "./state.js";
import { state } from "./state.js";
import { t } from "./text.js";
/** @import { Change } from "./state.js" */
/** @import { Answered, Snapshot } from "./snapshot.js" */
/** @import { Pass } from "./types.js" */

/** Milliseconds between two passes while a training goes on, at least. */
const EVERY = 1500;

/** The last pass, with the sample that it is of. @type {{ sample: string, look: Pass } | null} */
let pass = null;
let asked = 0;

/** The number of the chosen picture in the film, or -1. */
export function place() {
  const { row, picture } = state.sample;
  if (picture !== null) return -1;
  return row === null ? 0 : (film.theScene()?.pictures ?? []).findIndex((of) => of.row === row);
}

/** Chooses another picture of the film. @param {1 | -1} by */
export function step(by) {
  const pictures = film.theScene()?.pictures ?? [];
  if (pictures.length === 0) return;
  const from = place() < 0 && by < 0 ? 0 : place();
  const next = (from + by + pictures.length) % pictures.length;
  store.setSample({ row: next === 0 ? null : pictures[next].row });
}

/** The chosen sample at a moment; null until it is known. @param {Snapshot | null} shown @returns {Answered | null} */
export function chosen(shown) {
  if (place() >= 0) return shown && filmed(film.theScene()?.pictures, shown, place());
  return pass?.sample === store.samplePath() ? ofPass(pass.look) : null;
}

/**
 * The snapshot of the network that answered: of a large one few moments are known as a whole.
 * @param {Answered} sample
 * @param {Snapshot} shown
 */
export const momentOf = ({ step }, shown) => (step !== null && step !== shown.step ? film.at(step) ?? shown : shown);

/** @param {Pass} look @returns {Answered} */
export function ofPass(look) {
  const own = state.sample.picture !== null;
  return {
    of: look, name: own ? t("page.own_picture") : look.name ?? "", said: look.confidences, truth: own ? state.sample.label : look.label ?? look.targets,
    activations: Object.fromEntries(Object.entries(look.activations).map(([layer, values]) => [layer, floats(values)])), step: look.step,
  };
}

/** Asks for the pass that a change makes necessary. @param {Set<Change>} changes */
export async function follow(changes) {
  const isAsked = ["moment", "sample", "tab"].some((change) => changes.has(/** @type {Change} */ (change)));
  if (place() >= 0 || (!isAsked && (!changes.has("now") || Date.now() - asked <= EVERY))) return;
  asked = Date.now();
  const path = store.passPath();
  try {
    const look = /** @type {Pass} */ (await api.get(path, isAsked));
    if (path !== store.passPath()) return;
    pass = { sample: store.samplePath(), look };
    store.changed("film");
  } catch (error) {
    if (path !== store.passPath()) return;
    alert(error);
    store.setSample({});
  }
}
