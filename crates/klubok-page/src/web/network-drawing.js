// @ts-check
// A network from left to right: a column for each layer, its units as circles that lead to the neuron, and the edges between them.
// On a narrow screen it scrolls in its box.
import { canvas, el, refill, svg } from "./draw.js";
import { RADIUS, edgeMark, unitMark } from "./flow-marks.js";
import { rove, stopAt } from "./rove.js";
import * as store from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Column, Node } from "./network-columns.js" */
/** @import { Edge, Shape } from "./types.js" */
/** @import { Place } from "./flow-marks.js" */

/** Pixels from one unit of a column to the next: as much as a finger needs. */
const ROW = 42;
const LEAST_ROWS = 6;
const LEAST_WIDTH = 138;
/** Where the units of the input and of the output stand in their columns: there is room for their names. */
const INPUT_AT = 116;
const INSET = 26;
const MOST_PICTURE = 190;

/**
 * A picture in the place of the input's units.
 * @typedef {{ shape: Shape, label: string, draw: (canvas: HTMLCanvasElement) => void }} InputPicture
 */
/** @typedef {{ columns: Column[], picture: InputPicture | null, back: boolean, fresh: boolean }} Drawn `fresh`: the last edges are new */
/** @typedef {{ column: Column, at: number, edges: Edge[] }} Between */

