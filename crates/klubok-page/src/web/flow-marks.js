// @ts-check
// How a network is drawn: units as circles, the fuller the larger their value, and what the weights between them carry as
// curves, solid above zero and dashed below.
import { svg } from "./draw.js";

export const RADIUS = 8;

/** @typedef {[x: number, y: number]} Place */

/** How full a unit is. @param {number} share of the largest value, from -1 to 1 */
export const unitOpacity = (share) => 0.05 + 0.95 * Math.min(1, Math.abs(share));

/** How strong an edge is. @param {number} share of what carries most, from -1 to 1 */
export const edgeOpacity = (share) => 0.1 + 0.6 * Math.abs(share);

/**
 * The curve of an edge from one place to another; it leaves and arrives along the way that the layers go.
 * @param {Place} from
 * @param {Place} to
 * @param {boolean} [across] layers from left to right, not from top to bottom
 */
export function edgePath([x0, y0], [x1, y1], across = false) {
  const [x, y] = [((x0 + x1) / 2).toFixed(1), ((y0 + y1) / 2).toFixed(1)];
  const [start, end] = [`${x0.toFixed(1)} ${y0.toFixed(1)}`, `${x1.toFixed(1)} ${y1.toFixed(1)}`];
  const bend = across ? `${x} ${y0.toFixed(1)} ${x} ${y1.toFixed(1)}` : `${x0.toFixed(1)} ${y} ${x1.toFixed(1)} ${y}`;
  return `M${start}C${bend} ${end}`;
}

/** @param {Place} at @param {number} share @param {string} [kind] */
export const unitMark = ([x, y], share, kind = "") => svg("circle", {
  cx: x.toFixed(1), cy: y.toFixed(1), r: RADIUS, class: `flow-unit ${share < 0 ? "less " : ""}${kind}`.trim(), "fill-opacity": unitOpacity(share).toFixed(3),
});

/** What a weight carries. @param {Place} from @param {Place} to @param {number} share @param {{ across?: boolean, kind?: string }} [more] */
export const edgeMark = (from, to, share, { across = false, kind = "" } = {}) => svg("path", {
  d: edgePath(from, to, across), class: `flow-edge ${share < 0 ? "less " : ""}${kind}`.trim(), "stroke-opacity": edgeOpacity(share).toFixed(2),
});
