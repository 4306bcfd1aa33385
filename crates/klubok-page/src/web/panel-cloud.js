// The validation samples as the last layer gets them, in a plane: how the layers before it have sorted them.
(() => {
  "use strict";
  const { t, text, store } = Klubok;
  const { el, write } = Klubok.draw;
  const SIZE = 864;
  let drawing, note;
  let moments = [];

  function path() {
    if (store.isLive()) return "/api/look/cloud?moment=live";
    const at = (store.line() || { step: 0 }).step;
    const kept = moments.filter((step) => step <= at);
    // Where a point lies depends on the last moment too: an answer of before is another drawing.
    const of = Klubok.api.report || moments.length === 0 ? "" : `&of=${moments[moments.length - 1]}`;
    return `/api/look/cloud?moment=${kept.length > 0 ? kept[kept.length - 1] : 0}${of}`;
  }

  function build(body) {
    drawing = el("canvas", { class: "map", role: "img", width: SIZE, height: SIZE });
    note = el("p", { class: "note" });
    body.append(drawing, Klubok.draw.classLegend(Klubok.state.run.data.classes), note);
  }

  // The scale only grows: moments can be compared.
  let reach = 1;
  function render(state, look, changes) {
    if (!look || !look.points) return;
    moments = look.moments;
    if (![...changes].some((what) => ["look", "shown", "theme", "moment", "run"].includes(what))) return;
    const context = drawing.getContext("2d");
    context.clearRect(0, 0, SIZE, SIZE);
    reach = Math.max(reach, ...look.points.flatMap(([x, y]) => [Math.abs(x), Math.abs(y)]));
    const place = (v) => SIZE / 2 + (v / (reach * 1.06)) * (SIZE / 2);
    // Wrong answers are drawn last, and hollow.
    const right = ([, , label, said]) => label === said;
    for (const wrong of [false, true]) {
      for (const [x, y, label, said] of look.points) {
        if (right([x, y, label, said]) !== wrong) Klubok.draw.point(context, label, place(x), SIZE - place(y), 10, { hollow: wrong });
      }
    }
    const missed = look.points.filter((point) => !right(point)).length;
    const words = t("page.cloud_is", { n: text.count(look.points.length), width: text.count(look.width), missed: text.count(missed) });
    drawing.setAttribute("aria-label", words);
    write(note, words);
  }

  Klubok.panel({ id: "cloud", build, render, path, every: 3000 });
})();
