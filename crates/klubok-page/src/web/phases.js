// @ts-check
// The phases of learning in words, and why a training ended.
import { t } from "./text.js";
/** @import { Phase } from "./types.js" */

/**
 * A phase's name, what happens in it, and the idea behind it. The keys stand in full so that they can be found.
 * @type {{ [name: string]: [name: string, is: string, idea: string] }}
 */
export const phases = {
  fast_learning: ["phase.fast_learning", "phase.fast_learning_is", "page.idea_fast"],
  fine_tuning: ["phase.fine_tuning", "phase.fine_tuning_is", "page.idea_fine"],
  specialisation: ["phase.specialisation", "phase.specialisation_is", "page.idea_specialisation"],
  converged: ["phase.converged", "phase.converged_is", "page.idea_converged"],
  underfitting: ["phase.underfitting", "phase.underfitting_is", "page.idea_underfitting"],
  diverging: ["phase.diverging", "phase.diverging_is", "page.idea_diverging"],
};

/** @param {Phase} phase */
export const phaseName = ({ name }) => t(phases[name]?.[0] ?? name);

/** @type {{ [reason: string]: string }} */
export const endings = {
  epochs: "page.stopped_epochs",
  early_stopping: "page.stopped_early",
  diverged: "page.stopped_diverged",
  interrupted: "page.stopped_interrupted",
  person: "page.stopped_person",
};
