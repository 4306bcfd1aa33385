// How far each layer has come: what a straight cut through its outputs can tell, how little a flip or a shift of the picture
// changes them, and where the validation samples lie before the last layer.
(() => {
  "use strict";
  const { t, text } = Klubok;
  const { el, write } = Klubok.draw;
  let table, note;

  function build(body) {
    table = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("page.layers") });
    note = el("p", { class: "note" });
    body.append(table, note);
  }

  const bar = (share) => el("td", { class: "bar-cell" }, Klubok.draw.bar(share));
  const name = (state, layer) =>
    layer.name === "input" ? t(state.run.data.kind === "pictures" ? "page.input" : "page.input_columns") : layer.name;

  function render(state, look, changes) {
    if (!look || !look.layers || ![...changes].some((what) => ["look", "shown", "theme", "moment", "run"].includes(what))) return;
    const pictures = text.isNumber(look.pixels);
    const heads = ["page.layer", "page.probe", "page.probe", ...(pictures ? ["page.flipped", "page.shifted"] : [])];
    const row = (layer) => el("tr", {}, el("th", { scope: "row", text: name(state, layer) }),
      el("td", { text: text.percent(layer.probe) }), bar(layer.probe),
      ...(pictures ? [layer.flip, layer.shift].map((value) => el("td", { text: text.decimals(value, 2) })) : []));
    table.replaceChildren(el("table", {},
      el("thead", {}, el("tr", {}, ...heads.map((key, i) => el("th", i === 2 ? { "aria-hidden": "true" } : { scope: "col", text: t(key) })))),
      el("tbody", {}, ...look.layers.map(row)),
      el("tfoot", {}, el("tr", {}, el("th", { scope: "row", text: t("page.network_itself") }), el("td", { text: text.percent(look.network) }), bar(look.network),
        ...(pictures ? [el("td"), el("td")] : [])))));
    const probe = t("page.probe_is", { n: text.count(look.learnt_from), all: text.count(look.samples), chance: text.percent(state.run.chance) });
    write(note, pictures ? `${probe} ${t("page.alike_is", { pixels: look.pixels })}` : probe);
  }

  Klubok.panel({ id: "layers", build, render, path: () => Klubok.store.atMoment("/api/look/layers"), every: 10000, long: true });
})();
