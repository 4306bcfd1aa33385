// Proof of backpropagation: one weight is moved a little to both sides, and the slope that is measured stands beside the one
// that the chain rule told.
(() => {
  "use strict";
  const { t, text, store } = Klubok;
  const { el, write } = Klubok.draw;
  // Digits that show what so small a step does to a loss.
  const DIGITS = 9;

  function proof() {
    const button = (key, kind, onclick) => el("button", { type: "button", class: kind, text: t(key), onclick });
    const layers = el("select", { "aria-label": t("page.layer") });
    const shown = el("div", { class: "proof", "aria-live": "polite" });
    const note = el("p", { class: "note" });
    const steepest = button("page.prove", "strong", () => ask(""));
    const other = button("page.other_weight", "quiet", () => ask(anyWeight()));
    const box = el("details", { class: "more" }, el("summary", { text: t("page.prove_it") }),
      el("p", { class: "note", text: t("page.prove_is") }), el("div", { class: "bar-of-tools start" }, layers, steepest, other), note, shown);
    let of = null;

    function anyWeight() {
      const { inputs, layers: all } = Klubok.state.run.network;
      const at = all.findIndex((layer) => layer.name === layers.value);
      const any = (n) => Math.floor(Math.random() * n);
      return `&unit=${any(all[at].units)}&input=${any(at === 0 ? inputs : all[at - 1].units)}`;
    }

    async function ask(weight) {
      const sample = store.samplePath();
      try {
        const path = `/api/look/slope?layer=${encodeURIComponent(layers.value)}${weight}${sample ? `&${sample}` : ""}`;
        const slope = await Klubok.api.get(store.atMoment(path));
        write(note, "");
        show(slope);
      } catch (error) {
        shown.replaceChildren();
        write(note, error.message);
      }
    }

    const line = (what, value, kind = "") => el("div", { class: kind }, el("dt", { text: what }), el("dd", { text: value }));

    function show(slope) {
      const exact = (x) => text.decimals(x, DIGITS);
      const e = text.number(slope.epsilon, 1);
      const apart = Math.abs(slope.measured - slope.told);
      shown.replaceChildren(
        el("p", { text: t("page.the_weight", { layer: slope.layer, unit: slope.unit, input: slope.input, w: text.signed(slope.weight) }) }),
        el("dl", { class: "sum" },
          line(t("page.loss_at", { w: `w + ${e}` }), exact(slope.moved[1])), line(t("page.loss_at", { w: "w" }), exact(slope.loss)), line(t("page.loss_at", { w: `w − ${e}` }), exact(slope.moved[0])),
          line(t("page.slope_measured"), text.signed(slope.measured, 6), "total"),
          line(t("page.slope_told"), text.signed(slope.told, 6), "result"),
          line(t("page.slopes_apart"), text.number(apart, 2))),
        el("p", { class: "note", text: `${t("page.as_of", { step: text.count(slope.step) })}. ${t("page.slope_kink")}` }));
    }

    // Another sample has other slopes.
    function render(state, look) {
      box.hidden = !look.backward || Klubok.api.report;
      if (layers.options.length === 0) {
        layers.append(...state.run.network.layers.map((layer) => el("option", { value: layer.name, text: layer.name })));
      }
      const sample = store.samplePath();
      if (of !== null && of !== sample) shown.replaceChildren();
      of = sample;
    }

    return { box, render };
  }

  Klubok.proof = proof;
})();
