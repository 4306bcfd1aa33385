// Curves: loss above, accuracy or R² below, with phases, flags and the moment that is shown.
(() => {
  "use strict";
  const { t, text, store } = Klubok;
  const { el, svg, write } = Klubok.draw;
  let chart, readout, table, tableBody, summary;
  let kind = Klubok.remembered.get("klubok-axis") || "steps";
  let plotly = null;
  let drawn = 0;
  let waiting = null;

  // Where drawing takes long, the processor may be the training's, too: a tenth of it is enough.
  const SHARE = 0.1;
  let took = 0;

  function sample(colour, dash) {
    const line = svg("line", { x1: 0, x2: 26, y1: 5, y2: 5, "stroke-width": 2.5, class: colour });
    if (dash) line.setAttribute("stroke-dasharray", "5 3");
    return svg("svg", { width: 26, height: 10, "aria-hidden": "true" }, line);
  }

  function build(body) {
    const axes = [["steps", t("page.by_steps")], ["epochs", t("page.by_epochs")], ["seconds", t("page.by_seconds")]];
    const legend = el("ul", { class: "legend" },
      el("li", {}, sample("stroke-training", true), t("page.training")),
      el("li", {}, sample("stroke-validation", false), t("page.validation")),
      el("li", { hidden: Klubok.target().score.lowest < 0 }, el("span", { class: "band-sample", "aria-hidden": "true" }), t("page.interval")));
    chart = el("div", { class: "chart", "aria-hidden": "true" }, el("p", { class: "empty", text: t("page.chart_loading") }));
    readout = el("p", { class: "readout" });
    summary = el("p", { class: "unseen" });
    tableBody = el("tbody");
    const head = [t("page.epoch"), t("page.training_loss"), t("page.validation_loss"), ...Klubok.target().score.columns().map(([words]) => words)];
    table = el("details", { ontoggle: () => renderTable(Klubok.state) }, el("summary", { text: t("page.as_table") }),
      el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("page.as_table") },
        el("table", {}, el("thead", {}, el("tr", {}, ...head.map((words) => el("th", { scope: "col", text: words })))), tableBody)));
    body.append(
      el("div", { class: "bar-of-tools" }, legend, Klubok.draw.choice(t("page.axis"), axes, kind, chooseAxis)),
      chart, readout, summary, table);
    plotly = null;
    Klubok.plotlyReady.then(Klubok.plotly).then((loaded) => {
      plotly = loaded;
      draw();
    }).catch((error) => write(chart, error.message));
  }

  function chooseAxis(chosen) {
    kind = chosen;
    Klubok.remembered.set("klubok-axis", chosen);
    draw();
  }

  async function draw() {
    const { state } = Klubok;
    if (!plotly || !state.run || !chart.isConnected) return;
    drawn = Date.now();
    if (chart.querySelector(".empty")) chart.replaceChildren();
    const width = chart.clientWidth || 680;
    const { data, layout, x } = Klubok.figure.figure(state, kind, store.line(), width);
    const first = !chart.data;
    await plotly.react(chart, data, { ...layout, width, height: chart.clientHeight || 420 }, { displayModeBar: false, staticPlot: false });
    took = Date.now() - drawn;
    if (first) chart.on("plotly_click", ({ points }) => store.setMoment(nearest(points[0].x, x)));
  }

  // The step of the line nearest to where somebody clicked.
  function nearest(at) {
    const { lines, now } = Klubok.state;
    const of = { steps: (line) => Math.log(Math.max(line.step, 0.5)), epochs: (line) => line.epoch, seconds: (line) => line.elapsed_seconds }[kind];
    const target = kind === "steps" ? Math.log(at) : at;
    const best = lines.reduce((a, b) => (Math.abs(of(b) - target) < Math.abs(of(a) - target) ? b : a), lines[0]);
    return best ? best.step : now.step;
  }

  function drawSoon(changes) {
    if (changes.has("moment") || changes.has("theme") || changes.has("shown")) return draw();
    if (!changes.has("story") && !changes.has("run")) return null;
    const rest = took / SHARE - (Date.now() - drawn);
    if (rest <= 0) return draw();
    waiting = waiting || setTimeout(() => {
      waiting = null;
      draw();
    }, rest);
    return null;
  }

  // The figures of the moment as text: nobody needs a mouse to read the curves.
  function renderReadout(state) {
    const line = store.line();
    if (!line) return write(readout, t("page.nothing_measured"));
    const losses = t("page.readout", {
      epoch: text.epoch(line.epoch), step: text.count(line.step),
      train_loss: text.number(line.train_eval_loss ?? line.train_loss), val_loss: text.number(line.val_loss),
    });
    return write(readout, `${losses} ${Klubok.target().score.readout(line)}`);
  }

  function renderSummary(state) {
    const [first, last] = [state.epochs[0], state.epochs[state.epochs.length - 1]];
    if (!first) return;
    const best = state.epochs.find((line) => line.epoch === state.best_epoch);
    write(summary, t("page.curves_text", {
      first: text.number(first.val_loss), last: text.number(last.val_loss), epoch: text.epoch(last.epoch),
      best: text.epoch(state.best_epoch), lowest: text.number(best && best.val_loss),
      phases: state.phases.map((phase) => `${Klubok.phaseName(phase)} (${text.epoch(phase.start)}–${text.epoch(phase.end)})`).join(", ") || "–",
    }));
  }

  function renderTable(state) {
    if (!table.open || tableBody.rows.length === state.epochs.length) return;
    tableBody.replaceChildren(...state.epochs.map((line) => el("tr", {},
      el("th", { scope: "row", text: text.epoch(line.epoch) }),
      el("td", { text: text.number(line.train_eval_loss ?? line.train_loss) }), el("td", { text: text.number(line.val_loss) }),
      ...Klubok.target().score.columns().map(([, value]) => el("td", { text: value(line) })))));
  }

  function render(state, look, changes) {
    drawSoon(changes);
    renderReadout(state);
    if (changes.has("story") || changes.has("shown") || changes.has("run")) renderSummary(state);
    renderTable(state);
  }

  // The chart has its size in pixels, so it is told when its box changes.
  addEventListener("resize", () => plotly && draw());
  Klubok.drawCurves = draw;
  Klubok.panel({ id: "curves", build, render });
})();
