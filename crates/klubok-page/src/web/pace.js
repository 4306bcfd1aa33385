// @ts-check
// How fast a training goes: a choice of a few paces.
import { choice } from "./draw.js";
import { t } from "./text.js";

/** Seconds for a whole training. @type {[name: "slow" | "normal" | "full", seconds: number | null][]} */
const PACES = [["slow", 180], ["normal", 45], ["full", null]];

/** @param {(seconds: number | null) => void} onChoose told the seconds for the whole, or none for full speed */
export function paces(onChoose) {
  /** @type {["slow" | "normal" | "full", string][]} */
  const names = [["slow", t("page.pace_slow")], ["normal", t("page.pace_normal")], ["full", t("page.pace_full")]];
  const element = choice(t("page.pace"), names, "full", (chosen) => onChoose(PACES.find(([name]) => name === chosen)?.[1] ?? null));

  /** @param {number | null} pace */
  function show(pace) {
    [...element.children].forEach((button, i) => button.setAttribute("aria-pressed", String(PACES[i][1] === pace)));
  }

  return { element, show };
}
