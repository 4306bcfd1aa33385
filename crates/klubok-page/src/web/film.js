// @ts-check
// The film of the run: what it shows at every moment, and its snapshots, each asked for once and kept. The present state of a
// training counts as a snapshot that the film does not keep.
import * as api from "./api.js";
import * as store from "./state.js";
import { state } from "./state.js";
/** @import { Scene, Snapshot } from "./snapshot.js" */

/** @type {Scene | null} */
let scene = null;
/** @type {Map<number, Snapshot>} */
const kept = new Map();
/** @type {Snapshot | null} */
let newest = null;
/** Those that are on their way. @type {Map<number, Promise<void>>} */
const asked = new Map();

/** What the film shows; null until it is there, and for a run without a film. */
export const theScene = () => scene;

/** The steps of the film, in order. */
export const steps = () => state.film;

/** The step of the film that the moment is: the last one until it. */
export const stepOfMoment = () => (state.moment === null ? null : store.lastUntilMoment(state.film));

/** The snapshot of the moment; null until it is there. */
export function snapshot() {
  const step = stepOfMoment();
  if (step !== null) return kept.get(step) ?? null;
  return newest ?? kept.get(state.film.at(-1) ?? -1) ?? null;
}

/** The last snapshot that is here: scales follow from it. */
export const last = () => newest ?? kept.get(state.film.findLast((step) => kept.has(step)) ?? -1) ?? null;

/** @param {number} step */
export const at = (step) => kept.get(step) ?? null;

/** @param {number} step */
async function fetchStep(step) {
  if (kept.has(step)) return;
  const asking = asked.get(step) ?? ask(step);
  asked.set(step, asking);
  await asking;
}

/** @param {number} step */
async function ask(step) {
  try {
    const answer = await api.get(`/api/look/film?moment=${step}`);
    kept.set(step, /** @type {Snapshot} */ (answer));
    store.changed("film");
  } finally {
    asked.delete(step);
  }
}

/** All snapshots of the film as it is now, in order. */
export async function all() {
  /** @type {Snapshot[]} */
  const found = [];
  for (const step of [...state.film]) {
    // A training that goes on may have thinned the film meanwhile.
    await fetchStep(step).catch((error) => {
      if (state.film.includes(step)) throw error;
    });
    const own = kept.get(step);
    if (own) found.push(own);
  }
  return found;
}

let following = false;
async function fetchNewest() {
  if (following || api.isReport) return;
  following = true;
  try {
    newest = /** @type {Snapshot} */ (await api.get("/api/look/film"));
    store.changed("film");
  } finally {
    following = false;
  }
}

let filling = false;
// Fetches what is missing, one after the other: the moment's first, then the end, then the rest.
async function fill() {
  if (filling || document.hidden) return;
  filling = true;
  try {
    for (;;) {
      const missing = state.film.filter((step) => !kept.has(step));
      const wanted = stepOfMoment();
      const next = wanted !== null && missing.includes(wanted) ? wanted : missing.at(-1);
      if (next === undefined) break;
      await fetchStep(next);
      if (!kept.has(next)) break;
    }
  } catch {
    // Asked for again at the next news.
  } finally {
    filling = false;
  }
}

export async function start() {
  try {
    scene = /** @type {Scene} */ (await api.get("/api/look/scene"));
  } catch {
    scene = null; // the run has no film
    return;
  }
  store.subscribe((changes) => {
    if (changes.has("now") && state.now.snapshot !== newest?.step) void fetchNewest().catch(() => {});
    if (changes.has("story") || changes.has("moment")) void fill();
  });
  // What scales follow from comes first.
  await Promise.all([state.film.at(-1) ?? 0, 0].map((step) => fetchStep(step).catch(() => {})));
  void fill();
}

/** Whether the run has a film. */
export const exists = () => scene !== null;
