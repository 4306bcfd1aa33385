// @ts-check
// Plays a film: one stop after the other.

/** How long all stops take. */
const PLAY_MS = 12_000;
/** Stops for those who want no motion. */
const CALM_STOPS = 10;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * @typedef {object} Played
 * @property {() => number} count of stops
 * @property {() => number} index of the stop that is shown
 * @property {(i: number) => void} show
 * @property {() => void} changed it plays from now on, or no longer
 */

/** @param {Played} played */
export function player({ count, index, show, changed }) {
  /** @type {number | undefined} */
  let timer;

  function stop() {
    clearInterval(timer);
    timer = undefined;
    changed();
  }

  // From the last stop on it begins anew.
  function toggle() {
    if (timer) return stop();
    const last = count() - 1;
    if (last < 1) return undefined;
    const moves = calm.matches ? Math.min(last, CALM_STOPS - 1) : last;
    let at = index() >= last ? 0 : Math.round((index() / last) * moves);
    const next = () => {
      show(Math.round((at / moves) * last));
      if (at++ >= moves) stop();
    };
    timer = setInterval(next, PLAY_MS / (moves + 1));
    changed();
    return next();
  }

  return { toggle, stop, isPlaying: () => timer !== undefined };
}
