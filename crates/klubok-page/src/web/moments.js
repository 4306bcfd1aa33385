// @ts-check
// The moments of a run by their names: the one that the strip shows, and that of what a panel shows.
import * as api from "./api.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";

/** The step of the best epoch, whose weights the model has. */
export const bestStep = () => state.epochs.find(({ epoch }) => epoch === state.best_epoch)?.step ?? null;

/** Whether no step follows the last one. */
export const hasEnded = () => api.isReport || state.now.mode === "ended";

/** The step of the moment that the strip shows. */
export function stepOfMoment() {
  const { moment } = state;
  if (moment === null) return state.now.step;
  return state.film.findLast((step) => step <= moment) ?? moment;
}

/** A step by its name. @param {number} step */
export function nameOf(step) {
  if (step === state.now.step && step > 0 && (hasEnded() || store.isLive())) return t(hasEnded() ? "page.at_last" : "page.at_now", placeOf(step));
  if (step === bestStep() && step > 0) return t("page.at_best", { epoch: text.epoch(state.best_epoch) });
  return lastingName(step);
}

/** A step by a name that stays true when others follow. @param {number} step */
export const lastingName = (step) => (step === 0 ? t("page.at_random") : t("page.at_moment", placeOf(step)));

/** @param {number} step */
const placeOf = (step) => ({ epoch: text.epoch(step / (state.now.steps_per_epoch || 1)), step: text.count(step) });

/** The moment of the strip by its name. */
export const momentName = () => nameOf(stepOfMoment());

/** Whether what is of a step is not of the strip's moment. While a training goes on, a look is always a little behind. @param {number} step */
export const isOther = (step) => (!store.isLive() || hasEnded()) && step !== stepOfMoment();
