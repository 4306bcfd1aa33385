// Training samples whose label the network contradicts: perhaps the label is wrong, perhaps the sample is odd.
(() => {
  "use strict";
  const { t, text } = Klubok;
  const { el, write, canvas, bytes } = Klubok.draw;
  let list, note;

  function build(body) {
    note = el("p", { class: "note" });
    list = el("ul", { class: "suspects" });
    body.append(note, list);
  }

  function row(state, one) {
    const { classes } = state.run.data;
    const words = t("page.suspect", { label: classes[one.label], answer: classes[one.said], sure: text.percent(one.confidence, 0), loss: text.number(one.loss) });
    let picture = null;
    if (one.pixels) {
      picture = canvas(t("page.picture_text", { name: one.name, width: one.width, height: one.height }), "sample");
      Klubok.draw.picture(picture, one, bytes(one.pixels));
    }
    const choose = () => Klubok.store.setSample({ row: one.row });
    const head = Klubok.api.report
      ? el("b", { text: one.name })
      : el("button", { type: "button", class: "quiet", "data-focus": `s${one.row}`, text: one.name, onclick: choose });
    return el("li", {}, picture, el("div", {}, head, el("p", { text: words })));
  }

  function render(state, look, changes) {
    if (!look || !look.suspects || ![...changes].some((what) => ["look", "shown", "theme", "moment", "run"].includes(what))) return;
    const values = { n: text.count(look.samples), moments: text.count(look.moments), doubt: text.percent(look.doubt, 0) };
    write(note, look.moments === 0 ? t("page.suspects_later") : look.suspects.length === 0 ? t("page.no_suspects", values) : t("page.suspects_are", values));
    const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.focus : null;
    list.replaceChildren(...look.suspects.map((one) => row(state, one)));
    const same = focused && [...list.querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === focused);
    if (same) same.focus({ preventScroll: true });
  }

  Klubok.panel({ id: "suspects", build, render, path: () => Klubok.store.atMoment("/api/look/suspects"), every: 10000, long: true });
})();
