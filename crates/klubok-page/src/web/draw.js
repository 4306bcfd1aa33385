// @ts-check
// Elements, pictures and bars. Names of classes and files come from people: they are only ever text, never markup.
import { t } from "./text.js";
/** @import { Measured, Shape } from "./types.js" */

/**
 * Attributes by name, `text` for the content, and `on...` for what happens. The type of an event depends on its name, which
 * an index cannot tell.
 * @typedef {{ [name: string]: string | number | boolean | null | undefined | ((event: any) => unknown) }} Properties
 */
/** @typedef {Node | string | null | undefined} Child */
/** @typedef {[red: number, green: number, blue: number]} Colour */

/**
 * @template {Element} E
 * @param {E} element
 * @param {Properties} properties
 * @param {Child[]} children
 */
function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = String(value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} [properties]
 * @param {Child[]} children
 */
export const el = (tag, properties = {}, ...children) => fill(document.createElement(tag), properties, children);

/** @param {string} tag @param {Properties} [properties] @param {Child[]} children */
export const svg = (tag, properties = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);

/** Writes only what changed: fewer repaints, and a screen reader says nothing twice. @param {Element} element @param {string} text */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Replaces the children of an element in which somebody may be with the keyboard: who was at a `data-focus` stays there.
 * @param {Element} parent
 * @param {Node[]} children
 */
export function refill(parent, children) {
  const active = document.activeElement;
  const focused = parent.contains(active) ? active?.getAttribute("data-focus") : null;
  parent.replaceChildren(...children);
  const all = /** @type {NodeListOf<HTMLElement>} */ (parent.querySelectorAll("[data-focus]"));
  if (focused) [...all].find((element) => element.dataset.focus === focused)?.focus({ preventScroll: true });
}

/** @param {string} key @param {() => void} onclick */
export const button = (key, onclick, kind = "") => el("button", { type: "button", class: kind, text: t(key), onclick });

/** What may be wider than its panel: it scrolls, also with the keyboard. @param {string} label @param {Child[]} children */
export const region = (label, ...children) =>
  el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, ...children);

/**
 * A table; a row's first cell is its head, and a cell is a text or a `td`.
 * @param {(string | HTMLElement)[]} heads
 * @param {((string | HTMLElement)[] | HTMLTableRowElement)[]} rows
 * @param {{ caption?: string, foot?: (string | HTMLElement)[], kind?: string }} [more]
 */
export function table(heads, rows, { caption, foot, kind } = {}) {
  const row = (/** @type {(string | HTMLElement)[] | HTMLTableRowElement} */ of) => {
    if (!Array.isArray(of)) return of;
    return el("tr", {}, ...of.map((cell, i) => {
      if (typeof cell !== "string") return cell;
      return i === 0 ? el("th", { scope: "row", text: cell }) : el("td", { text: cell });
    }));
  };
  return el("table", { class: kind }, caption === undefined ? null : el("caption", { text: caption }),
    el("thead", {}, el("tr", {}, ...heads.map((head) => (typeof head === "string" ? el("th", { scope: "col", text: head }) : head)))),
    el("tbody", {}, ...rows.map(row)), foot ? el("tfoot", {}, row(foot)) : null);
}

/** A list of figures, each with its name. @param {[name: string, value: string, kind?: string][]} rows */
export const pairs = (rows) => rows.map(([name, value, kind]) => el("div", { class: kind }, el("dt", { text: name }), el("dd", { text: value })));

/** @param {string} base64 */
export const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
/** @param {string} base64 */
export const signedBytes = (base64) => new Int8Array(bytes(base64).buffer);
/** @param {string} base64 */
export function floats(base64) {
  const view = new DataView(bytes(base64).buffer);
  return Float32Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(i * 4, true));
}

// A hidden element that tells the colour of a custom property in this theme.
/** @type {HTMLElement | null} */
let probe = null;
/** @type {Map<string, Colour>} */
const colours = new Map();

/** @param {string} name @returns {Colour} */
export function colour(name) {
  const known = colours.get(name);
  if (known) return known;
  if (!probe) document.body.append((probe = el("i", { hidden: true })));
  probe.style.color = `var(${name})`;
  const [r, g, b] = (getComputedStyle(probe).color.match(/[\d.]+/g) ?? []).map(Number);
  colours.set(name, [r, g, b]);
  return [r, g, b];
}
/** @param {string} name */
export const rgb = (name) => `rgb(${colour(name).join(",")})`;

