// @ts-check
// A lane: what one run of a race looks for, what it says of the picture that all are shown, and how good it is.
import { bytes, canvas, drawPicture, drawSigned, el, svg, write } from "./draw.js";
import { endings, phaseName } from "./phases.js";
import { drawPlane, planeOf } from "./plane.js";
import { laneName } from "./race-sentence.js";
import * as store from "./race-state.js";
import { race } from "./race-state.js";
import { renderBars } from "./says.js";
import { FULL, filmed, spread, tiles as tilesOf } from "./snapshot.js";
import { flow } from "./stage-flow.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Change, Lane } from "./race-state.js" */
/** @import { Grid, Snapshot } from "./snapshot.js" */
/** @import { Shape } from "./types.js" */

/** Tiles of a lane: fewer where there are many lanes. */
const TILES = { few: 12, many: 6 };
const FEW_LANES = 3;
const MOST_BARS = 3;

/** @typedef {{ element: Element, render: (shown: Snapshot) => void }} Hero */

/** How large the weights of a lane are. @param {Lane} lane */
function sizeOf({ scene, kept, newest, film }) {
  return spread(scene?.tiles, kept.get(0), newest ?? kept.get(film.at(-1) ?? 0), true);
}

let scale = { key: "", full: 1 };
/**
 * The weight at which colours are full, in all lanes and at every moment. It is that of the lane in the middle: one whose
 * weights explode must not make the others pale.
 */
function commonScale() {
  const key = race.lanes.map(({ newest, film, kept }) => `${newest?.step} ${kept.has(0)} ${kept.has(film.at(-1) ?? 0) && film.at(-1)}`).join();
  if (key !== scale.key) {
    const sizes = race.lanes.map(sizeOf).sort((a, b) => a - b);
    scale = { key, full: FULL * sizes[Math.floor(sizes.length / 2)] || 1 };
  }
  return scale.full;
}

/** @param {Lane} lane @returns {Hero} */
function heroOfTiles(lane) {
  const count = race.lanes.length > FEW_LANES ? TILES.many : TILES.few;
  const pictures = Array.from({ length: count }, () => el("canvas", { class: "lane-tile", width: 1, height: 1 }));
  const element = el("div", { class: "lane-tiles", role: "img", "aria-label": t("page.hero_tiles") }, ...pictures);

  /** @param {Snapshot} shown */
  function render(shown) {
    const [shape, full] = [lane.scene?.tiles, commonScale()];
    if (!shape) return;
    const all = tilesOf(shape, shown, true);
    pictures.forEach((picture, i) => drawSigned(picture, shape, all[i] ?? [], full));
  }

  return { element, render };
}

/** @param {Lane} lane @param {Grid} grid @returns {Hero} */
function heroOfPlane(lane, grid) {
  const element = planeOf(grid, t(grid.low.length === 1 ? "page.hero_curve" : "page.hero_map"), "lane-plane");
  return { element, render: (shown) => shown.grid && drawPlane(element, lane.run.data, grid, shown) };
}

/** @param {Lane} lane @returns {Hero} */
function heroOfNetwork(lane) {
  const { element, render } = flow(lane.run);
  return { element, render: (shown) => render(shown, filmed(lane.scene?.pictures, shown, race.picture)) };
}

/** @param {Lane} lane */
function heroOf(lane) {
  if (lane.scene?.grid) return heroOfPlane(lane, lane.scene.grid);
  return lane.scene?.tiles ? heroOfTiles(lane) : heroOfNetwork(lane);
}

