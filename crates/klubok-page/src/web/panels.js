// @ts-check
// The panels of this run, as the server lists them, and their looks at the network.
//
// A panel is built anew when the language changes, and rendered when something changed that it shows: its look, the moment, the
// theme, or what it names in `on`. `path` is what it wants to look at; a look costs the server a pass through the network, so
// it is asked for only while the panel can be seen, and again only when the weights have changed; one that takes long, only
// once the slider rests.
//
// A panel with a path *waits* until its answer is there: its place is kept, and what is in it is hidden but for what has the
// class `stays`. It *fails* with the server's sentence. It has no element at all where it does not apply to the run.
import { el, write } from "./draw.js";
import * as looks from "./looks.js";
import { isOther, nameOf } from "./moments.js";
import * as store from "./state.js";
import { state } from "./state.js";
import { target } from "./target.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Change } from "./state.js" */

/**
 * @template [Look=undefined] the answer for its path
 * @typedef {object} Definition
 * @property {string} id as the server lists it
 * @property {string | (() => string)} title key of a text
 * @property {string} about key of a text; `target.js` may know one that fits better
 * @property {boolean} [wide]
 * @property {boolean} [folds] it goes deeper, and may be folded away
 * @property {() => string | null} [path] what to look at; null for nothing at this moment
 * @property {() => number | undefined} [step] the step of what it shows, where it looks at nothing
 * @property {number} [every] milliseconds between two looks, at least
 * @property {boolean} [long] a look takes long
 * @property {Change[]} [on] changes that it shows, beside those that all panels show
 * @property {(body: HTMLElement) => void} build
 * @property {(look: Look, changes: Set<Change>) => void} [render]
 * @property {() => void} [without] renders it where there is nothing to look at
 */
/**
 * @typedef {object} Panel
 * @property {Definition<any>} definition
 * @property {HTMLElement} element
 * @property {HTMLElement} body
 * @property {HTMLElement | null} age
 * @property {HTMLElement | null} problem
 * @property {boolean} visible
 * @property {any} [last] the answer that is shown
 */

/** @type {Panel[]} */
let panels = [];
const EVERY = 3000;
const REST = 600;
/** What every panel shows. @type {Change[]} */
const ALL_SHOW = ["look", "shown", "theme", "moment", "run"];

/**
 * Defines a panel.
 * @template [Look=undefined]
 * @param {Definition<Look>} definition
 */
export const panel = (definition) => definition;

/** @param {Definition<any>} definition @returns {Panel} */
function made(definition) {
  const { id, title, about, wide, folds, path, step } = definition;
  const age = path || step ? el("span", { class: "age" }) : null;
  const problem = path ? el("p", { class: "problem", role: "status" }) : null;
  const body = el("div", { class: "body" });
  const titleKey = typeof title === "string" ? title : title();
  const heading = el("h2", { id: `title-${id}`, "data-t": titleKey });
  const element = el(folds ? "details" : "section", {
    class: wide ? "panel wide" : "panel", id: `panel-${id}`, "aria-labelledby": folds ? null : `title-${id}`, open: folds,
  }, el(folds ? "summary" : "div", { class: "head" }, heading, age),
  el("details", { class: "about" }, el("summary", { "data-t-label": "page.about", text: "i" }), el("p", { "data-t": target().abouts()[id] ?? about })),
  problem, body);
  return { definition, element, body, age, problem, visible: false };
}

/** @param {Panel} panel */
const isOpen = ({ visible, element }) => visible && !(element instanceof HTMLDetailsElement && !element.open);

/** @param {Panel} panel */
const wants = ({ definition }) => definition.path?.() ?? null;

function refresh() {
  if (document.hidden) return;
  const rests = Date.now() - state.moved > REST;
  for (const panel of panels) {
    const path = isOpen(panel) && (rests || !panel.definition.long) ? wants(panel) : null;
    if (path) looks.refresh(path, panel.definition.every ?? EVERY);
  }
}

/** @param {Panel} panel @param {Set<Change>} changes */
function render(panel, changes) {
  const { definition, element, problem, age } = panel;
  const path = wants(panel);
  const held = path ? looks.held(path) : undefined;
  // While a new look is on its way the old one stays, so that nothing jumps.
  if (held?.answer) panel.last = held.answer;
  const fails = Boolean(held?.error && !held.answer);
  const waits = Boolean(path && !panel.last && !fails);
  element.classList.toggle("fails", fails);
  element.classList.toggle("waits", waits);
  element.setAttribute("aria-busy", String(waits));
  if (problem) {
    const later = Boolean(held?.later && !held.answer && !held.error);
    problem.classList.toggle("later", later);
    write(problem, later ? t("page.later") : held?.error ?? "");
  }
  if (age) showAge(age, definition.step ? definition.step() : panel.last?.step);
  const shows = [...changes].some((change) => ALL_SHOW.includes(change) || definition.on?.includes(change));
  if (!shows || fails || waits) return;
  if (definition.path && !panel.last) definition.without?.();
  else definition.render?.(panel.last, changes);
}

/**
 * The moment of the figures by its name, and whether it is another than the strip's.
 * @param {HTMLElement} age
 * @param {number | null | undefined} step
 */
function showAge(age, step) {
  const known = step !== null && step !== undefined;
  const other = known && isOther(step);
  const words = known ? nameOf(step) : "";
  write(age, other ? `${words} · ${t("page.other_moment")}` : words);
  age.classList.toggle("other", other);
}

/** Renders the panels in sight; another is rendered when it comes into sight. @param {Set<Change>} changes */
export function renderAll(changes) {
  for (const panel of panels) if (isOpen(panel)) render(panel, changes);
  refresh();
}

/** Builds what is in the panels, in the language that is chosen. */
export function build() {
  for (const { definition, body } of panels) {
    body.replaceChildren();
    definition.build(body);
  }
}

/**
 * Puts those panels that apply to the run into the parts of the page.
 * @param {{ [part: string]: Definition<any>[] }} all of each part, in order
 * @param {boolean} folded whether those that may be are folded away
 */
export function start(all, folded) {
  panels = [];
  for (const [part, definitions] of Object.entries(all)) {
    const own = definitions.filter(({ id }) => state.run.panels.includes(id)).map(made);
    document.getElementById(`panels-${part}`)?.append(...own.map(({ element }) => element));
    panels.push(...own);
  }
  for (const { element } of panels) if (element instanceof HTMLDetailsElement && folded) element.open = false;
  document.documentElement.dataset.target = state.run.data.target;
  text.apply();
  build();
  watch();
  store.subscribe(renderAll);
  looks.onLook((path) => panels.filter((panel) => wants(panel) === path && isOpen(panel)).forEach((panel) => render(panel, new Set(["look"]))));
  // Once for all, before anything is shown: from here on everything has its size.
  for (const panel of panels) render(panel, new Set(["shown", "run", "story"]));
  setInterval(refresh, 1000);
}

// Renders a panel when it comes into sight.
function watch() {
  const shown = (/** @type {Panel} */ panel) => {
    if (isOpen(panel)) render(panel, new Set(["shown"]));
    refresh();
  };
  const observer = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) {
      const panel = panels.find(({ element }) => element === target);
      if (panel) panel.visible = isIntersecting;
      if (panel && isIntersecting) shown(panel);
    }
  }, { rootMargin: "200px" });
  for (const panel of panels) {
    observer.observe(panel.element);
    panel.element.addEventListener("toggle", () => shown(panel));
  }
}

/** Everything is drawn for paper, seen or not. */
export function renderForPrint() {
  for (const panel of panels) {
    panel.visible = true;
    render(panel, new Set(["shown"]));
  }
}
