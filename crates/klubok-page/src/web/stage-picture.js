// @ts-check
// The picture of the stage: one of the film's, or a person's own, and what the network says of it at this moment.
import * as api from "./api.js";
import { choosePicture, chosen, momentOf } from "./chosen.js";
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
  /** @type {string | null} */
  let drawn = null;

  /** @param {FilmPicture | Pass} of */
  function draw(of) {
    if (store.samplePath() === drawn) return;
    drawn = store.samplePath();
    const isPicture = Boolean(of.pixels);
    drawing.hidden = !isPicture;
    values.hidden = isPicture;
    if (of.pixels) drawPicture(drawing, /** @type {Shape} */ (of), bytes(of.pixels));
    const names = state.run.data.columns ?? [];
    values.replaceChildren(...(of.values ?? []).slice(0, 12).map((value, i) =>
      el("div", {}, el("dt", { text: names[i] ?? String(i + 1) }), el("dd", { text: text.number(value) }))));
    drawing.setAttribute("aria-label", of.name || t("page.own_picture"));
  }

  function render() {
    const shown = film.snapshot();
    const sample = chosen(shown);
    if (!sample?.of) return;
    draw(sample.of);
    write(name, sample.step !== null && isOther(sample.step) ? `${sample.name} · ${nameOf(sample.step)}` : sample.name);
    renderBars(bars, state.run.data, sample.said, sample.truth);
    if (shown) network?.render(momentOf(sample, shown), sample);
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
  const arrow = (/** @type {string} */ sign, /** @type {string} */ key, /** @type {1 | -1} */ by) =>
    el("button", { type: "button", class: "quiet", text: sign, "aria-label": t(key), title: t(key), onclick: () => choosePicture(by) });
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
