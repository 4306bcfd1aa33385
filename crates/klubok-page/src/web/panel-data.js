// @ts-check
// Data: what the network learns from, and how even its classes or labels are.
import { bar, el, region, table } from "./draw.js";
import { panel } from "./panels.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { RunData } from "./types.js" */

const names = { class: "page.class", label: "page.label", number: "page.samples" };

/** The run does not change: its data is told once. @param {HTMLElement} body */
function build(body) {
  const { data, network, train_samples: train, val_samples: val } = state.run;
  const inputs = text.count(network.inputs);
  const what = data.kind === "pictures"
    ? t("page.data_pictures", { width: data.width, height: data.height, colours: data.channels === 3 ? t("page.in_colour") : t("page.in_grey"), inputs })
    : t("page.data_columns", { n: inputs });
  const most = Math.max(1, ...data.train);
  // Numbers have no counts of their own.
  const counted = data.target === "number" ? [] : data.classes;
  const share = counted.length > 0 ? [t("page.share")] : [];
  const rows = counted.map((name, i) =>
    [name, text.count(data.train[i]), text.count(data.val[i]), el("td", { class: "bar-cell" }, bar(data.train[i] / most))]);
  const foot = [t("page.all"), text.count(train), text.count(val), ...share.map(() => "")];
  body.append(
    el("p", { class: "lead", text: `${data.source}: ${what}` }),
    region(t("page.data"), table([t(names[data.target]), t("page.training"), t("page.validation"), ...share], rows, { foot })),
    el("p", { class: "note", text: data.target === "class" ? balanceOf(data) : counted.length > 0 ? "" : t("page.to_predict", { names: data.classes.join(", ") }) }));
}

/** @param {RunData} data */
function balanceOf(data) {
  const uneven = Math.max(...data.train) / Math.max(1, Math.min(...data.train));
  const chance = text.percent(state.run.chance);
  return uneven < 1.5 ? t("page.balanced", { chance }) : t("page.unbalanced", { times: text.number(uneven, 2), chance });
}

export const data = panel({ id: "data", title: "page.data", about: "page.data_about", folds: true, build });
