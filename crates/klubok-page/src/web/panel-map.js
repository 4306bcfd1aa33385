// The decision map: what the network answers everywhere on the plane of its two inputs, with the points it learns from.
(() => {
  "use strict";
  const { t, text, store } = Klubok;
  const { el, write, bytes, colour, hue } = Klubok.draw;
  // Pixels of the drawing; it is shown smaller.
  const SIZE = 864;
  let drawing, axes, legend, note, share;

  const path = () => store.atMoment("/api/look/map");

  function build(body) {
    const { columns, classes } = Klubok.state.run.data;
    drawing = el("canvas", { class: "map", role: "img", width: SIZE, height: SIZE });
    axes = [0, 1].map((axis) => el("p", { class: `axis axis-${axis}` }, el("span"), el("b", { text: columns[axis] }), el("span")));
    legend = Klubok.draw.classLegend(classes);
    note = el("p", { class: "note" });
    share = el("p", { class: "lead" });
    body.append(el("div", { class: "map-and-words" }, el("figure", { class: "map-box" }, axes[1], drawing, axes[0]),
      el("div", {}, share, legend, el("p", { class: "note", text: t("page.map_is") }), note)));
  }

  // Squares as a small picture, drawn large and smooth: the network has an answer between them too.
  function squares(context, look) {
    const { answers } = look;
    const confidences = bytes(look.confidences);
    const small = el("canvas");
    const none = colour("--panel");
    const guess = 255 / Klubok.state.run.data.classes.length;
    Klubok.draw.paint(small, look.side, look.side, (i) => {
      const sure = Math.max(0, (confidences[i] - guess) / (255 - guess));
      const full = colour(hue(answers[i]));
      return none.map((c, k) => c + (full[k] - c) * (0.1 + 0.6 * sure));
    });
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(small, 0, 0, SIZE, SIZE);
  }

  function render(state, look, changes) {
    if (!look || !look.answers) return;
    if (![...changes].some((what) => ["look", "shown", "theme", "moment", "run"].includes(what))) return;
    const context = drawing.getContext("2d");
    squares(context, look);
    const place = ([x, y]) => [
      ((x - look.low[0]) / (look.high[0] - look.low[0])) * SIZE, (1 - (y - look.low[1]) / (look.high[1] - look.low[1])) * SIZE];
    for (const [part, hollow] of [["val", true], ["train", false]]) {
      for (const point of look[part]) Klubok.draw.point(context, point[2], ...place(point), 9, { hollow });
    }
    axes.forEach((axis, i) => {
      const [low, , high] = axis.children;
      write(low, text.number(look.low[i], 2));
      write(high, text.number(look.high[i], 2));
    });
    // Of the whole plane, how much goes to each class.
    const { classes } = state.run.data;
    const { answers } = look;
    const counts = classes.map((_, k) => answers.reduce((n, said) => n + (said === k), 0) / answers.length);
    const words = classes.map((name, k) => `${name} ${text.percent(counts[k], 0)}`).join(", ");
    write(share, t("page.map_share", { shares: words }));
    drawing.setAttribute("aria-label", `${t("page.map")}: ${words}`);
    write(note, t("page.map_moments", { n: text.count(look.wholes.length) }));
  }

  Klubok.panel({ id: "map", build, render, path, every: 1500 });
})();
