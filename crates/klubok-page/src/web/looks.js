// @ts-check
// Looks at the network: answers by path, each asked for once, however many panels show it.
import * as api from "./api.js";
import * as store from "./state.js";
import { state } from "./state.js";

/**
 * @typedef {object} Held
 * @property {boolean} asking
 * @property {number} asked the step of the network then
 * @property {boolean} fixed of a moment that does not change
 * @property {number} [time] when it came
 * @property {any} [answer] of the type that the panel knows
 * @property {string} [error]
 * @property {boolean} [later] the server has no time for it now
 */

/** @type {Map<string, Held>} */
const looks = new Map();
const MOST_LOOKS = 160;
const RETRY = 5000;
/** Told the path of whatever came. @type {((path: string) => void)[]} */
const readers = [];

/** @param {(path: string) => void} reader */
export const onLook = (reader) => readers.push(reader);

/** What is here for a path. @param {string} path */
export const held = (path) => looks.get(path);

/** Looks anew where the last answer is of other weights and has stood for a while. @param {string} path @param {number} every milliseconds */
export function refresh(path, every) {
  if (isStale(looks.get(path), every)) void look(path);
}

/** @param {Held | undefined} entry @param {number} every */
function isStale(entry, every) {
  if (!entry) return true;
  if (entry.asking || api.isReport) return false;
  const age = Date.now() - (entry.time ?? 0);
  if (entry.error || entry.later) return age > RETRY;
  return !entry.fixed && store.isLive() && entry.asked !== state.now.step && age > every;
}

/**
 * Looks at the network, and tells those who show it.
 * @param {string} path
 */
export async function look(path) {
  /** @type {Held} */
  const entry = { ...looks.get(path), asking: true, asked: state.now.step, fixed: /[?&]moment=\d/.test(path) };
  looks.delete(path);
  looks.set(path, entry);
  const [oldest] = looks.keys();
  if (looks.size > MOST_LOOKS) looks.delete(oldest);
  try {
    // Its first answer is one that a person waits for: who opened a tab, chose a unit, moved the slider.
    const answer = /** @type {any} */ (await api.get(path, !entry.answer));
    entry.error = undefined;
    entry.later = Boolean(answer.later);
    if (!entry.later) entry.answer = answer;
  } catch (error) {
    entry.error = error instanceof Error ? error.message : String(error);
  }
  entry.asking = false;
  entry.time = Date.now();
  for (const reader of readers) reader(path);
  return entry;
}
