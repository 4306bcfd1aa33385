// @ts-check
// The stage: the first screen. A sentence over the full width; a picture with what the network says of it; the hero in the
// middle; the loss with its phases; and below, for all tabs, the film strip.
import { chart } from "./chart.js";
import { follow } from "./chosen.js";
import { el } from "./draw.js";
import { figure } from "./figure.js";
import * as film from "./film.js";
import { heroOfGrid } from "./stage-grid.js";
import { heroOfNetwork } from "./stage-network.js";
import { picture } from "./stage-picture.js";
import { sentence } from "./stage-sentence.js";
import { heroOfTiles } from "./stage-tiles.js";
import * as store from "./state.js";
import { state } from "./state.js";
import { t } from "./text.js";
/** @import { Change } from "./state.js" */
/** @typedef {{ element: HTMLElement, render: (changes: Set<Change>) => void }} Part */

/**
 * Builds the stage into an element.
 * @param {HTMLElement} box
 * @param {(layer: string, unit: number) => void} openUnit
 * @returns {Part}
 */
export function stage(box, openUnit) {
  /** @type {Part[]} */
  const parts = [sentence(), picture(), hero(openUnit), loss()];
  box.replaceChildren(...parts.map(({ element }) => element));
  const render = (/** @type {Set<Change>} */ changes) => {
    follow();
    parts.forEach((part) => part.render(changes));
  };
  return { element: box, render };
}

/** @param {(layer: string, unit: number) => void} openUnit */
function hero(openUnit) {
  const scene = film.theScene();
  if (scene?.grid) return heroOfGrid(scene.grid);
  if (scene?.tiles) return heroOfTiles(openUnit);
  return heroOfNetwork();
}

/** @returns {Part} */
function loss() {
  // On a phone it is a line without words.
  const drawn = chart({ axes: !matchMedia("(max-width: 760px)").matches, onPick: (i) => store.setMoment(state.lines[i].step) });
  const element = el("section", { class: "stage-loss", "aria-label": t("page.loss") }, drawn.element);
  const shows = ["story", "moment", "theme", "shown", "run"];
  const render = (/** @type {Set<Change>} */ changes) => {
    if (![...changes].some((change) => shows.includes(change))) return;
    const { axis, plots, phases, cursor } = figure("steps");
    drawn.update({ axis, plots: plots.slice(0, 1), phases, cursor });
  };
  return { element, render };
}
