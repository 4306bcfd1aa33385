// @ts-check
// Texts and numbers in the reader's language. The texts are in the catalogues of klubok and come from the server.
/** @import { Bilingual, Measured, Texts } from "./types.js" */

export const remembered = {
  /** @param {string} key */
  get(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // a file opened from the disk may have no storage
    }
  },
  /** @param {string} key @param {string} value */
  set(key, value) {
    try {
      localStorage.setItem(key, value);
    } catch {
      // Then it holds until the page is closed.
    }
  },
};

/** @type {Texts} */
let texts = { en: {}, ru: {} };
// What the reader chose, else what the command speaks that made the page.
export let lang = remembered.get("klubok-lang") || document.documentElement.lang;

/** @param {Texts} both */
export function take(both) {
  texts = both;
}

/** @param {string} chosen */
export function choose(chosen) {
  lang = chosen;
  remembered.set("klubok-lang", chosen);
}

/**
 * The form of a word after a number: of two for one and for others, of three the Russian ones for 1, 2 and 5.
 * @param {unknown} value
 * @param {string[]} forms
 */
function form(value, forms) {
  const number = String(value).replace(/\s/g, "");
  if (forms.length === 2) return forms[number === "1" ? 0 : 1];
  const category = /^\d+$/.test(number) ? new Intl.PluralRules("ru").select(Number(number)) : "few";
  return forms[["one", "few", "many"].indexOf(category)];
}

/**
 * The text of a key with its {places} filled; the key itself where there is none, which is seen and can be mended.
 * {n|epoch|epochs} is the form that goes with the number.
 * @param {string} key
 * @param {{ [place: string]: unknown }} [values]
 */
export function t(key, values = {}) {
  const text = texts[lang]?.[key] || texts.en[key] || key;
  return text.replace(/\{(\w+)((?:\|[^{}|]*)*)\}/g, (place, name, forms) => {
    if (!(name in values)) return place;
    return forms ? form(values[name], forms.slice(1).split("|")) : String(values[name]);
  });
}

/** A text that the server gives in every language. @param {Bilingual | null | undefined} text */
export const both = (text) => (text ? (lang === "ru" && text.ru) || text.en || "" : "");

/** @param {Intl.NumberFormatOptions} options */
function format(options) {
  return new Intl.NumberFormat(lang, options);
}

/** @param {unknown} x @returns {x is number} */
export const isNumber = (x) => typeof x === "number" && Number.isFinite(x);
const nothing = "–";

/** A whole number, grouped. @param {Measured} x */
export const count = (x) => (isNumber(x) ? format({ maximumFractionDigits: 0 }).format(x) : nothing);

/**
 * A measured number with so many significant digits, small and large ones as powers of ten.
 * @param {Measured} x
 */
export function number(x, digits = 3) {
  if (!isNumber(x)) return nothing;
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) {
    const [mantissa, power] = x.toExponential(digits - 1).split("e");
    const superscript = [...String(Number(power))].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)] || "⁻").join("");
    return `${format({ maximumFractionDigits: digits }).format(Number(mantissa))}·10${superscript}`;
  }
  return format({ minimumSignificantDigits: size === 0 ? 1 : digits, maximumSignificantDigits: digits }).format(x);
}

/** A round number as it is, for ticks. @param {number} x */
export const plain = (x) => format({ maximumSignificantDigits: 6 }).format(x === 0 ? 0 : x);

/** A measured number with its sign, for what can be either. @param {Measured} x */
export const signed = (x, digits = 3) => (isNumber(x) ? (x < 0 ? "−" : "+") + number(Math.abs(x), digits) : nothing);

/** @param {Measured} x @param {number} places */
export const decimals = (x, places) =>
  isNumber(x) ? format({ minimumFractionDigits: places, maximumFractionDigits: places }).format(x) : nothing;

/** A share as so many of a hundred. @param {Measured} share */
export const hundred = (share) => (isNumber(share) ? count(Math.round(share * 100)) : nothing);

/** @param {Measured} x @param {number} places */
export const percent = (x, places = 1) => (isNumber(x) ? `${decimals(x * 100, places)}\u00a0%` : nothing);

/** @param {Measured} x */
export const epoch = (x) => (isNumber(x) ? format({ maximumFractionDigits: x < 10 ? 2 : 1 }).format(x) : nothing);

/** @param {Measured} seconds */
export function duration(seconds) {
  if (!isNumber(seconds)) return nothing;
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return t("page.seconds", { s: seconds < 9.95 ? decimals(Math.max(0, seconds), 1) : s });
  if (s < 3600) return t("page.minutes", { m: Math.floor(s / 60), s: s % 60 });
  return t("page.hours", { h: Math.floor(s / 3600), m: Math.floor((s % 3600) / 60) });
}

/**
 * Wilson's 95 % interval of a share that was seen in n samples.
 * @param {Measured} share
 * @param {number} n
 * @returns {[number, number] | null}
 */
export function wilson(share, n) {
  if (!isNumber(share) || !(n > 0)) return null;
  const z = 1.959964;
  const middle = (share + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/** Writes the texts of the page's own elements. */
export function apply() {
  document.documentElement.lang = lang;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.getAttribute("data-t") ?? "");
  for (const element of document.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.getAttribute("data-t-label") ?? ""));
  }
}
