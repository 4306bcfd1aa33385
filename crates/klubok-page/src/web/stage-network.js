// @ts-check
// The hero of columns: a row of units for each layer, down to the answer.
import { chosen, momentOf } from "./chosen.js";
import { el, write } from "./draw.js";
import * as film from "./film.js";
import { flow } from "./stage-flow.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Change } from "./state.js" */

export function heroOfNetwork() {
  const caption = el("p", { class: "hero-caption" });
  const answers = flow(state.run);
  const element = el("section", { class: "hero", "aria-label": t("page.hero_network") }, el("div", { class: "hero-head" }, caption), answers.element);

  /** @param {Set<Change>} changes */
  function render(changes) {
    if (!film.exists()) return write(caption, t("page.no_film"));
    const shown = film.snapshot();
    if (!shown || ![...changes].some((change) => ["film", "moment", "theme", "sample", "shown", "now"].includes(change))) return;
    const sample = chosen(shown);
    answers.render(momentOf(sample, shown), sample);
    const [{ units, name }] = state.run.network.layers;
    write(caption, t("page.hero_units", { n: text.count(film.theScene()?.units[name]?.length), all: text.count(units) }));
  }

  return { element, render };
}
