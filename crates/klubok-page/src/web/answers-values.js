// The predictions of labels and of numbers: figures of each, and numbers against their true values.
(() => {
  "use strict";
  const { t, text } = Klubok;
  const { el, svg } = Klubok.draw;
  const SIZE = 300;

  // A table with a row for each label or number, its name first.
  function table(caption, heads, rows) {
    return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, el("table", {},
      el("thead", {}, el("tr", {}, ...heads.map((words) => el("th", { scope: "col", text: words })))),
      el("tbody", {}, ...rows.map(([name, ...values]) => el("tr", {}, el("th", { scope: "row", text: name }), ...values.map((value) => el("td", { text: value })))))));
  }

  function labels(look) {
    const [low, high] = look.accuracy_interval;
    const lead = t("page.accuracy_is_labels", {
      accuracy: text.percent(look.accuracy), low: text.percent(low), high: text.percent(high), exact: text.percent(look.exact),
      chance: text.percent(look.chance), n: text.count(look.samples),
    });
    const heads = [t("page.label"), "F1", t("page.average_precision"), t("page.precision"), t("page.recall"), t("page.samples")];
    const row = (of) => [of.label, ...[of.f1, of.average_precision, of.precision, of.recall].map((value) => text.percent(value)), text.count(of.support)];
    const mean = [t("page.mean"), text.percent(look.macro_f1), text.percent(look.mean_average_precision), "", "", ""];
    return [el("p", { class: "lead", text: lead }), el("h3", { text: t("page.by_label") }),
      table(t("page.by_label"), heads, [...look.per_label.map(row), mean]), el("p", { class: "note", text: t("page.average_precision_is") })];
  }

  // Round values within a range, for its ticks.
  function ticks(low, high) {
    const rough = (high - low) / 4;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
    const first = Math.ceil(low / step);
    return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
  }

  // Both axes have the same scale, so that an exact prediction lies on the diagonal.
  function scatter(pairs, name) {
    const values = pairs.flat();
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const margin = (most - least || Math.abs(most) || 1) * 0.05;
    const [low, high] = [least - margin, most + margin];
    const at = (value) => ((value - low) / (high - low)) * SIZE;
    const words = t("page.scatter_text", { name, n: text.count(pairs.length) });
    return svg("svg", { viewBox: `-62 -10 ${SIZE + 82} ${SIZE + 50}`, class: "scatter", role: "img", "aria-label": words },
      svg("rect", { x: 0, y: 0, width: SIZE, height: SIZE, class: "frame" }),
      ...pairs.map(([truth, prediction]) => svg("circle", { cx: at(truth), cy: SIZE - at(prediction), r: 2.6, class: "dot" })),
      svg("line", { x1: 0, y1: SIZE, x2: SIZE, y2: 0, class: "diagonal" }),
      ...ticks(low, high).flatMap((value) => [
        svg("text", { x: at(value), y: SIZE + 15, "text-anchor": "middle", text: text.plain(value) }),
        svg("text", { x: -5, y: SIZE - at(value) + 4, "text-anchor": "end", text: text.plain(value) }),
      ]),
      svg("text", { x: SIZE / 2, y: SIZE + 33, "text-anchor": "middle", text: t("page.true_value") }),
      svg("text", { x: -SIZE / 2, y: -50, transform: "rotate(-90)", "text-anchor": "middle", text: t("page.prediction") }));
  }

  function numbers(look, names) {
    const lead = t("page.errors_are", {
      rmse: text.number(look.rmse), mae: text.number(look.mae), r2: text.decimals(look.r2, 3), n: text.count(look.samples),
    });
    const heads = [t("page.number"), "RMSE", "MAE", "R²"];
    const row = (of) => [of.output, text.number(of.rmse), text.number(of.mae), text.decimals(of.r2, 3)];
    const [first] = names;
    // Of a single number, the mean says it all.
    const each = names.length > 1 ? [el("h3", { text: t("page.by_number") }), table(t("page.by_number"), heads, look.per_output.map(row))] : [];
    return [el("p", { class: "lead", text: lead }), ...each,
      el("h3", { text: t("page.scatter", { name: first }) }), scatter(look.pairs, first), el("p", { class: "note", text: t("page.scatter_is") })];
  }

  Klubok.answers = { labels, numbers };
})();
