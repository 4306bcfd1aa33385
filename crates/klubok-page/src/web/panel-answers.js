// Answers: how good they are on the validation part. Of classes: what is taken for what, class by class, and whether the
// confidences are honest.
(() => {
  "use strict";
  const { t, text } = Klubok;
  const { el, svg } = Klubok.draw;
  // A matrix of more classes than this is a picture, with the most frequent confusions as text.
  const MOST_CLASSES = 12;
  const CONFUSIONS = 8;
  let box, head, matrix, classes, honest;

  function build(body) {
    box = body;
    if (Klubok.state.run.data.target !== "class") return;
    head = el("p", { class: "lead" });
    matrix = el("div");
    classes = el("div");
    honest = el("div");
    body.append(head, el("h3", { text: t("page.confusion") }), matrix, el("h3", { text: t("page.by_class") }), classes,
      el("h3", { text: t("page.calibration") }), el("p", { class: "note", text: t("page.calibration_is") }), honest);
  }

  const region = (label, child) => el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, child);

  function confusionTable(names, counts) {
    const cell = (row, of, i, j) => {
      const share = of > 0 ? row[j] / of : 0;
      const td = el("td", { class: i === j ? "hit" : "", text: text.count(row[j]) });
      td.style.setProperty("--share", share.toFixed(3));
      return td;
    };
    const rows = counts.map((row, i) => {
      const of = row.reduce((a, b) => a + b, 0);
      return el("tr", {}, el("th", { scope: "row", text: names[i] }), ...row.map((n, j) => cell(row, of, i, j)));
    });
    return region(t("page.confusion"), el("table", { class: "confusion" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col", text: t("page.truth_answer") }), ...names.map((name) => el("th", { scope: "col", text: name })))),
      el("tbody", {}, ...rows)));
  }

  function confusionPicture(names, counts) {
    const picture = Klubok.draw.canvas(t("page.confusion"), "sample matrix");
    const shares = counts.flatMap((row) => {
      const of = Math.max(1, row.reduce((a, b) => a + b, 0));
      return row.map((n) => Math.round((Math.sqrt(n / of)) * 255));
    });
    Klubok.draw.mosaic(picture, shares);
    const pairs = counts.flatMap((row, i) => row.map((n, j) => ({ n, i, j }))).filter(({ n, i, j }) => i !== j && n > 0);
    pairs.sort((a, b) => b.n - a.n);
    return el("div", { class: "side-by-side" }, picture, el("ol", {}, ...pairs.slice(0, CONFUSIONS).map(({ n, i, j }) =>
      el("li", { text: t("page.taken_for", { truth: names[i], answer: names[j], n: text.count(n) }) }))));
  }

  function classTable(names, rows) {
    const heads = ["page.class", "page.precision", "page.recall", "F1", "page.samples"];
    return region(t("page.by_class"), el("table", {},
      el("thead", {}, el("tr", {}, ...heads.map((key) => el("th", { scope: "col", text: key === "F1" ? key : t(key) })))),
      el("tbody", {}, ...rows.map((row, i) => el("tr", {}, el("th", { scope: "row", text: names[i] }),
        ...[row.precision, row.recall, row.f1].map((value) => el("td", { text: text.percent(value) })), el("td", { text: text.count(row.support) }))))));
  }

  // Confidence against how often it was right: honest confidences lie on the diagonal.
  function reliability(bins, ece) {
    const size = 200;
    const at = (share) => size - share * size;
    const filled = bins.filter((bin) => bin.samples > 0);
    const most = Math.max(1, ...filled.map((bin) => bin.samples));
    const words = filled.map((bin) => t("page.bin", { confidence: text.percent(bin.confidence, 0), accuracy: text.percent(bin.accuracy, 0), n: text.count(bin.samples) }));
    const drawing = svg("svg", { viewBox: `-40 -10 ${size + 60} ${size + 46}`, class: "reliability", role: "img", "aria-label": t("page.calibration_text", { ece: text.percent(ece) }) },
      svg("rect", { x: 0, y: 0, width: size, height: size, class: "frame" }),
      ...filled.map((bin) => svg("rect", {
        x: bin.from * size + 1, y: at(bin.accuracy), width: Math.max(1, (bin.to - bin.from) * size - 2), height: bin.accuracy * size,
        class: "bin", "fill-opacity": 0.25 + 0.75 * (bin.samples / most),
      })),
      svg("line", { x1: 0, y1: size, x2: size, y2: 0, class: "diagonal" }),
      ...[0, 0.5, 1].flatMap((share) => [
        svg("text", { x: share * size, y: size + 14, "text-anchor": "middle", text: text.percent(share, 0) }),
        svg("text", { x: -4, y: at(share) + 4, "text-anchor": "end", text: text.percent(share, 0) }),
      ]),
      svg("text", { x: size / 2, y: size + 30, "text-anchor": "middle", text: t("page.confidence") }));
    return el("div", { class: "side-by-side" }, drawing,
      el("div", {}, el("p", { text: t("page.ece", { ece: text.percent(ece) }) }),
        el("details", {}, el("summary", { text: t("page.as_text") }), el("ul", {}, ...words.map((text) => el("li", { text }))))));
  }

  function render(state, look, changes) {
    if (!look || !text.isNumber(look.samples) || ![...changes].some((what) => ["look", "shown", "theme", "moment", "run"].includes(what))) return;
    const { target, classes: names } = state.run.data;
    if (target === "label") box.replaceChildren(...Klubok.answers.labels(look));
    else if (target === "number") box.replaceChildren(...Klubok.answers.numbers(look, names));
    else renderClasses(look, names);
  }

  function renderClasses(look, names) {
    const [low, high] = look.accuracy_interval || [null, null];
    head.textContent = t("page.accuracy_is", {
      accuracy: text.percent(look.accuracy), low: text.percent(low), high: text.percent(high), chance: text.percent(look.chance), n: text.count(look.samples),
    });
    matrix.replaceChildren(names.length > MOST_CLASSES ? confusionPicture(names, look.confusion) : confusionTable(names, look.confusion));
    classes.replaceChildren(classTable(names, look.per_class));
    honest.replaceChildren(reliability(look.calibration || [], look.ece));
  }

  Klubok.panel({ id: "answers", build, render, path: () => Klubok.store.atMoment("/api/look/answers"), every: 5000 });
})();