/** The theme changed: colours are asked for again. */
export const forgetColours = () => colours.clear();

/** Draws with the colours of the light theme, whichever the page has. @param {() => void} draw */
export function inLight(draw) {
  colour("--ink"); // there is a probe then
  forgetColours();
  if (probe) probe.style.colorScheme = "light";
  try {
    draw();
  } finally {
    if (probe) probe.style.colorScheme = "";
    forgetColours();
  }
}

/** Between two colours. @param {Colour} from @param {Colour} to @param {number} share @returns {Colour} */
export const mix = (from, to, share) => /** @type {Colour} */ (from.map((c, k) => c + (to[k] - c) * share));

/** @param {HTMLCanvasElement} canvas */
export const contextOf = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 * @param {(i: number) => Colour} pixel
 */
function paint(canvas, width, height, pixel) {
  canvas.width = width;
  canvas.height = height;
  const context = contextOf(canvas);
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const [r, g, b] = pixel(i);
    image.data.set([r, g, b, 255], i * 4);
  }
  context.putImageData(image, 0, 0);
}

/**
 * Squares as a small picture, drawn large and smooth: there is a value between them too.
 * @param {HTMLCanvasElement} canvas
 * @param {number} side in squares
 * @param {(i: number) => Colour} square
 */
export function drawSquares(canvas, side, square) {
  const small = el("canvas");
  paint(small, side, side, square);
  const context = contextOf(canvas);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}

/**
 * Where a point of a plane is in a square drawing of it.
 * @param {{ low: [number, number], high: [number, number] }} plane
 * @param {number} size
 * @returns {(point: [number, number, ...number[]]) => [number, number]}
 */
export const placeIn = ({ low, high }, size) => ([x, y]) =>
  [((x - low[0]) / (high[0] - low[0])) * size, (1 - (y - low[1]) / (high[1] - low[1])) * size];

/** A picture as the network gets it, [height][width][channels] of bytes. @param {HTMLCanvasElement} canvas @param {Shape} shape @param {Uint8Array} pixels */
export function drawPicture(canvas, { width, height, channels }, pixels) {
  const step = channels === 3 ? 1 : 0;
  paint(canvas, width, height, (i) => {
    const at = i * channels;
    return [pixels[at], pixels[at + step], pixels[at + 2 * step]];
  });
}

/**
 * Signed values from one colour over nothing to another; the limit is where the colour is full. Colours of a pixel are
 * averaged: one scale of two colours has no room for three channels.
 * @param {HTMLCanvasElement} canvas
 * @param {Shape} shape
 * @param {ArrayLike<number>} values
 * @param {number} limit
 */
export function drawSigned(canvas, { width, height, channels }, values, limit) {
  const [negative, middle, positive] = ["--negative", "--middle", "--positive"].map(colour);
  const none = colour("--panel");
  paint(canvas, width, height, (i) => {
    if (i * channels >= values.length) return none;
    let value = 0;
    for (let c = 0; c < channels; c++) value += values[i * channels + c] / channels;
    const share = Math.max(-1, Math.min(1, limit > 0 ? value / limit : 0));
    return mix(middle, share < 0 ? negative : positive, Math.abs(share));
  });
}

/** Values without a shape as a near square of tiles. @param {number} n @returns {Shape} */
export function tilesOf(n) {
  const width = Math.ceil(Math.sqrt(n));
  return { width, height: Math.ceil(n / width), channels: 1 };
}

/** Outputs of a layer, 0 to 255, as tiles from nothing to full. @param {HTMLCanvasElement} canvas @param {ArrayLike<number>} values */
export function drawTiles(canvas, values) {
  const shape = tilesOf(values.length);
  const [from, to, none] = ["--middle", "--accent", "--panel"].map(colour);
  paint(canvas, shape.width, shape.height, (i) => (i < values.length ? mix(from, to, values[i] / 255) : none));
}

