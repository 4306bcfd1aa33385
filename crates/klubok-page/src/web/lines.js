// @ts-check
// The lines of a run's logs.
/** @import { Metrics } from "./types.js" */

/** Lines of epochs and steps by step; where both measured, the epoch's line measured more. @param {Metrics[]} epochs @param {Metrics[]} steps */
export function merged(epochs, steps) {
  const at = new Map(steps.map((line) => [line.step, line]));
  for (const line of epochs) at.set(line.step, { ...at.get(line.step), ...line });
  return [...at.values()].sort((a, b) => a.step - b.step);
}
