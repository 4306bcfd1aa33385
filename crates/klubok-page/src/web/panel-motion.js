// How the optimiser moves the weights: the sizes of the steps of single weights, and whether two steps in a row agree.
(() => {
  "use strict";
  const { t, text, store } = Klubok;
  const { el, svg, write } = Klubok.draw;
  const [WIDTH, HEIGHT] = [420, 170];
  let table, sizes, choose, note;
  let chosen = "all";

  function build(body) {
    table = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("page.motion") });
    sizes = el("div");
    choose = el("select", {
      "aria-label": t("page.layer"),
      onchange(event) {
        chosen = event.target.value;
        store.changed("layer");
      },
    });
    note = el("p", { class: "note" });
    body.append(el("div", { class: "motion" }, el("div", {}, choose, sizes), table), note);
  }

  const nameOf = (layer) => (layer.name === "all" ? t("page.all_weights") : t("page.weights_of", { layer: layer.name }));

  function histogram(look, layer) {
    const most = Math.max(1, ...layer.sizes);
    const wide = WIDTH / layer.sizes.length;
    const powers = layer.sizes.length / look.bins_of_a_power;
    const at = (size) => (Math.log10(size) - look.lowest_power) * look.bins_of_a_power * wide;
    const bars = layer.sizes.map((n, i) => svg("rect", {
      x: i * wide + 1, width: wide - 2, y: HEIGHT - (n / most) * HEIGHT, height: (n / most) * HEIGHT,
    }));
    // A tick at every other power keeps its number readable.
    const ticks = Array.from({ length: Math.floor(powers / 2) + 1 }, (_, i) => {
      const power = look.lowest_power + 2 * i;
      return svg("text", { x: at(10 ** power), y: HEIGHT + 15, "text-anchor": "middle", text: text.number(10 ** power, 1) });
    });
    const rate = look.learning_rate;
    const mark = rate > 0 ? [
      svg("line", { x1: at(rate), x2: at(rate), y1: -4, y2: HEIGHT }),
      svg("text", { class: "mark", x: at(rate) + 4, y: 6, text: `${t("page.learning_rate")} ${text.number(rate, 2)}` }),
    ] : [];
    return svg("svg", { viewBox: `-20 -14 ${WIDTH + 40} ${HEIGHT + 52}`, class: "sizes", role: "img", "aria-label": t("page.sizes_text", { typical: text.number(layer.typical, 2) }) },
      ...bars, ...mark, ...ticks, svg("text", { x: WIDTH / 2, y: HEIGHT + 33, "text-anchor": "middle", text: t("page.step_size") }));
  }

  function figures(layers) {
    const heads = ["page.layer", "page.cosine", "page.relative_step", "page.typical_step", "page.still"];
    const row = (layer) => el("tr", {}, el("th", { scope: "row", text: nameOf(layer) }),
      el("td", { text: layer.cosine === null ? "–" : text.decimals(layer.cosine, 2) }), el("td", { text: text.number(layer.relative, 2) }),
      el("td", { text: text.number(layer.typical, 2) }), el("td", { text: text.percent(layer.still / layer.parameters, 0) }));
    return el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((key) => el("th", { scope: "col", text: t(key) })))), el("tbody", {}, ...layers.map(row)));
  }

  // Only steps that are taken now can be looked at; of others there is what was seen then.
  function path(state) {
    if (Klubok.api.report) return null;
    const line = store.line();
    if (store.isLive() && state.now.mode === "training") return "/api/look/motion";
    return line && `/api/look/motion?moment=${line.step}`;
  }

  function render(state, look, changes) {
    const seen = Boolean(look && look.bins_of_a_power);
    choose.hidden = sizes.hidden = table.hidden = !seen;
    if (!seen) write(note, look || !path(state) ? t("page.no_steps") : "");
    if (!seen || ![...changes].some((what) => ["look", "shown", "theme", "layer", "moment", "run"].includes(what))) return;
    if (choose.options.length === 0) {
      choose.append(...[...look.layers].reverse().map((layer) => el("option", { value: layer.name, text: nameOf(layer) })));
    }
    choose.value = chosen;
    sizes.replaceChildren(histogram(look, look.layers.find((layer) => layer.name === chosen) || look.layers[0]));
    table.replaceChildren(figures(look.layers));
    write(note, t("page.cosine_is"));
  }

  Klubok.panel({ id: "motion", build, render, path, every: 10000 });
})();
