// @ts-check
// Line charts: plots, one below the other, over one x axis. It knows nothing of klubok: it is told numbers and words.
//
// `chart(options)` makes an element; `update(data)` draws into it what `data` says, changing only what differs, so that
// nothing flickers. Colours come from the style sheet by the names of kinds. The size is that of the element's box.
import { el, svg, write } from "./draw.js";
/** @import { Measured } from "./types.js" */

/**
 * @typedef {object} Line
 * @property {string} name
 * @property {string} kind the class of its colour
 * @property {boolean} [dashed]
 * @property {Measured[]} values one for each x; a gap is bridged
 * @property {(i: number) => string} [words] the value in words; else the plot's `format`
 * @property {string} [end] what stands at its end
 */
/**
 * @typedef {object} Plot
 * @property {string} [title]
 * @property {[number, number]} [range] of the y axis; else that of the values
 * @property {(y: number) => string} format
 * @property {Line[]} lines
 * @property {{ kind: string, low: Measured[], high: Measured[] }} [band] an interval around a line
 * @property {{ y: number, words: string }} [level] a dotted level to compare with
 * @property {{ x: number, y: number, words: string, kind: string }} [star]
 */
/**
 * @typedef {object} Axis
 * @property {number[]} values x of each measurement, in order
 * @property {boolean} [log] logarithmic, where `zero` is drawn for 0
 * @property {number} [zero]
 * @property {number} [end] the end of the axis, at least
 * @property {string} [title]
 * @property {(x: number) => string} format
 * @property {(i: number) => string} [words] where an x is, in words; else `format`
 */
/**
 * Behind the plots, from one x to another, as soft at the edges as `fade` says, from 0 to 0.5 of its width.
 * @typedef {{ from: number, to: number, fade: number, kind: string, words?: string }} Phase
 */
/** @typedef {{ x: number, words: string, kind: string }} Flag */
/** @typedef {{ axis: Axis, plots: Plot[], phases?: Phase[], flags?: Flag[], cursor?: number | null }} Data */
/** @typedef {{ x: number, y: number, width: number, height: number }} Box */
/** @typedef {(value: number) => number} Scale */
/** @typedef {{ box: Box, plot: Plot, y: Scale, ticks: number[] }} Placed a plot with its place */
/** @typedef {{ width: number, height: number, x: Scale, left: number, right: number, plots: Placed[], names: PhaseName[] }} Frame */
/** @typedef {{ phase: Phase, x: number, row: number }} PhaseName */
/** @typedef {[number, number]} Point */
/** @typedef {[tag: string, attributes: { [name: string]: string | number | undefined }, ...children: Shape[]]} Shape */

const ROW = 16; // height of a row of text
const RIGHT = 14;
// A narrower chart has its titles above the plots, not beside them.
const WIDE = 480;
const DIGITS = 1;

let charts = 0;

/**
 * @param {object} [options]
 * @param {boolean} [options.axes] false for a line within a text, without any words
 * @param {(i: number) => void} [options.onPick] told the number of the x nearest to a click
 */
