// One neuron under the glass: what it is given, what it weighs with, and the sum.
(() => {
  "use strict";
  const { t, text, store } = Klubok;
  const { el, write, canvas, floats } = Klubok.draw;
  const LARGEST = 10;
  let layers, unit, parts, sum, note;

  // A report holds a few neurons; else the first unit of the first layer stands until somebody chooses.
  function chosen(state) {
    let { layer, unit } = state.neuron;
    if (layer === null) {
      [layer, unit] = [state.run.network.layers[0].name, 0];
      const [first] = Klubok.api.kept("/api/look/neuron?");
      if (first) {
        const query = new URLSearchParams(first.split("?")[1]);
        [layer, unit] = [query.get("layer"), Number(query.get("unit"))];
      }
    }
    return { layer, unit };
  }

  function path(state) {
    const { layer, unit } = chosen(state);
    // What an own picture shows makes no difference to a sum.
    const sample = store.samplePath().replace(/&label=.*/, "");
    return store.atMoment(`/api/look/neuron?layer=${encodeURIComponent(layer)}&unit=${unit}` + (sample ? `&${sample}` : ""));
  }

  function choose(by = 0) {
    const found = Klubok.state.run.network.layers.find((layer) => layer.name === layers.value);
    const units = found ? found.units : 1;
    const wanted = Math.round(Number(unit.value)) + by;
    store.setNeuron(layers.value, Math.max(0, Math.min(units - 1, Number.isFinite(wanted) ? wanted : 0)));
  }

  function build(body) {
    layers = el("select", { id: "neuron-layer", onchange: () => choose() });
    unit = el("input", { id: "neuron-unit", type: "number", min: 0, step: 1, value: 0, onchange: () => choose() });
    const step = (sign, key, by) => el("button", { type: "button", class: "quiet", text: sign, "aria-label": t(key), onclick: () => choose(by) });
    parts = el("div", { class: "parts" });
    sum = el("dl", { class: "sum" });
    note = el("p", { class: "note" });
    body.append(el("div", { class: "bar-of-tools start" },
      el("label", { for: "neuron-layer", text: t("page.layer") }), layers,
      el("span", { class: "stepper" }, el("label", { for: "neuron-unit", text: t("page.unit") }),
        step("−", "page.unit_before", -1), unit, step("+", "page.unit_after", 1))),
    el("div", { class: "glass" }, parts, el("div", {}, sum, note)));
  }

  function renderChoice(state) {
    const { layer, unit: number } = chosen(state);
    const names = state.run.network.layers.map((layer) => layer.name);
    if (layers.options.length !== names.length) layers.replaceChildren(...names.map((name) => el("option", { value: name, text: name })));
    if (document.activeElement !== layers) layers.value = layer;
    const found = state.run.network.layers.find((it) => it.name === layer);
    unit.max = found ? found.units - 1 : 0;
    if (document.activeElement !== unit) unit.value = number;
  }

  // Inputs, weights and their products as three pictures, each on its own scale.
  function pictures(look, x, w, products) {
    const figure = (sign, label, values) => {
      const limit = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
      const picture = canvas(`${label} ±${text.number(limit, 2)}`, "sample");
      Klubok.draw.diverging(picture, look, values, limit);
      return [el("span", { class: "sign", "aria-hidden": "true", text: sign }),
        el("figure", {}, picture, el("figcaption", { text: label }), el("span", { class: "sub", text: `±${text.number(limit, 2)}` }))];
    };
    return [...figure("", t("page.x_is"), x), ...figure("×", t("page.w_is"), w), ...figure("=", t("page.products_are"), products)];
  }

  // The products that weigh most, as a table.
  function largest(look, x, w, products) {
    const order = [...products.keys()].sort((a, b) => Math.abs(products[b]) - Math.abs(products[a])).slice(0, LARGEST);
    const most = Math.abs(products[order[0]]) || 1;
    const names = look.from === "input" ? Klubok.state.run.data.columns || [] : [];
    const rows = order.map((i) => el("tr", {}, el("th", { scope: "row", text: names[i] ?? `${look.from} ${i}` }),
      el("td", { text: text.number(x[i]) }), el("td", { text: text.signed(w[i]) }), el("td", { text: text.signed(products[i]) }),
      el("td", { class: "bar-cell" }, Klubok.draw.twoSided(products[i] / most))));
    const head = [t("page.from"), "x", "w", "x · w", t("page.share")];
    return [el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("page.largest_products") },
      el("table", {}, el("caption", { text: t("page.largest_products") }),
        el("thead", {}, el("tr", {}, ...head.map((words) => el("th", { scope: "col", text: words })))), el("tbody", {}, ...rows)))];
  }

  const activations = { relu: "max(0, z)", identity: "z", tanh: "tanh z", sigmoid: "σ(z)" };

  function render(state, look, changes) {
    renderChoice(state);
    if (!look) for (const part of [parts, sum, note]) part.replaceChildren();
    if (!look || !look.w || ![...changes].some((what) => ["look", "neuron", "sample", "shown", "theme", "moment", "run"].includes(what))) return;
    const [x, w] = [floats(look.x), floats(look.w)];
    const products = w.map((weight, i) => weight * x[i]);
    parts.replaceChildren(...(look.height > 1 ? pictures(look, x, w, products) : largest(look, x, w, products)));
    renderSum(look, products);
  }

  // Added up as on paper, one number below the other.
  function renderSum(look, products) {
    let [up, down] = [0, 0];
    for (const product of products) product > 0 ? (up += product) : (down += product);
    const rows = [[t("page.products_above"), up, ""], [t("page.products_below"), down, ""]];
    if (text.isNumber(look.b)) rows.push([t("page.bias"), look.b, ""]);
    if (look.normalised) rows.push([t("page.sum"), look.sum, "total"], [t("page.normalised"), look.z, ""]);
    else rows.push([t("page.sum_z"), look.z, "total"]);
    rows.push([activations[look.activation] || look.activation, look.a, "result"]);
    const shown = (value) => (value < 0 ? "−" : "") + text.decimals(Math.abs(value), 4);
    sum.replaceChildren(...rows.map(([label, value, kind]) =>
      el("div", { class: kind }, el("dt", { text: label }), el("dd", { text: shown(value) }))));
    write(note, look.activation === "relu" && !(look.z > 0) ? t("page.silent") : "");
  }

  // From another panel: choose it, and bring it into sight.
  Klubok.openNeuron = (layer, unit) => {
    store.setNeuron(layer, unit);
    const panel = document.getElementById("panel-neuron");
    panel.open = true;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    panel.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "nearest" });
  };
  Klubok.panel({ id: "neuron", build, render, path, every: 2000 });
})();
