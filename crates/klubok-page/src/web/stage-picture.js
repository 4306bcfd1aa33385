// @ts-check
// The picture of the stage: one of the film's, or a person's own, and what the network says of it at this moment.
import * as api from "./api.js";
import { alert } from "./dialogs.js";
import { bytes, canvas, drawPicture, el, write } from "./draw.js";
import * as film from "./film.js";
import { isOther, nameOf } from "./moments.js";
import { renderBars } from "./says.js";
import { flow } from "./stage-flow.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Change } from "./state.js" */
/** @import { FilmPicture } from "./snapshot.js" */
/** @import { Pass, Shape } from "./types.js" */

export function picture() {
  const drawing = canvas("", "sample");
  const values = el("dl", { class: "evidence values" });
  const name = el("p", { class: "name" });
  const bars = el("ol", { class: "says" });
  const pick = el("div", { class: "picks" });
  // Where the hero is the plane of the inputs, the network itself is here.
  const network = film.theScene()?.grid ? flow(state.run) : null;
  const element = el("section", { class: state.run.data.classes.length > 4 ? "shown-picture of-many" : "shown-picture", "aria-label": t(state.run.data.kind === "pictures" ? "page.picture" : "page.sample") },
    el("figure", {}, drawing, values, el("figcaption", {}, name)), bars, network?.element ?? null, pick);
  const takes = state.run.data.kind === "pictures" && state.run.takes_pictures && !api.isReport;
  build(pick, element, takes);
  let drawn = "";
  /** @type {Pass | null} */
  let own = null;

  /** @param {FilmPicture | Pass} of @param {string} key */
  function draw(of, key) {
    if (key === drawn) return;
    drawn = key;
    const isPicture = Boolean(of.pixels);
    drawing.hidden = !isPicture;
    values.hidden = isPicture;
    if (of.pixels) drawPicture(drawing, /** @type {Shape} */ (of), bytes(of.pixels));
    const names = state.run.data.columns ?? [];
    values.replaceChildren(...(of.values ?? []).slice(0, 12).map((value, i) =>
      el("div", {}, el("dt", { text: names[i] ?? String(i + 1) }), el("dd", { text: text.number(value) }))));
    drawing.setAttribute("aria-label", of.name || t("page.own_picture"));
  }

  function renderFilm() {
    const of = film.theScene()?.pictures?.[state.shown];
    const said = film.snapshot()?.pictures[state.shown];
    if (!of) return;
    draw(of, `film ${state.shown}`);
    write(name, of.name);
    if (said) renderBars(bars, state.run.data, said, of.truth);
    const shown = film.snapshot();
    if (shown) network?.render(shown, state.shown);
  }

  /** @param {boolean} asked */
  async function renderOwn(asked) {
    try {
      own = /** @type {Pass} */ (await api.get(store.passPath(), asked));
    } catch (error) {
      alert(error);
      store.setSample({});
      return;
    }
    draw(own, `own ${state.sample.picture}`);
    // Of a large network few moments are known as a whole.
    write(name, isOther(own.step) ? `${t("page.own_picture")} · ${nameOf(own.step)}` : t("page.own_picture"));
    renderBars(bars, state.run.data, own.confidences, state.sample.label);
  }

  let ownAsked = 0;
  /** @param {Set<Change>} changes */
  function render(changes) {
    if (state.sample.picture === null) return renderFilm();
    const asked = changes.has("moment") || changes.has("sample");
    if (!asked && Date.now() - ownAsked <= 1500) return undefined;
    ownAsked = Date.now();
    return void renderOwn(asked);
  }

  return { element, render };
}

/**
 * The choice of a picture: those of the film, and one's own.
 * @param {HTMLElement} pick
 * @param {HTMLElement} box where a picture may be dropped
 * @param {boolean} takes whether own pictures are taken
 */
function build(pick, box, takes) {
  const step = (/** @type {number} */ by) => {
    const count = film.theScene()?.pictures?.length ?? 0;
    if (count > 0) store.show((state.shown + by + count) % count);
  };
  const arrow = (/** @type {string} */ sign, /** @type {string} */ key, /** @type {number} */ by) =>
    el("button", { type: "button", class: "quiet", text: sign, "aria-label": t(key), title: t(key), onclick: () => step(by) });
  pick.append(arrow("◀", "page.previous_row", -1), arrow("▶", "page.next_row", 1));
  if (!takes) return;
  const upload = async (/** @type {File | undefined} */ file) => {
    if (!file) return;
    const kept = await api.postPicture(file).catch(alert);
    if (kept) store.setSample({ picture: kept.picture });
  };
  const input = el("input", {
    type: "file", id: "own-file", accept: "image/*", class: "unseen",
    onchange(event) {
      upload(event.target.files[0]);
      event.target.value = "";
    },
  });
  pick.append(input, el("label", { for: "own-file", class: "button", text: t("page.mine") }));
  box.addEventListener("dragover", (event) => {
    event.preventDefault();
    box.classList.add("over");
  });
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    box.classList.remove("over");
    upload(event.dataTransfer?.files[0]);
  });
}