export function chart({ axes = true, onPick } = {}) {
  const name = `chart${(charts += 1)}`;
  const layer = (kind = "") => svg("g", { class: kind });
  const [defs, phases, grid, plots, marks, near] = [svg("defs"), layer("phases"), layer("grid"), layer("lines"), layer("marks"), layer("near")];
  const box = el("div", { class: "near-box", hidden: true });
  const element = el("div", { class: axes ? "chart" : "chart bare" }, svg("svg", { "aria-hidden": "true" }, defs, phases, grid, plots, marks, near), box);
  /** @type {Data | null} */
  let data = null;
  /** @type {Frame | null} */
  let frame = null;
  // Where the pointer is.
  /** @type {Point | null} */
  let pointer = null;

  function draw() {
    const [width, height] = [element.clientWidth, element.clientHeight];
    if (!data || width < 10 || height < 10) return;
    const placed = axes ? frameOf(data, width, height) : bareFrameOf(data, width, height);
    frame = placed;
    fill(defs, [...gradients(name, data), ...clips(name, placed)]);
    fill(phases, phaseShapes(name, data, placed));
    fill(grid, axes ? gridShapes(data, placed) : []);
    fill(plots, lineShapes(name, data, placed));
    fill(marks, markShapes(data, placed, axes));
    drawNear();
  }

  // What the pointer is near to.
  function drawNear() {
    const i = data && frame && pointer ? nearest(data.axis.values, frame.x, pointer[0]) : -1;
    box.hidden = i < 0 || !axes;
    if (!data || !frame || !pointer || box.hidden) return fill(near, []);
    fill(near, nearShapes(data, frame, i));
    box.replaceChildren(...nearWords(data, i));
    const x = frame.x(data.axis.values[i]);
    const beside = x + 14 + box.offsetWidth > frame.width ? Math.max(0, x - 14 - box.offsetWidth) : x + 14;
    const below = Math.max(0, Math.min(pointer[1] + 12, frame.height - box.offsetHeight));
    box.style.transform = `translate(${Math.round(beside)}px, ${Math.round(below)}px)`;
    return undefined;
  }

  /** @param {PointerEvent | MouseEvent} event @returns {Point} */
  const at = (event) => {
    const { left, top } = element.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  element.addEventListener("pointermove", (event) => {
    pointer = at(event);
    drawNear();
  });
  element.addEventListener("pointerleave", () => {
    pointer = null;
    drawNear();
  });
  element.addEventListener("click", (event) => {
    const i = data && frame ? nearest(data.axis.values, frame.x, at(event)[0]) : -1;
    if (i >= 0 && onPick) onPick(i);
  });
  new ResizeObserver(draw).observe(element);
  return {
    element,
    /** @param {Data} next */
    update(next) {
      data = next;
      draw();
    },
  };
}

/**
 * Makes the children of an element what is listed, and keeps those that are there.
 * @param {Element} parent
 * @param {Shape[]} shapes
 */
function fill(parent, shapes) {
  shapes.forEach(([tag, { text, ...attributes }, ...children], i) => {
    let child = parent.children[i];
    if (child?.localName !== tag) {
      const made = svg(tag);
      if (child) child.replaceWith(made);
      else parent.append(made);
      child = made;
    }
    for (const { name } of [...child.attributes]) if (attributes[name] === undefined) child.removeAttribute(name);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== undefined && child.getAttribute(name) !== String(value)) child.setAttribute(name, String(value));
    }
    if (text === undefined) fill(child, children);
    else write(child, String(text));
  });
  while (parent.children.length > shapes.length) parent.lastElementChild?.remove();
}

/** @type {CanvasRenderingContext2D | null} */
let ruler = null;

/** The width of words on an axis. @param {string} words */
function widthOf(words) {
  ruler ??= document.createElement("canvas").getContext("2d");
  if (!ruler) return words.length * 7;
  ruler.font = "12px system-ui, sans-serif";
  return ruler.measureText(words).width;
}

/**
 * Round numbers within a range: steps of 1, 2 or 5 with zeros.
 * @param {number} low
 * @param {number} high
 * @param {number} most how many, about
 */