// Colours and shapes of classes, for points of a drawing. What is alike in one differs in the other.
const hues = ["--training", "--validation", "--phase-fine", "--phase-special", "--phase-under", "--phase-rest"];
/** The custom property of a class's colour. @param {number} k */
export const hue = (k) => hues[k % hues.length];
/** @type {((c: CanvasRenderingContext2D, x: number, y: number, r: number) => void)[]} */
const shapes = [
  (c, x, y, r) => c.arc(x, y, r, 0, 2 * Math.PI),
  (c, x, y, r) => c.rect(x - 0.85 * r, y - 0.85 * r, 1.7 * r, 1.7 * r),
  (c, x, y, r) => {
    c.moveTo(x, y - 1.2 * r);
    c.lineTo(x + 1.1 * r, y + 0.8 * r);
    c.lineTo(x - 1.1 * r, y + 0.8 * r);
    c.closePath();
  },
  (c, x, y, r) => {
    c.moveTo(x, y - 1.25 * r);
    c.lineTo(x + 1.25 * r, y);
    c.lineTo(x, y + 1.25 * r);
    c.lineTo(x - 1.25 * r, y);
    c.closePath();
  },
];

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} k the class
 * @param {[number, number]} at
 * @param {number} r
 */
export function drawPoint(context, k, [x, y], r, { hollow = false } = {}) {
  context.beginPath();
  shapes[(k + Math.floor(k / hues.length)) % shapes.length](context, x, y, r);
  context.lineWidth = hollow ? r / 2 : r / 3;
  context.fillStyle = hollow ? rgb("--panel") : rgb(hue(k));
  context.strokeStyle = hollow ? rgb(hue(k)) : rgb("--panel");
  context.fill();
  context.stroke();
}

/** The classes with their points, as a legend. @param {string[]} names */
export function classLegend(names) {
  return el("ul", { class: "legend" }, ...names.map((name, k) => {
    const sign = el("canvas", { width: 32, height: 32, class: "sign", "aria-hidden": "true" });
    drawPoint(contextOf(sign), k, [16, 16], 11);
    return el("li", {}, sign, el("span", { text: name }));
  }));
}

/**
 * A bar of a share from 0 to 1, with a tick where something is to be compared.
 * @param {Measured} share
 * @param {{ tick?: number | null, kind?: string }} [more]
 */
export function bar(share, { tick = null, kind = "" } = {}) {
  const filled = el("span", { class: `fill ${kind}` });
  filled.style.width = `${Math.max(0, Math.min(1, share || 0)) * 100}%`;
  const mark = tick === null ? null : el("span", { class: "tick" });
  if (mark) mark.style.left = `${Math.max(0, Math.min(1, tick ?? 0)) * 100}%`;
  return el("span", { class: "bar", "aria-hidden": "true" }, filled, mark);
}

/** A bar to the left or right of a middle, for a value from -1 to 1. @param {number} value */
export function twoSided(value) {
  const filled = el("span", { class: value < 0 ? "fill negative" : "fill positive" });
  const size = Math.min(1, Math.abs(value || 0)) * 50;
  filled.style.width = `${size}%`;
  filled.style.left = value < 0 ? `${50 - size}%` : "50%";
  return el("span", { class: "bar two-sided", "aria-hidden": "true" }, filled, el("span", { class: "tick middle" }));
}

/**
 * A choice of one of a few, as buttons that say which is pressed.
 * @template {string} Value
 * @param {string} label
 * @param {[value: Value, text: string][]} options
 * @param {Value} chosen
 * @param {(value: Value) => void} onChoose
 */
export function choice(label, options, chosen, onChoose) {
  const buttons = options.map(([value, text]) =>
    el("button", {
      type: "button",
      text,
      "aria-pressed": String(value === chosen),
      onclick(event) {
        for (const button of buttons) button.setAttribute("aria-pressed", String(button === event.currentTarget));
        onChoose(value);
      },
    }));
  return el("div", { class: "choice", role: "group", "aria-label": label }, ...buttons);
}

/** A button that copies a text and says that it did. @param {() => string | null} text */
export function copyButton(text) {
  const copy = el("button", { type: "button", class: "quiet copy", text: t("page.copy") });
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text() ?? "");
      copy.textContent = t("page.copied");
    } catch {
      copy.textContent = t("page.not_copied");
    }
    setTimeout(() => (copy.textContent = t("page.copy")), 2000);
  });
  return copy;
}

/** @param {string} label */
export const canvas = (label, kind = "") => el("canvas", { class: kind, role: "img", "aria-label": label, width: 1, height: 1 });

/** @param {string} label @param {Shape} shape @param {string} pixels in base64 */
export function pictureOf(label, shape, pixels) {
  const drawn = canvas(label, "sample");
  drawPicture(drawn, shape, bytes(pixels));
  return drawn;
}