/** The picture, and what the network says of it. @param {Lane} lane */
function sample(lane) {
  const drawing = canvas("", "sample");
  const name = el("p", { class: "name" });
  const bars = el("ol", { class: "says" });
  const element = el("div", { class: "lane-sample" }, drawing, el("div", {}, name, bars));
  let drawn = -1;
  // Their room is kept until there is something to say.
  renderBars(bars, lane.run.data, lane.run.data.classes.map(() => 0), null, MOST_BARS);
  bars.style.visibility = "hidden";

  /** @param {Snapshot} shown */
  function render(shown) {
    const of = lane.scene?.pictures?.[race.picture];
    const said = shown.pictures[race.picture];
    element.hidden = !of;
    if (!of || !said) return;
    if (drawn !== race.picture) {
      drawing.hidden = !of.pixels;
      if (of.pixels) drawPicture(drawing, /** @type {Shape} */ (of), bytes(of.pixels));
      drawing.setAttribute("aria-label", of.name);
      write(name, of.name);
      drawn = race.picture;
    }
    renderBars(bars, lane.run.data, said, of.truth, MOST_BARS);
    bars.style.visibility = "";
  }

  return { element, render };
}

/** What the lane does at the moment. @param {Lane} lane @returns {[words: string, phase: string]} */
function stateOf(lane) {
  if (store.hasDiverged(lane)) return [t("page.stopped_diverged"), "diverging"];
  const epoch = store.lineAt(lane, race.moment)?.epoch ?? 0;
  const phase = lane.phases.findLast(({ start }) => race.moment === null || start <= epoch);
  if (race.moment === null && store.hasEnded(lane)) return [t(endings[lane.now.stopped ?? ""] ?? "race.failed"), phase?.name ?? "none"];
  if (race.moment === null && lane.now.mode === "resting") return [t("page.mode_resting"), phase?.name ?? "none"];
  return [phase ? phaseName(phase) : t(epoch > 0 ? "page.mode_training" : "page.mode_starting"), phase?.name ?? "none"];
}

/** Its figures at the moment. @param {Lane} lane @returns {[name: string, value: string][]} */
function figuresOf(lane) {
  const line = store.lineAt(lane, race.moment);
  const share = text.isNumber(line?.val_accuracy) ? t("page.of", { n: text.hundred(line.val_accuracy), all: 100 }) : "–";
  const loss = text.number(line?.val_loss, 3);
  const good = lane.run.data.target === "number" ? [["RMSE", text.number(line?.val_rmse, 3)], ["R²", text.decimals(line?.val_r2, 3)]] : [[t("race.right"), share]];
  return /** @type {[string, string][]} */ ([...good, [t("race.loss"), loss], [t("page.epoch"), text.epoch(line?.epoch)]]);
}

/** @param {Lane} lane */
export function laneCard(lane) {
  const sign = svg("svg", { class: "lane-sign", width: 34, height: 10, "aria-hidden": "true" }, svg("line", { class: `line lane${lane.number}`, x1: 1, x2: 33, y1: 5, y2: 5 }));
  const doing = el("p", { class: "phase-chip" });
  const hero = heroOf(lane);
  // A plane shows what the network says of everything.
  const shownSample = lane.scene?.grid ? null : sample(lane);
  const figures = el("dl", { class: "lane-figures" });
  const run = el("code", { class: "lane-run" });
  const name = laneName(lane);
  const element = el("section", { class: "lane", "aria-label": name },
    el("div", { class: "lane-head" }, sign, el("h2", { text: name, title: lane.settings.map(([key, value]) => `${key} = ${value}`).join(", ") }), doing),
    el("div", { class: "lane-hero" }, hero.element), shownSample?.element, figures, run);

  /** @param {Set<Change>} changes */
  function render(changes) {
    const [words, phase] = stateOf(lane);
    write(doing, words);
    doing.dataset.phase = phase;
    element.classList.toggle("diverged", store.hasDiverged(lane));
    const rows = figuresOf(lane);
    if (figures.children.length === 0) figures.append(...rows.map(() => el("div", {}, el("dt"), el("dd"))));
    rows.forEach(([of, value], i) => [of, value].forEach((words, k) => write(figures.children[i].children[k], words)));
    write(run, store.allEnded() ? `klubok dashboard ${lane.run.quoted_path}` : lane.run.path);
    const shown = store.snapshotOf(lane);
    if (!shown || ![...changes].some((change) => ["film", "moment", "picture", "theme", "all"].includes(change))) return;
    hero.render(shown);
    shownSample?.render(shown);
  }

  return { element, render };
}
