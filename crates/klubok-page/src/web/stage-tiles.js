// @ts-check
// The hero of pictures: what 24 units of the first layer look for, and what they pass on to the answer.
//
// The scale of the tiles is that of the end of the film, at every moment: noise never looks as strong as structure. From one
// moment to the next the pictures cross-fade; nothing is drawn that was never there.
import { chosen, momentOf } from "./chosen.js";
import { choice, colour, drawSigned, el, write } from "./draw.js";
import * as film from "./film.js";
import { FULL, spread, tiles as tilesOf } from "./snapshot.js";
import { flow } from "./stage-flow.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { remembered, t } from "./text.js";
/** @import { Change } from "./state.js" */
/** @import { Answered, Snapshot } from "./snapshot.js" */

/** The tile keys that move by one, or by a line. @type {{ [key: string]: number }} */
const MOVES = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -6, ArrowDown: 6 };
const VIEWS = ["whole", "added"];

/** @typedef {{ button: HTMLElement, canvases: [HTMLCanvasElement, HTMLCanvasElement], front: number, drawn: string }} Tile */

/** The weight at which a colour is full. @param {Snapshot | null} first @param {Snapshot} last @param {boolean} whole */
export const fullWeight = (first, last, whole) => FULL * spread(film.theScene()?.tiles, first, last, whole) || 1;

/** @param {(layer: string, unit: number) => void} openUnit */
export function heroOfTiles(openUnit) {
  let view = remembered.get("klubok-tiles") ?? VIEWS[0];
  const grid = el("div", { class: "tiles", role: "group", "aria-label": t("page.hero_tiles") });
  const caption = el("p", { class: "hero-caption" });
  const views = choice(t("page.view"), [["whole", t("page.tiles_whole")], ["added", t("page.tiles_added")]], view, (chosen) => {
    view = chosen;
    remembered.set("klubok-tiles", chosen);
    render(new Set(["theme"]));
  });
  const answers = flow(state.run);
  const element = el("section", { class: "hero", "aria-label": t("page.hero_tiles") },
    el("div", { class: "hero-head" }, caption, views), grid, answers.element);
  /** @type {Tile[]} */
  let tiles = [];
  let limit = { step: -1, view: "", value: 1 };

  // At once, so that nothing moves when there is something to draw.
  function build() {
    const [{ name }] = state.run.network.layers;
    tiles = (film.theScene()?.units[name] ?? []).map((unit, i) => {
      const canvas = () => el("canvas", { class: "tile-picture", width: 1, height: 1, "aria-hidden": "true" });
      const canvases = /** @type {Tile["canvases"]} */ ([canvas(), canvas()]);
      const button = el("button", {
        type: "button", class: "tile", tabindex: i === 0 ? 0 : -1, "aria-label": `${t("page.unit")} ${unit}`, title: `${name}, ${t("page.unit")} ${unit}`,
        onclick: () => openUnit(name, unit),
      }, ...canvases);
      return { button, canvases, front: 0, drawn: "" };
    });
    grid.replaceChildren(...tiles.map(({ button }) => button));
  }

  // One stop for the tab key; the arrows move within.
  grid.addEventListener("keydown", (event) => {
    const at = tiles.findIndex(({ button }) => button === document.activeElement);
    const move = MOVES[event.key];
    if (at < 0 || move === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const next = tiles[Math.max(0, Math.min(tiles.length - 1, at + move))];
    tiles[at].button.tabIndex = -1;
    next.button.tabIndex = 0;
    next.button.focus();
  });

  function fullAt() {
    const last = film.last();
    if (!last || (limit.step === last.step && limit.view === view)) return limit.value;
    limit = { step: last.step, view, value: fullWeight(film.at(0), last, view === "whole") };
    return limit.value;
  }

  /** @param {Snapshot} shown */
  function draw(shown) {
    const shape = film.theScene()?.tiles;
    if (!shape) return;
    const full = fullAt();
    const key = [shown.step, view, full.toPrecision(3), colour("--middle").join()].join();
    const weights = tilesOf(shape, shown, view === "whole");
    tiles.forEach((tile, i) => {
      if (tile.drawn === key || !weights[i]) return;
      const back = 1 - tile.front;
      drawSigned(tile.canvases[back], shape, weights[i], full);
      tile.canvases[back].classList.add("shown");
      tile.canvases[tile.front].classList.remove("shown");
      [tile.front, tile.drawn] = [back, key];
    });
  }

  // How strongly each unit answers the chosen picture.
  /** @param {Answered | null} sample */
  function glow(sample) {
    const [{ name }] = state.run.network.layers;
    const row = sample?.activations[name] ?? [];
    const most = Math.max(...row, 1e-9);
    tiles.forEach(({ button }, i) => button.style.setProperty("--signal", String(Math.max(0, row[i] ?? 0) / most)));
  }

  /** @param {Set<Change>} changes */
  function render(changes) {
    const shown = film.snapshot();
    if (!shown || ![...changes].some((change) => ["film", "moment", "theme", "sample", "shown", "now"].includes(change))) return;
    draw(shown);
    const sample = chosen(shown);
    glow(sample);
    answers.render(momentOf(sample, shown), sample);
    const [{ units }] = state.run.network.layers;
    write(caption, t("page.hero_units", { n: tiles.length, all: text.count(units) }));
  }

  build();
  return { element, render };
}
