// What each layer has learnt: the weights of its units as pictures, at the start, now, and what training added.
(() => {
  "use strict";
  const { t, text, store } = Klubok;
  const { el, write, canvas, signedBytes } = Klubok.draw;
  // From chaos to order takes six seconds; for those who want no motion, in a few stops.
  const WHOLE = 6000;
  const CALM_STOPS = 8;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let grid, layers, legend, note, play;
  let playing = null;
  // The moment that is played; null is that of the slider.
  let played = null;
  let layer = null;
  let view = "added";
  // The scale of a layer only ever grows: pictures of two moments can be compared.
  const limits = new Map();

  const moments = new Map();

  function path(state) {
    layer = layer || state.run.network.layers[0].name;
    return `/api/look/features?layer=${encodeURIComponent(layer)}&moment=${moment()}`;
  }

  // The last moment of which there is a copy that is not after the slider's.
  function moment() {
    if (played !== null) return played;
    if (store.isLive()) return "live";
    const at = (store.line() || { step: 0 }).step;
    const kept = (moments.get(layer) || []).filter((step) => step <= at);
    return kept.length > 0 ? kept[kept.length - 1] : 0;
  }

  function start() {
    const all = moments.get(layer) || [];
    if (playing || all.length < 2) return stop();
    const stops = Math.min(all.length, calm.matches ? CALM_STOPS : all.length);
    let i = 0;
    const next = () => {
      if (i >= stops) return stop();
      played = all[Math.round((i / (stops - 1)) * (all.length - 1))];
      i += 1;
      write(play, `■ ${t("page.step")} ${text.count(played)}`);
      return store.changed("view");
    };
    playing = setInterval(next, WHOLE / stops);
    return next();
  }

  function stop() {
    clearInterval(playing);
    playing = null;
    played = null;
    write(play, `▶ ${t("page.play")}`);
    store.changed("view");
  }

  // What a report has is two moments.
  function player() {
    play = el("button", { type: "button", class: "quiet play", text: `▶ ${t("page.play")}`, onclick: start });
    const save = el("a", { class: "button", href: "/api/animation.gif", download: "klubok.gif", text: t("page.save_animation") });
    return el("span", { class: "pair", hidden: Klubok.api.report || Klubok.state.run.data.kind !== "pictures" }, play, save);
  }

  function build(body) {
    if (playing) clearInterval(playing);
    playing = played = null;
    const views = [["start", t("page.view_start")], ["now", t("page.view_now")], ["added", t("page.view_added")]];
    layers = el("select", {
      "aria-label": t("page.layer"),
      onchange(event) {
        layer = event.target.value;
        store.changed("layer");
      },
    });
    legend = el("p", { class: "scale" }, el("span", { class: "number" }), el("span", { class: "ramp", "aria-hidden": "true" }), el("span", { class: "number" }));
    note = el("p", { class: "note" });
    grid = el("ul", { class: "features" });
    body.append(el("div", { class: "bar-of-tools" }, layers, legend, Klubok.draw.choice(t("page.view"), views, view, (chosen) => {
      view = chosen;
      store.changed("view");
    }), player()), note, grid);
  }

  function offered(state) {
    // Only the first layer reads pixels, so only its weights are pictures.
    const all = state.run.network.layers.slice(0, 1).map((layer) => layer.name);
    if (!Klubok.api.report) return all;
    return all.filter((name) => Klubok.api.kept(`/api/look/features?layer=${name}&`).length > 0);
  }

  function renderLayers(state) {
    const names = offered(state);
    if (layers.options.length !== names.length) {
      layers.replaceChildren(...names.map((name) => el("option", { value: name, text: name })));
    }
    layers.value = layer;
    layers.hidden = names.length < 2;
  }

  function limitOf(look) {
    const before = limits.get(layer) || { start: 0, added: 0 };
    const limit = { start: Math.max(before.start, look.scale_start), added: Math.max(before.added, look.scale_added) };
    limits.set(layer, limit);
    return { start: limit.start, now: Math.max(limit.start, limit.added), added: limit.added }[view];
  }

  function weights(unit, look) {
    const start = Float32Array.from(signedBytes(unit.start), (w) => (w / 127) * look.scale_start);
    const added = Float32Array.from(signedBytes(unit.added), (w) => (w / 127) * look.scale_added);
    if (view === "start") return start;
    return view === "added" ? added : start.map((w, i) => w + added[i]);
  }

  // Weights that do not belong to pixels have no shape: they are shown as tiles.
  function shape(look, n) {
    return look.height > 1 ? look : n <= 64 ? { width: n, height: 1, channels: 1 } : Klubok.draw.tiles(n);
  }

  function tile(unit, look, limit) {
    const values = weights(unit, look);
    const norm = text.number(unit.norm_added, 2);
    const picture = canvas(t("page.feature_text", { unit: unit.unit, layer, norm }), "sample");
    Klubok.draw.diverging(picture, shape(look, values.length), values, limit);
    return el("li", {}, el("button", {
      type: "button", class: "feature", "data-focus": `f${unit.unit}`, onclick: () => Klubok.openNeuron(layer, unit.unit),
    }, picture, el("span", { class: "caption", text: `${unit.unit} · ${norm}` })));
  }

  function render(state, look, changes, lookPath) {
    renderLayers(state);
    // While another layer is on its way, the old one stays, and has its own scale.
    if (!look || !look.units || new URLSearchParams(lookPath.split("?")[1]).get("layer") !== layer) return;
    if (look.moments) moments.set(layer, look.moments);
    if (![...changes].some((what) => ["look", "view", "layer", "shown", "theme", "moment", "run"].includes(what))) return;
    const limit = limitOf(look);
    const [low, , high] = legend.children;
    write(low, `−${text.number(limit, 2)}`);
    write(high, `+${text.number(limit, 2)}`);
    const words = { start: t("page.view_start_is"), now: t("page.view_now_is"), added: t("page.view_added_is") }[view];
    write(note, `${words} ${t("page.features_of", { n: look.units.length, all: text.count(look.of) })}`);
    const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.focus : null;
    grid.replaceChildren(...look.units.map((unit) => tile(unit, look, limit)));
    const same = focused && [...grid.querySelectorAll("[data-focus]")].find((unit) => unit.dataset.focus === focused);
    if (same) same.focus({ preventScroll: true });
    // The neuron under the glass is one that learnt something; a report has its own choice.
    if (!Klubok.api.report && state.neuron.unit === null && look.units[0]) store.setNeuron(layer, look.units[0].unit);
  }

  Klubok.panel({ id: "features", build, render, path, every: 3000 });
})();