export function ticksOf(low, high, most) {
  const rough = (high - low) / Math.max(1, most);
  if (!(rough > 0) || !Number.isFinite(rough)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((factor) => factor * power >= rough * 0.8) ?? 10) * power;
  const first = Math.ceil(low / step - 1e-9);
  const n = Math.floor(high / step + 1e-9) - first + 1;
  // Without the rounding of binary fractions: 0.3, not 0.30000000000000004.
  return Array.from({ length: n }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Powers of ten, and twice and five times them where there are few. @param {number} low @param {number} high */
function logTicksOf(low, high) {
  const powers = [];
  for (let power = Math.ceil(Math.log10(low) - 1e-9); 10 ** power <= high; power++) powers.push(10 ** power);
  if (powers.length > 2) return powers;
  return powers.flatMap((power) => [power / 5, power / 2, power, power * 2, power * 5])
    .filter((x, i, all) => x >= low && x <= high && all.indexOf(x) === i).sort((a, b) => a - b);
}

/**
 * Keeps of the points in each column of pixels the first, the lowest, the highest and the last: the same picture.
 * @param {Point[]} points by x
 */
function thinned(points) {
  /** @type {Point[]} */
  const kept = [];
  for (let from = 0, to = 0; from < points.length; from = to) {
    const column = Math.floor(points[from][0]);
    let [low, high] = [from, from];
    for (to = from; to < points.length && Math.floor(points[to][0]) === column; to++) {
      if (points[to][1] < points[low][1]) low = to;
      if (points[to][1] > points[high][1]) high = to;
    }
    for (const i of [...new Set([from, low, high, to - 1])].sort((a, b) => a - b)) kept.push(points[i]);
  }
  return kept;
}

/** @param {number} pixels */
const px = (pixels) => Math.round(pixels * 10 ** DIGITS) / 10 ** DIGITS;

/** @param {Point[]} points */
const route = (points) => points.map(([x, y]) => `${px(x)} ${px(y)}`).join("L");

/**
 * The points of a line, where there is a value.
 * @param {Data} data
 * @param {Measured[]} values
 * @param {Scale} x
 * @param {Scale} y
 */
function pointsOf({ axis }, values, x, y) {
  /** @type {Point[]} */
  const points = [];
  values.forEach((value, i) => {
    if (value !== null && value !== undefined && Number.isFinite(value)) points.push([x(axis.values[i]), y(value)]);
  });
  return thinned(points);
}

/** The range of a plot's own values, with some room. @param {Plot} plot @returns {[number, number]} */
function rangeOf({ range, lines, level }) {
  if (range) return range;
  let [low, high] = level ? [level.y, level.y] : [Infinity, -Infinity];
  for (const { values } of lines) {
    for (const value of values) {
      if (value === null || value === undefined || !Number.isFinite(value)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) return [0, 1];
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - room, high + room];
}

/**
 * @param {[number, number]} range
 * @param {number} from
 * @param {number} to
 * @returns {Scale}
 */
const linear = ([low, high], from, to) => (value) =>
  // Far outside is far enough: a drawing has no room for 1e30.
  Math.max(-1e5, Math.min(1e5, from + ((value - low) / (high - low || 1)) * (to - from)));

/** The range of the x axis. @param {Axis} axis @returns {[number, number]} */
function spanOf({ values, log, zero = 0.5, end = -Infinity }) {
  const [first, last] = [values[0] ?? 0, Math.max(end, values.at(-1) ?? 1)];
  if (log) return [zero * 0.8, Math.max(last, zero * 2) * 1.15];
  const room = (last - Math.min(first, 0) || 1) * 0.015;
  return [Math.min(first, 0) - room, last + room];
}

/**
 * @param {Axis} axis
 * @param {number} left
 * @param {number} right
 * @returns {Scale}
 */
function xScale(axis, left, right) {
  const [low, high] = spanOf(axis);
  const { log, zero = 0.5 } = axis;
  if (!log) return linear([low, high], left, right);
  const place = linear([Math.log10(low), Math.log10(high)], left, right);
  return (x) => place(Math.log10(Math.max(x, zero)));
}

/**
 * @param {Data} data
 * @param {number} width
 * @param {number} height
 * @returns {Frame}
 */
function bareFrameOf(data, width, height) {
  const x = xScale({ ...data.axis }, 2, width - 2);
  const box = { x: 0, y: 0, width, height };
  const plots = data.plots.slice(0, 1).map((plot) => ({ box, plot, y: linear(rangeOf(plot), height - 2, 2), ticks: [] }));
  return { width, height, x, left: 2, right: width - 2, plots, names: [] };
}

/**
 * Where everything is: words around, and the plots share what is left.
 * @param {Data} data
 * @param {number} width
 * @param {number} height
 * @returns {Frame}
 */
function frameOf(data, width, height) {
  const { axis, plots } = data;
  const wide = width >= WIDE;
  const bottom = height - ROW - 6 - (axis.title && height > 200 ? ROW + 2 : 0);
  // Above each plot its title, where that is not beside it.
  const title = !wide && plots.some((plot) => plot.title) ? ROW + 2 : 0;
  const gap = Math.max(14, title + 8);
  const ranges = plots.map(rangeOf);
  const rough = (bottom - gap * (plots.length - 1)) / plots.length;
  const ticks = ranges.map(([low, high]) => ticksOf(low, high, Math.max(2, rough / 46)));
  const widest = Math.max(...plots.flatMap((plot, i) => ticks[i].map((y) => widthOf(plot.format(y)))));
  // In steps, so that a label that gets longer moves nothing.
  const left = Math.ceil((widest + 10) / 8) * 8 + (wide && plots.some((plot) => plot.title) ? ROW + 4 : 0);
  const ends = plots.flatMap(({ lines }) => lines.map(({ end }) => (end ? widthOf(end) + 8 : 0)));
  const right = width - RIGHT - Math.max(0, ...ends);
  const x = xScale(axis, left, right);
  const names = phaseNames(data.phases ?? [], x, left, right);
  const rows = Math.max(0, ...names.map(({ row }) => row + 1));
  const top = 8 + rows * ROW + title;
  const each = Math.max(10, (bottom - top - gap * (plots.length - 1)) / plots.length);
  const placed = plots.map((plot, i) => {
    const box = { x: left, y: top + i * (each + gap), width: right - left, height: each };
    return { box, plot, y: linear(ranges[i], box.y + each, box.y), ticks: ticks[i] };
  });
  return { width, height, x, left, right, plots: placed, names };
}

/**
 * Names of phases above the plots, in as many rows as they need to stay apart; one that would leave the chart ends at its side.
 * @param {Phase[]} phases
 * @param {Scale} x
 * @param {number} left
 * @param {number} right
 * @returns {PhaseName[]}
 */
function phaseNames(phases, x, left, right) {
  /** @type {number[]} */
  const ends = [];
  return phases.filter(({ words }) => words).map((phase) => {
    const size = widthOf(phase.words ?? "") + 24;
    const start = Math.max(left, Math.min(x(phase.from), right - size));
    let row = ends.findIndex((end) => end <= start);
    if (row < 0) row = ends.length;
    ends[row] = start + size;
    return { phase, x: start, row };
  });
}

/** @param {string} name @param {Data} data @returns {Shape[]} */
const gradients = (name, { phases = [] }) => phases.map(({ fade, kind }, i) => {
  const stop = (/** @type {number} */ offset, /** @type {number} */ opacity) => /** @type {Shape} */ (["stop", { offset: px(offset * 100) + "%", "stop-opacity": opacity }]);
  return ["linearGradient", { id: `${name}-phase${i}`, "data-phase": kind }, stop(0, 0), stop(fade, 1), stop(1 - fade, 1), stop(1, 0)];
});

/** @param {string} name @param {Frame} frame @returns {Shape[]} */
const clips = (name, { plots }) => plots.map(({ box: { x, y, width, height } }, i) =>
  // As wide as a line is thick, so that one at the edge is whole.
  ["clipPath", { id: `${name}-clip${i}` }, ["rect", { x: x - 2, y: y - 2, width: width + 4, height: height + 4 }]]);

/** @param {string} name @param {Data} data @param {Frame} frame @returns {Shape[]} */
function phaseShapes(name, { phases = [] }, { plots, x, left, right }) {
  return plots.flatMap(({ box: { y, height } }) => phases.map(({ from, to }, i) => {
    const [start, end] = [Math.max(left, x(from)), Math.min(right, x(to))];
    return /** @type {Shape} */ (["rect", { x: px(start), y, width: px(Math.max(0, end - start)), height, fill: `url(#${name}-phase${i})` }]);
  }));
}

/** Lines and numbers of the axes. @param {Data} data @param {Frame} frame @returns {Shape[]} */
function gridShapes({ axis }, { plots, x, left, right, height, width }) {
  const [low, high] = spanOf(axis);
  const foot = plots.at(-1)?.box ?? { y: 0, height: 0 };
  const bottom = foot.y + foot.height;
  const { zero = 0.5 } = axis;
  const candidates = axis.log ? [zero, ...logTicksOf(Math.max(zero * 1.5, low), high)] : ticksOf(low, high, Math.max(2, (right - left) / 70));
  let end = -Infinity;
  const across = candidates.map((value) => ({ at: px(x(value)), words: axis.log && value === zero ? "0" : axis.format(value) }))
    .filter(({ at, words }) => {
      const half = widthOf(words) / 2;
      if (at - half < end + 8 || at + half > width) return false;
      end = at + half;
      return true;
    });
  return [
    ...plots.flatMap(({ box, plot, y, ticks }) => [
      ...ticks.flatMap((value) => shapes(
        ["line", { class: "rule", x1: left, x2: right, y1: px(y(value)), y2: px(y(value)) }],
        ["text", { x: left - 7, y: px(y(value) + 4), "text-anchor": "end", text: plot.format(value) }])),
      ...across.map(({ at }) => /** @type {Shape} */ (["line", { class: "rule", x1: at, x2: at, y1: box.y, y2: box.y + box.height }])),
      ...titleOf(plot, box, width),
    ]),
    ["line", { class: "edge", x1: left, x2: right, y1: bottom, y2: bottom }],
    ...across.map(({ at, words }) => /** @type {Shape} */ (["text", { x: at, y: bottom + ROW + 1, "text-anchor": "middle", text: words }])),
    ...(axis.title && height > 200 ? shapes(["text", { class: "title", x: (left + right) / 2, y: height - 5, "text-anchor": "middle", text: axis.title }]) : []),
  ];
}

/** @param {...Shape} all */
const shapes = (...all) => all;

/** @param {Plot} plot @param {Box} box @param {number} width */
function titleOf({ title }, box, width) {
  if (!title) return [];
  if (width < WIDE) return shapes(["text", { class: "title", x: 2, y: box.y - 8, text: title }]);
  const middle = px(box.y + box.height / 2);
  return shapes(["text", { class: "title", x: 13, y: middle, "text-anchor": "middle", transform: `rotate(-90 13 ${middle})`, text: title }]);
}

/** @param {string} name @param {Data} data @param {Frame} frame @returns {Shape[]} */
function lineShapes(name, data, { plots, x }) {
  return plots.map(({ plot: { band, lines }, y }, i) => {
    const area = band ? shapes(["path", { class: `band ${band.kind}`, d: areaOf(pointsOf(data, band.low, x, y), pointsOf(data, band.high, x, y)) }]) : [];
    return ["g", { "clip-path": `url(#${name}-clip${i})` }, ...area, ...lines.map((line) => pathOf(line, pointsOf(data, line.values, x, y)))];
  });
}

/** A line of a single point is a dot: the round ends of nothing. @param {Line} line @param {Point[]} points @returns {Shape} */
function pathOf({ kind, dashed }, points) {
  if (points.length < 2) return ["path", { class: `line ${kind} dot`, d: points.length === 0 ? "" : `M${route(points)}h.01` }];
  return ["path", { class: `line ${kind}${dashed ? " dashed" : ""}`, d: `M${route(points)}` }];
}

/** @param {Point[]} low @param {Point[]} high */
const areaOf = (low, high) => (low.length < 2 ? "" : `M${route(low)}L${route(high.reverse())}Z`);

// A star of five points around 0.
const STAR = "M0-8L2.1-2.8L7.6-2.5L3.4 1.1L4.7 6.5L0 3.5L-4.7 6.5L-3.4 1.1L-7.6-2.5L-2.1-2.8Z";

/** What stands at the ends of lines, kept apart. @param {Axis} axis @param {Placed} placed @param {Scale} x */
function endShapes({ values: at }, { plot, box, y }, x) {
  const ends = plot.lines.flatMap(({ end, kind, values }) => {
    const last = values.findLastIndex((value) => typeof value === "number" && Number.isFinite(value));
    return end && last >= 0 ? [{ end, kind, x: x(at[last]) + 8, y: Math.max(box.y, Math.min(box.y + box.height, y(values[last] ?? 0))) + 4 }] : [];
  });
  ends.sort((a, b) => a.y - b.y);
  ends.reduce((least, end) => (end.y = Math.max(end.y, least)) + ROW, -Infinity);
  ends.reduceRight((most, end) => (end.y = Math.min(end.y, most)) - ROW, box.y + box.height + 4);
  return shapes(...ends.map(({ end, kind, x, y }) => /** @type {Shape} */ (["text", { class: `end halo ${kind}`, x: px(x), y: px(y), text: end }])));
}

/** @param {Data} data @param {Frame} frame @param {boolean} axes @returns {Shape[]} */
function markShapes({ axis, flags = [], cursor }, { plots, x, left, right, names, width }, axes) {
  const first = plots[0].box;
  const upright = cursor === null || cursor === undefined ? [] : plots.map(({ box: { y, height } }) =>
    /** @type {Shape} */ (["line", { class: "cursor", x1: px(x(cursor)), x2: px(x(cursor)), y1: y, y2: y + height }]));
  if (!axes) return upright;
  // Between the names of phases and the first plot, its title.
  const above = plots[0].plot.title && width < WIDE ? ROW + 2 : 0;
  return [
    ...plots.flatMap(({ plot: { level, lines }, y, box }) => {
      if (!level) return [];
      const at = px(y(level.y));
      // Below its line, and at the right, where the curves have left it, before the cursor; above it where lines have names.
      const isAbove = lines.some((line) => line.end) && at - ROW > box.y;
      const below = at + ROW < box.y + box.height && !isAbove;
      const end = upright.length > 0 && x(cursor ?? 0) > right - widthOf(level.words) - 8 ? x(cursor ?? 0) : right;
      return shapes(["line", { class: "level", x1: left, x2: right, y1: at, y2: at }],
        ["text", { class: "halo", x: px(end - 7), y: below ? at + 14 : at - 5, "text-anchor": "end", text: level.words }]);
    }),
    ...names.flatMap(({ phase, x: at, row }) => {
      const y = first.y - 7 - row * ROW - above;
      return shapes(["rect", { class: "swatch", "data-phase": phase.kind, x: px(at), y: y - 8, width: 9, height: 9, rx: 2 }],
        ["text", { class: "phase", x: px(at) + 14, y, text: phase.words }]);
    }),
    ...upright,
    ...plots.flatMap((placed) => endShapes(axis, placed, x)),
    ...plots.flatMap(({ plot: { star }, y }) => (star ? starShapes(star, x(star.x), y(star.y), right) : [])),
    ...flags.map(({ x: at, words, kind }, i) => {
      const place = x(at);
      const flip = place + 26 > right;
      return /** @type {Shape} */ (["text", {
        class: `flag halo ${kind}`, x: px(flip ? place - 2 : place + 2), y: first.y + 14 + (i % 3) * ROW, "text-anchor": flip ? "end" : "start", text: words,
      }]);
    }),
  ];
}

/** @param {{ words: string, kind: string }} star @param {number} x @param {number} y @param {number} right */
function starShapes({ words, kind }, x, y, right) {
  const flip = x + 16 + widthOf(words) > right;
  return shapes(["path", { class: `star ${kind}`, d: STAR, transform: `translate(${px(x)} ${px(y)})` }],
    ["text", { class: "halo star-words", x: px(flip ? x - 11 : x + 11), y: px(y - 7), "text-anchor": flip ? "end" : "start", text: words }]);
}

/**
 * The number of the x nearest to a place; -1 without any.
 * @param {number[]} values
 * @param {Scale} scale
 * @param {number} place
 */
function nearest(values, scale, place) {
  let [best, least] = [-1, Infinity];
  values.forEach((value, i) => {
    const apart = Math.abs(scale(value) - place);
    if (apart < least) [best, least] = [i, apart];
  });
  return best;
}

/** @param {Data} data @param {Frame} frame @param {number} i @returns {Shape[]} */
function nearShapes({ axis }, { x, plots }, i) {
  const at = px(x(axis.values[i]));
  return plots.flatMap(({ box, plot, y }) => [
    /** @type {Shape} */ (["line", { x1: at, x2: at, y1: box.y, y2: box.y + box.height }]),
    ...plot.lines.flatMap(({ values, kind }) => {
      const value = values[i];
      return value === null || value === undefined ? [] : shapes(["circle", { class: kind, cx: at, cy: px(y(value)), r: 4 }]);
    }),
  ]);
}

/** The values at an x in words. @param {Data} data @param {number} i */
function nearWords({ axis, plots }, i) {
  const rows = plots.flatMap((plot) => {
    const measured = plot.lines.filter(({ values }) => values[i] !== null && values[i] !== undefined);
    const of = measured.map(({ name, kind, values, words }) => el("div", {},
      el("dt", { class: kind, text: name }), el("dd", { text: words ? words(i) : plot.format(values[i] ?? 0) })));
    return of.length > 0 && plot.title ? [el("div", { class: "of", text: plot.title }), ...of] : of;
  });
  return [el("p", { text: axis.words ? axis.words(i) : axis.format(axis.values[i]) }), el("dl", {}, ...rows)];
}
