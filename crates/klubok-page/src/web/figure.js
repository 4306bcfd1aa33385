// The figure of the curves as Plotly is told it: lines, the band of chance, phases, flags. No state is kept here.
(() => {
  "use strict";
  const { t, text } = Klubok;
  const { rgb } = Klubok.draw;

  const LOSS = [0.56, 1];
  const ACCURACY = [0, 0.46];
  const SLICES = 8;

  // Where things are on the chosen axis. Step 0 has no logarithm: it stands half a step before step 1.
  function axis(kind, state) {
    const perEpoch = state.now.steps_per_epoch || 1;
    const of = {
      steps: (line) => Math.max(line.step, 0.5),
      epochs: (line) => line.epoch,
      seconds: (line) => line.elapsed_seconds,
    }[kind];
    const at = (epoch) => {
      if (kind === "steps") return Math.max(epoch * perEpoch, 0.5);
      if (kind === "epochs") return epoch;
      const next = state.lines.find((line) => line.epoch >= epoch) || state.lines[state.lines.length - 1];
      return next ? next.elapsed_seconds : 0;
    };
    // Plotly wants annotations on a logarithmic axis as logarithms, and shapes as they are.
    const note = (x) => (kind === "steps" ? Math.log10(x) : x);
    return { kind, of, at, note };
  }

  const training = (line) => line.train_eval_loss ?? line.train_loss ?? null;

  function lines(state, x) {
    const all = state.lines;
    const xs = all.map(x.of);
    const line = (y, name, colour, options = {}) => ({
      x: xs, y, name, mode: "lines", connectgaps: true, line: { color: rgb(colour), width: 2, ...options.line },
      hovertemplate: options.hover, yaxis: options.yaxis || "y", ...options.more,
    });
    const { score } = Klubok.target();
    const band = all.map((line) => score.interval(line) || [null, null]);
    const edge = (i, more) => line(band.map((interval) => interval[i]), "", "--validation", {
      line: { width: 0 }, yaxis: "y2", more: { hoverinfo: "skip", hovertemplate: undefined, ...more },
    });
    const loss = "%{y:.4f}<extra>%{fullData.name}</extra>";
    const hover = `${score.hover}<extra>%{fullData.name}</extra>`;
    const dash = { dash: "4px,2px" };
    return [
      line(all.map(training), t("page.training"), "--training", { hover: loss, line: dash }),
      line(all.map((line) => line.val_loss ?? null), t("page.validation"), "--validation", { hover: loss, line: { width: 2.5 } }),
      edge(0, {}),
      edge(1, { fill: "tonexty", fillcolor: rgb("--validation", 0.18) }),
      line(all.map(score.train), t("page.training"), "--training", { hover, line: dash, yaxis: "y2" }),
      line(all.map(score.val), t("page.validation"), "--validation", { hover, line: { width: 2.5 }, yaxis: "y2", more: { customdata: all.map(score.note) } }),
      best(state, x),
    ];
  }

  function best(state, x) {
    const line = state.lines.find((line) => line.epoch === state.best_epoch);
    const there = line && text.isNumber(line.val_loss);
    return {
      x: there ? [x.of(line)] : [], y: there ? [line.val_loss] : [], mode: "markers+text", name: t("page.best_epoch"),
      // At either end of the axis the word would be cut.
      text: [t("page.best")], textposition: there && line.step > 0 ? "top left" : "top right", textfont: { color: rgb("--ink") },
      marker: { symbol: "star", size: 13, color: rgb("--validation"), line: { color: rgb("--panel"), width: 1.5 } },
      hovertemplate: "%{y:.4f}<extra>%{fullData.name}</extra>",
    };
  }

  const upright = (x, colour, more) => ({
    type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", line: { color: colour, width: 1, ...more },
  });

  // A phase as slices whose colour fades towards its edges: the less sure it is, the wider the fade.
  function phaseBands(state, x) {
    const colours = {
      fast_learning: "--phase-fast", fine_tuning: "--phase-fine", specialisation: "--phase-special",
      converged: "--phase-rest", underfitting: "--phase-under", diverging: "--phase-diverging",
    };
    return state.phases.flatMap((phase) => {
      const [from, to] = [x.note(x.at(phase.start)), x.note(x.at(phase.end))];
      const fade = Math.max(0.02, (1 - phase.certainty) / 2) * (to - from);
      const back = (v) => (x.kind === "steps" ? 10 ** v : v);
      const slice = (a, b, strength) => ({
        type: "rect", layer: "below", x0: back(a), x1: back(b), y0: 0, y1: 1, yref: "paper", line: { width: 0 },
        fillcolor: rgb(colours[phase.name] || "--phase-rest", 0.16 * strength),
      });
      const slices = [slice(from + fade, to - fade, 1)];
      for (let i = 0; i < SLICES; i++) {
        const strength = (i + 0.5) / SLICES;
        const [a, b] = [(fade * i) / SLICES, (fade * (i + 1)) / SLICES];
        slices.push(slice(from + a, from + b, strength), slice(to - b, to - a, strength));
      }
      return slices;
    });
  }

  // Names of phases above the chart, in as many rows as they need to stay apart.
  function phaseNames(state, x, width, range) {
    const ends = [];
    return state.phases.map((phase) => {
      const words = `${Klubok.phaseName(phase)} ${text.percent(phase.certainty, 0)}`;
      const start = x.note(x.at(phase.start));
      const left = ((start - range[0]) / (range[1] - range[0])) * width;
      const size = words.length * 6.4 + 14;
      // A name that would leave the chart ends where its phase does.
      const flip = left + size > width;
      const [from, to] = flip ? [width - size, width] : [left, left + size];
      let row = ends.findIndex((end) => end <= from);
      if (row < 0) row = ends.push(0) - 1;
      ends[row] = to;
      return {
        text: flip ? `${escape(words)} ┐` : `┌ ${escape(words)}`, x: flip ? 1 : start, xref: flip ? "paper" : "x",
        xanchor: flip ? "right" : "left", y: 1, yref: "paper", yanchor: "bottom", yshift: 3 + row * 15, showarrow: false,
        font: { size: 11, color: rgb("--ink") }, row,
      };
    });
  }

  // Plotly reads some markup in texts.
  const escape = (words) => words.replace(/[<>&]/g, "");

  function flags(state, x) {
    return state.verdicts.map((verdict, i) => ({
      text: `⚑${i + 1}`, x: x.note(x.at(verdict.since)), xanchor: "left", xshift: 1, y: LOSS[1], yref: "paper",
      yanchor: "top", yshift: -(i % 3) * 15, showarrow: false,
      font: { size: 13, color: rgb(verdict.severity === "error" ? "--bad" : verdict.severity === "warning" ? "--warn" : "--muted") },
    }));
  }

  function guessing(state) {
    const level = (y, yref) => ({
      type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, yref, line: { color: rgb("--muted"), width: 1, dash: "dot" },
    });
    const label = (y, yref) => ({
      text: Klubok.target().guessing(), xref: "paper", x: 0, xanchor: "left", y, yref, yanchor: "top", showarrow: false,
      font: { size: 11, color: rgb("--muted") },
    });
    const levels = [[state.run.loss_of_guessing, "y"], [Klubok.target().score.guess(state.run), "y2"]].filter(([y]) => text.isNumber(y));
    return { shapes: levels.map((of) => level(...of)), labels: levels.map((of) => label(...of)) };
  }

  function moment(line, x) {
    return line ? [upright(x.of(line), rgb("--ink"), { width: 1.5 })] : [];
  }

  function ticks(kind, most) {
    if (kind !== "steps") return {};
    const powers = [1];
    while (powers[powers.length - 1] * 10 <= most) powers.push(powers[powers.length - 1] * 10);
    return { tickvals: [0.5, ...powers], ticktext: ["0", ...powers.map(text.count)] };
  }

  // The whole figure. Both heights and ranges are given, so that a line that arrives moves nothing else.
  function figure(state, kind, line, width) {
    const x = axis(kind, state);
    const xs = state.lines.map(x.of);
    const end = Math.max(kind === "epochs" ? state.now.epochs || 1 : 1, ...xs.slice(-1));
    const range = kind === "steps" ? [Math.log10(0.4), Math.log10(end * 1.15)] : [-0.015 * end, end * 1.015];
    const losses = state.lines.flatMap((line) => [training(line), line.val_loss]).filter(text.isNumber);
    const { score } = Klubok.target();
    const scores = state.lines.flatMap((line) => [score.train(line), score.val(line)]).filter(text.isNumber);
    const names = phaseNames(state, x, Math.max(100, width - 66), range);
    const rows = Math.max(1, ...names.map((name) => name.row + 1));
    const guess = guessing(state);
    const lowest = Math.min(score.guess(state.run), ...scores);
    const common = { gridcolor: rgb("--grid"), zeroline: false, linecolor: rgb("--line"), fixedrange: true, automargin: false };
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "x", dragmode: false,
      font: { family: "system-ui, sans-serif", size: 12, color: rgb("--muted") },
      separators: text.lang === "ru" ? ",\u00a0" : ".,", margin: { l: 52, r: 14, t: 12 + rows * 15, b: 40 },
      hoverlabel: { bgcolor: rgb("--panel"), bordercolor: rgb("--line"), font: { color: rgb("--ink") } },
      xaxis: {
        ...common, type: kind === "steps" ? "log" : "linear", range, anchor: "y2", ...ticks(kind, end),
        title: { text: t({ steps: "page.axis_steps", epochs: "page.axis_epochs", seconds: "page.axis_seconds" }[kind]), standoff: 8 },
      },
      yaxis: {
        ...common, domain: LOSS, range: [0, Math.max((state.run.loss_of_guessing || 0) * 1.3, ...losses) * 1.05], title: { text: t("page.loss") },
      },
      yaxis2: {
        ...common, domain: ACCURACY, range: [Math.max(score.lowest, lowest - 0.08), 1.02], title: { text: score.name() }, ...score.ticks(lowest),
      },
      shapes: [...phaseBands(state, x), ...guess.shapes, ...moment(line, x)],
      annotations: [...names.map(({ row, ...name }) => name), ...guess.labels, ...flags(state, x)],
    };
    return { data: lines(state, x), layout, x };
  }

  Klubok.figure = { figure };
})();
