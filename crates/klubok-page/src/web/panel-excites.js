// What excites a unit: the training pictures that do it most, and a picture that would do it more than they do.
(() => {
  "use strict";
  const { t, text } = Klubok;
  const { el, write, canvas, bytes } = Klubok.draw;
  let layers, note, list;
  let layer = null;

  const pathOf = (name) => `/api/look/excites?layer=${encodeURIComponent(name)}`;

  function offered(state) {
    // The answer is what most people want to see first.
    const names = state.run.network.layers.map((layer) => layer.name).reverse();
    return Klubok.api.report ? names.filter((name) => Klubok.api.kept(pathOf(name)).length > 0) : names;
  }

  function path(state) {
    layer = layer || offered(state)[0] || "output";
    return Klubok.store.atMoment(pathOf(layer));
  }

  function build(body) {
    layers = el("select", {
      "aria-label": t("page.layer"),
      onchange(event) {
        layer = event.target.value;
        Klubok.store.changed("layer");
      },
    }, ...offered(Klubok.state).map((name) => el("option", { value: name, text: name === "output" ? t("page.answer") : name })));
    note = el("p", { class: "note" });
    list = el("ol", { class: "exciting" });
    body.append(el("div", { class: "bar-of-tools" }, layers, note), list);
  }

  function shown(look, pixels, label) {
    const picture = canvas(label, "sample");
    Klubok.draw.picture(picture, look, bytes(pixels));
    return picture;
  }

  function row(state, look, told) {
    const { classes } = state.run.data;
    const isClass = look.layer === "output";
    // There is no room for the names of several labels.
    const one = state.run.data.target === "class";
    const name = isClass ? classes[told.unit] : `${t("page.unit")} ${told.unit}`;
    const head = isClass
      ? el("span", { class: "name", text: name })
      : el("button", { type: "button", class: "quiet name", "data-focus": `e${told.unit}`, text: name, onclick: () => Klubok.openNeuron(look.layer, told.unit) });
    const best = el("figure", { class: "best" }, shown(look, told.pixels, t("page.excites_most_text", { name })), el("figcaption", { text: t("page.excites_most") }));
    const pictures = told.rows.map((row, i) => {
      const { pixels, truth } = look.pictures[row];
      const value = text.signed(told.values[i], 2);
      return el("li", {}, el("button", {
        type: "button", class: "feature", "data-focus": `e${told.unit}-${row}`, onclick: () => Klubok.store.setSample({ row }),
      }, shown(look, pixels, t("page.exciting_text", { label: truth || "–", value })), el("span", { class: "caption", text: one ? `${truth} · ${value}` : value })));
    });
    return el("li", {}, el("div", { class: "exciting-head" }, head), best, el("ul", { class: "pictures" }, ...pictures));
  }

  function render(state, look, changes) {
    layers.value = layer;
    // While another layer is on its way, the old one stays.
    if (!look || !look.units || !look.pictures || ![...changes].some((what) => ["look", "shown", "theme", "moment", "run"].includes(what))) return;
    write(note, t("page.excites_of", { n: look.units.length, all: text.count(look.of), samples: text.count(look.samples), components: look.components }));
    const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.focus : null;
    list.replaceChildren(...look.units.map((told) => row(state, look, told)));
    const same = focused && [...list.querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === focused);
    if (same) same.focus({ preventScroll: true });
  }

  Klubok.panel({ id: "excites", build, render, path, every: 10000, long: true });
})();
