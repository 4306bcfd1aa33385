// The network from left to right: what each layer makes of the sample, and the way the error goes back.
(() => {
  "use strict";
  const { t, text, store } = Klubok;
  const { el, canvas, bytes, signedBytes } = Klubok.draw;
  const STRONGEST = 8;
  const CLASSES = 8;
  let flow, note, ways, proof;
  let way = "forward";

  function build(body) {
    const choices = [["forward", t("page.forward")], ["backward", t("page.backward")]];
    flow = el("ol", { class: "flow", tabindex: 0, "aria-label": t("page.network") });
    note = el("p", { class: "note" });
    ways = Klubok.draw.choice(t("page.way"), choices, way, (chosen) => {
      way = chosen;
      Klubok.store.changed("way");
    });
    // The error that goes back is that of a class.
    ways.hidden = Klubok.state.run.data.target !== "class";
    body.append(el("div", { class: "bar-of-tools" }, note, ways), flow);
    proof = Klubok.proof();
    body.append(proof.box);
  }

  // A figure of a layer: its name, a bar where it has a scale, and the number.
  function figure(label, value, bar) {
    return el("div", { class: "layer-figure" }, el("span", { text: label }), bar || null, el("b", { text: value }));
  }

  const column = (title, sub, ...children) =>
    el("li", { class: "layer" }, el("h3", { text: title }), el("p", { class: "sub", text: sub }), ...children);

  // The strongest units as bars; each leads to the neuron.
  function units(layer, list, signed) {
    const most = Math.max(...list.map((unit) => Math.abs(unit.value)), 1e-30);
    return el("ul", { class: "units" }, ...list.slice(0, STRONGEST).map(({ unit, value }) => {
      const bar = signed ? Klubok.draw.twoSided(value / most) : Klubok.draw.bar(value / most);
      const shown = signed ? text.signed(value, 2) : text.number(value, 2);
      return el("li", {}, el("button", {
        type: "button", class: "unit", "data-focus": `${layer}-${unit}`,
        onclick: () => Klubok.openNeuron(layer, unit),
      }, el("span", { class: "unseen", text: `${t("page.unit")} ` }), el("span", { class: "number", text: unit }), bar, el("span", { class: "value", text: shown })));
    }));
  }

  function input(look) {
    if (!look.pixels) {
      const names = Klubok.state.run.data.columns || [];
      const list = (look.values || []).slice(0, 12).map((value, i) =>
        el("div", {}, el("dt", { text: names[i] ?? String(i + 1) }), el("dd", { text: text.number(value) })));
      return el("dl", { class: "evidence" }, ...list);
    }
    const picture = canvas(t("page.picture_text", { name: look.name || t("page.own_picture"), width: look.width, height: look.height }), "sample");
    Klubok.draw.picture(picture, look, bytes(look.pixels));
    return picture;
  }

  const inputs = (state) => t("page.inputs", { n: text.count(state.run.network.inputs) });
  const unitsOf = (state, name) => {
    const layer = state.run.network.layers.find((layer) => layer.name === name);
    const then = layer && layer.activation;
    return t("page.units", { n: text.count(layer ? layer.units : null) }) + (then ? ` · ${then}` : "");
  };

  // Gradients differ by powers of ten: a bar of their logarithm shows whether they vanish on the way.
  function gradientBar(norm, norms) {
    const [low, high] = [Math.min(...norms, 1e30), Math.max(...norms, 1e-30)];
    const from = Math.log10(Math.min(low, high / 1000));
    return Klubok.draw.bar((Math.log10(norm) - from) / (Math.log10(high) - from || 1));
  }

  function measured(line, name) {
    return ((line && line.layers) || []).find((layer) => layer.name === name) || {};
  }

  function forward(state, look) {
    const line = store.line();
    const norms = ((line && line.layers) || []).map((layer) => layer.grad_norm).filter((norm) => norm > 0);
    const columns = [column(t(look.pixels ? "page.input" : "page.input_columns"), inputs(state), input(look))];
    for (const layer of look.layers.filter((layer) => layer.name !== "output")) {
      const of = measured(line, layer.name);
      const parts = [];
      if (layer.all) {
        const tiles = canvas(t("page.tiles_text", { layer: layer.name, active: text.percent(layer.active, 0) }), "tiles");
        Klubok.draw.mosaic(tiles, bytes(layer.all));
        parts.push(tiles);
      }
      parts.push(
        figure(t("page.active"), text.percent(layer.active, 0), Klubok.draw.bar(layer.active, { tick: 0.5 })),
        figure(t("page.active_all"), text.percent(of.active_fraction, 0), Klubok.draw.bar(of.active_fraction, { tick: 0.5, kind: "soft" })),
        figure(t("page.gradient"), text.number(of.grad_norm, 2), of.grad_norm > 0 ? gradientBar(of.grad_norm, norms) : null),
        figure(t("page.dead"), text.percent(of.dead_fraction, 0), null),
        el("h4", { text: t("page.strongest") }), units(layer.name, layer.strongest, layer.strongest.some(({ value }) => value < 0)));
      columns.push(column(layer.name, unitsOf(state, layer.name), ...parts));
    }
    columns.push(column(t("page.answer"), unitsOf(state, "output"), answer(state, look)));
    return columns;
  }

  const order = (list) => list.map((p, i) => i).sort((a, b) => Math.abs(list[b]) - Math.abs(list[a])).slice(0, CLASSES);

  function answer(state, look) {
    const { classes, target } = state.run.data;
    if (target === "number") {
      return el("dl", { class: "evidence" }, ...look.confidences.map((number, i) =>
        el("div", {}, el("dt", { text: classes[i] }), el("dd", { text: text.number(number) }))));
    }
    const { isTrue } = Klubok.target();
    return el("ul", { class: "answer" }, ...order(look.probabilities).map((i) => el("li", {},
      el("span", { class: "class", text: `${classes[i] ?? i}${isTrue(look, i) ? " ✓" : ""}` }),
      Klubok.draw.bar(look.probabilities[i], { kind: isTrue(look, i) ? "right" : "" }),
      el("span", { class: "value", text: text.percent(look.probabilities[i]) }))));
  }

  // Weights by the slope of the loss along them: gradient descent moves each against it.
  const weights = (list) => el("ul", { class: "weights" }, ...list.map(({ unit, input, slope }) =>
    el("li", {}, el("span", { text: `${unit} ← ${input}` }), el("b", { text: text.signed(slope, 2) }))));

  function backward(state, look) {
    const back = look.backward;
    const { classes } = state.run.data;
    const norms = back.layers.map((layer) => layer.norm).filter((norm) => norm > 0);
    const error = el("ul", { class: "answer" }, ...order(back.output).map((i) => el("li", {},
      el("span", { class: "class", text: `${classes[i] ?? i}${i === back.target ? " ✓" : ""}` }),
      Klubok.draw.twoSided(back.output[i]), el("span", { class: "value", text: text.signed(back.output[i], 2) }))));
    let at = null;
    if (back.input && look.pixels) {
      at = canvas(t("page.gradient_text"), "sample");
      Klubok.draw.diverging(at, look, signedBytes(back.input), 127);
    }
    const legend = at ? el("p", { class: "sub", text: t("page.gradient_scale", { scale: text.number(back.input_scale, 2) }) }) : null;
    const columns = [column(t(look.pixels ? "page.input" : "page.input_columns"), look.pixels ? t("page.gradient_at_input") : inputs(state), at, legend)];
    for (const layer of back.layers.filter((layer) => layer.name !== "output")) {
      columns.push(column(layer.name, unitsOf(state, layer.name),
        figure(t("page.gates"), text.percent(layer.open, 0), Klubok.draw.bar(layer.open, { tick: 0.5 })),
        figure(t("page.error_size"), text.number(layer.norm, 2), layer.norm > 0 ? gradientBar(layer.norm, norms) : null),
        el("h4", { text: t("page.most_error") }), units(layer.name, layer.strongest, true),
        el("h4", { text: t("page.steepest") }), weights(layer.steepest)));
    }
    columns.push(column(t("page.answer"), "p − y", error));
    return columns;
  }

  function render(state, look) {
    if (!look || !look.layers) return;
    const canGoBack = Boolean(look.backward);
    proof.render(state, look);
    const back = way === "backward" && canGoBack;
    const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.focus : null;
    flow.classList.toggle("backward", back);
    flow.replaceChildren(...(back ? backward(state, look) : forward(state, look)));
    // The list is built anew while somebody may be in it with the keyboard.
    if (focused) {
      const same = [...flow.querySelectorAll("[data-focus]")].find((unit) => unit.dataset.focus === focused);
      if (same) same.focus({ preventScroll: true });
    }
    if (way === "backward" && !canGoBack) note.textContent = t("page.no_way_back");
    else note.textContent = back ? t("page.backward_is") : t("page.forward_is");
  }

  Klubok.panel({ id: "network", build, render, path: () => Klubok.passPath(), every: 1500 });
})();