export function networkDrawing() {
  const marks = svg("svg", { class: "network-marks", "aria-hidden": "true" });
  const grid = el("div", { class: "network-grid" });
  const box = el("div", { class: "scroll network", role: "region", tabindex: 0, "aria-label": t("page.network") }, grid);
  const picture = canvas("", "sample network-picture");
  /** @type {Drawn | null} */
  let last = null;
  rove(grid);

  /** @param {Drawn} drawn */
  function render(drawn) {
    last = drawn;
    const { columns, back } = drawn;
    const width = Math.max(box.clientWidth, columns.length * LEAST_WIDTH);
    const height = ROW * Math.max(LEAST_ROWS, ...columns.map(({ nodes }) => nodes.length));
    const layout = layoutOf(drawn, width, height);
    grid.style.width = `${width}px`;
    grid.style.gridTemplateColumns = `repeat(${columns.length}, minmax(0, 1fr))`;
    marks.setAttribute("viewBox", `0 0 ${width} ${height}`);
    marks.setAttribute("height", String(height));
    marks.classList.toggle("back", back);
    marks.replaceChildren(...columns.flatMap((column, i) => edgesOf(drawn, i, layout)), ...columns.flatMap((column, i) => unitsOf(column, i, layout)));
    if (drawn.picture) place(picture, drawn.picture, layout.picture);
    refill(grid, [...columns.map((column, i) => columnOf(drawn, column, i, layout, height)), ...(drawn.picture ? [picture] : []), marks]);
    stopAt(grid);
  }

  /** Brings a column into sight. @param {number} i */
  function show(i) {
    const left = (grid.clientWidth / (last?.columns.length ?? 1)) * (i + 0.5) - box.clientWidth / 2;
    box.scrollTo({ left, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  }

  let wide = 0;
  new ResizeObserver(() => {
    if (last && box.clientWidth !== wide) render({ ...last, fresh: false });
    wide = box.clientWidth;
  }).observe(box);
  return { box, render, show };
}

/**
 * Where everything is.
 * @typedef {object} Layout
 * @property {number} width of a column
 * @property {(column: number, unit: number) => Place | null} at
 * @property {{ left: number, top: number, width: number, height: number }} picture
 */

/** @param {Drawn} drawn @param {number} full @param {number} height @returns {Layout} */
function layoutOf({ columns, picture }, full, height) {
  const width = full / columns.length;
  const last = columns.length - 1;
  const shape = picture?.shape ?? { width: 1, height: 1, channels: 1 };
  const side = Math.min(MOST_PICTURE, width - INSET) / Math.max(shape.width, shape.height);
  const size = { width: side * shape.width, height: side * shape.height };
  const frame = { left: 0, top: (height - size.height) / 2, ...size };
  const rows = columns.map(({ nodes }) => new Map(nodes.map(({ unit }, row) => [unit, row])));
  const across = (/** @type {number} */ i) => (i === 0 ? INPUT_AT : i === last ? i * width + INSET : (i + 0.5) * width);
  /** @param {number} i @param {number} unit @returns {Place | null} */
  function at(i, unit) {
    if (i === 0 && picture) {
      const pixel = Math.floor(unit / shape.channels);
      return [frame.left + ((pixel % shape.width) + 0.5) * side, frame.top + (Math.floor(pixel / shape.width) + 0.5) * side];
    }
    const row = rows[i].get(unit);
    return row === undefined ? null : [across(i), height / 2 + (row - (columns[i].nodes.length - 1) / 2) * ROW - 6];
  }
  return { width, at, picture: frame };
}

/** @param {HTMLCanvasElement} picture @param {InputPicture} input @param {Layout["picture"]} frame */
function place(picture, { label, draw }, frame) {
  draw(picture);
  picture.setAttribute("aria-label", label);
  for (const [side, pixels] of Object.entries(frame)) picture.style.setProperty(side, `${pixels}px`);
}

/** The edges of a column: forward those that come to it, back those that the column behind sends it. @param {Drawn} drawn @param {number} i @param {Layout} layout */
function edgesOf({ columns, picture, back, fresh }, i, { at, picture: frame }) {
  const [from, to] = back ? [i, i + 1] : [i - 1, i];
  const { edges, reached } = columns[i];
  if (!reached) return [];
  const most = Math.max(...edges.map(([, , carried]) => Math.abs(carried)), 1e-30);
  const first = back && fresh && !columns[i - 1]?.reached;
  return edges.flatMap(([input, unit, carried]) => {
    const [start, end] = [at(from, input), at(to, unit)];
    if (!start || !end) return [];
    const curve = (/** @type {Place} */ left) => edgeMark(left, [end[0] - RADIUS, end[1]], carried / most, { across: true, kind: first ? "fresh" : "" });
    if (from > 0 || !picture) return [curve([start[0] + RADIUS, start[1]])];
    // From its pixel an edge goes straight out of the picture, which stays visible.
    const [x, y] = start.map((pixels) => pixels.toFixed(1));
    return [curve([frame.width, start[1]]), svg("path", { d: `M${x} ${y}H${frame.width.toFixed(1)}`, class: "flow-row" }), svg("circle", { cx: x, cy: y, r: 2, class: "flow-pixel" })];
  });
}

/** @param {Column} column @param {number} i @param {Layout} layout */
function unitsOf({ nodes, reached }, i, { at }) {
  const most = Math.max(...nodes.map(({ value }) => Math.abs(value)), 1e-30);
  return nodes.flatMap(({ unit, value, shut }) => {
    const [x, y] = at(i, unit) ?? [0, 0];
    const mark = unitMark([x, y], reached ? value / most : 0, !reached ? "waiting" : shut ? "shut" : "");
    return shut ? [mark, svg("path", { d: `M${(x - RADIUS).toFixed(1)} ${(y + RADIUS).toFixed(1)}l${2 * RADIUS} ${-2 * RADIUS}`, class: "flow-gate" })] : [mark];
  });
}

/** The words of a column: its name, its units, its figures. @param {Drawn} drawn @param {Column} column @param {number} i @param {Layout} layout @param {number} height */
function columnOf(drawn, column, i, layout, height) {
  const { layer, title, sub, nodes, foot, slopes, reached } = column;
  const kind = i === 0 ? "at-input" : i === drawn.columns.length - 1 ? "at-output" : "";
  const units = el("div", { class: "layer-units" }, ...nodes.map((node, row) => unitOf(drawn, i, node, row, layout)));
  units.style.height = `${height}px`;
  const through = drawn.columns[0].reached;
  const steepest = slopes.length === 0 ? null : el("div", { class: through ? "slopes" : "slopes later" },
    el("h4", { text: t("page.steepest") }), el("ul", {}, ...slopes.map((slope) => el("li", { text: slope }))));
  const element = el("div", { class: `layer ${kind} ${reached ? "" : "later"}`, role: "group", "aria-label": layer === null ? title : `${title}, ${sub}` },
    el("div", { class: "layer-head" }, el("h3", { text: title }), el("p", { class: "sub", text: sub })), units,
    el("div", { class: "layer-foot" }, el("p", { class: "sub figures-line", text: reached ? foot : "" }), steepest));
  element.style.gridColumn = String(i + 1);
  return element;
}

/** A unit's value beside its circle; a neuron's is a button that leads to it. @param {Drawn} drawn @param {number} i @param {Node} node @param {number} row @param {Layout} layout */
function unitOf(drawn, i, { unit, name, shown, shut, right }, row, { width, at }) {
  const column = drawn.columns[i];
  const [x, y] = at(i, unit) ?? [0, 0];
  const label = name === undefined ? null : el("span", { class: "class", text: `${name}${right ? " ✓" : ""}` });
  const value = el("span", { class: "value", text: column.reached ? shown : "" });
  const { layer } = column;
  const element = layer === null ? el("div", { class: "unit" }, label, value) : el("button", {
    type: "button", class: "unit", "data-focus": `${layer}-${unit}`, "data-at": `${i},${row}`, title: `${layer} · ${t("page.unit").toLowerCase()} ${unit}`,
    "aria-label": unitWords(drawn, i, unit, `${name ? `${name}, ` : ""}${column.reached ? shown : "–"}`, Boolean(shut)), onclick: () => store.setNeuron(layer, unit),
  }, label, value);
  element.style.left = `${(x - i * width).toFixed(1)}px`;
  element.style.top = `${y.toFixed(1)}px`;
  return element;
}

/** What a unit and its edges say, for who does not see them. @param {Drawn} drawn @param {number} i @param {number} unit @param {string} value @param {boolean} shut */
function unitWords({ columns, back }, i, unit, value, shut) {
  const { layer, edges, reached } = columns[i];
  const other = columns[back ? i + 1 : i - 1];
  const own = reached ? edges.filter((edge) => edge[back ? 0 : 1] === unit) : [];
  const list = own.map((edge) => `${other?.title} ${edge[back ? 1 : 0]} (${text.signed(edge[2], 2)})`).join(", ");
  const said = t(shut ? "page.unit_shut" : "page.unit_says", { layer, unit, value });
  return list ? `${said} ${t("page.unit_from", { list })}` : said;
}
