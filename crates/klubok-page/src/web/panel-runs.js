// Runs: the other runs in the folder, and by which settings they differ.
(() => {
  "use strict";
  const { t, text } = Klubok;
  const { el, svg } = Klubok.draw;
  let box;

  function build(body) {
    box = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("page.runs") });
    body.append(box);
  }

  // The validation loss as a small line; all runs on the same scale.
  function sparkline(points, longest, highest) {
    const [width, height] = [90, 26];
    const at = points.filter(([, loss]) => text.isNumber(loss)).map(([epoch, loss]) =>
      `${((epoch / longest) * width).toFixed(1)},${(height - 2 - (Math.min(loss, highest) / highest) * (height - 4)).toFixed(1)}`);
    return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "spark", "aria-hidden": "true" },
      svg("polyline", { points: at.join(" "), class: "stroke-validation" }));
  }

  // Runs of a folder may predict different things.
  function measured(runs) {
    const accuracy = [t("page.accuracy"), (run) => text.percent(run.best_val_accuracy)];
    const r2 = ["R²", (run) => text.decimals(run.best_val_r2, 3)];
    const has = (key) => runs.some((run) => text.isNumber(run[key]));
    return [...(has("best_val_accuracy") ? [accuracy] : []), ...(has("best_val_r2") ? [r2] : [])];
  }

  function row(run, scores, longest, highest) {
    const differs = Object.entries(run.differs || {});
    return el("tr", { class: run.current ? "current" : "" },
      el("th", { scope: "row", text: run.current ? `▸ ${run.name}` : run.name }),
      el("td", { text: text.epoch(run.epochs) }), el("td", { text: text.number(run.best_val_loss) }), ...scores.map(([, value]) => el("td", { text: value(run) })),
      el("td", {}, sparkline(run.val_loss || [], longest, highest)),
      el("td", { class: "differs" }, ...(differs.length > 0
        ? differs.map(([key, value]) => el("code", { text: `${key} = ${value}` })) : [run.current ? t("page.this_run") : t("page.same_settings")])));
  }

  function render(state, look, changes) {
    if (!look || !look.runs || ![...changes].some((what) => ["look", "shown", "run"].includes(what))) return;
    const points = look.runs.flatMap((run) => run.val_loss || []).filter(([, loss]) => text.isNumber(loss));
    const longest = Math.max(1, ...points.map(([epoch]) => epoch));
    // A run that exploded must not flatten the others.
    const highest = Math.min(Math.max(0.1, ...points.map(([, loss]) => loss)), (state.run.loss_of_guessing || Infinity) * 3);
    const runs = [...look.runs].sort((a, b) => (a.best_val_loss ?? Infinity) - (b.best_val_loss ?? Infinity));
    const scores = measured(runs);
    const heads = [t("page.run"), t("page.epochs"), t("page.validation_loss"), ...scores.map(([words]) => words), t("page.curve"), t("page.differs")];
    box.replaceChildren(el("table", { class: "runs" },
      el("thead", {}, el("tr", {}, ...heads.map((words) => el("th", { scope: "col", text: words })))),
      el("tbody", {}, ...runs.map((run) => row(run, scores, longest, highest)))));
  }

  Klubok.panel({ id: "runs", build, render, path: () => "/api/runs", every: 15000 });
})();
