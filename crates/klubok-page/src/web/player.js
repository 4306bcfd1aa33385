// @ts-check
// Plays a film: one stop after the other, until somebody chooses another moment.
import { el, write } from "./draw.js";
import { t } from "./text.js";

/** How long all stops take. */
const PLAY_MS = 12_000;
/** Stops for those who want no motion. */
const CALM_STOPS = 10;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * @typedef {object} Played
 * @property {() => number} count of stops
 * @property {() => number} index of the stop that is shown
 * @property {() => number | null} moment the step that is shown; null is live
 * @property {(i: number) => void} show
 */

/** @param {Played} played */
export function player({ count, index, moment, show }) {
  const button = el("button", { type: "button", class: "play-film", onclick: toggle });
  /** @type {number | undefined} */
  let timer;
  /** @type {number | null} */
  let shown = null;

  function drawButton() {
    const words = t(timer ? "page.replay_stop" : "page.replay");
    write(button, timer ? "❚❚" : "▶");
    button.setAttribute("aria-label", words);
    button.title = words;
  }

  function stop() {
    clearInterval(timer);
    timer = undefined;
    drawButton();
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
      shown = moment();
      if (at++ >= moves) stop();
    };
    timer = setInterval(next, PLAY_MS / (moves + 1));
    drawButton();
    return next();
  }

  /** Whoever chooses another moment has seen enough. */
  function render() {
    if (timer && moment() !== shown) stop();
  }

  drawButton();
  return { button, stop, render };
}
