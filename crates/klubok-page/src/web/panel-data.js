// Data: what the network learns from, and how even its classes or labels are.
(() => {
  "use strict";
  const { t, text } = Klubok;
  const { el } = Klubok.draw;
  let head, balance, table;

  function build(body) {
    head = el("p", { class: "lead" });
    balance = el("p", { class: "note" });
    table = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("page.data") });
    body.append(head, table, balance);
  }

  function render(state, look, changes) {
    if (!changes.has("run") && !changes.has("shown")) return;
    const { data } = state.run;
    const what = data.kind === "pictures"
      ? t("page.data_pictures", { width: data.width, height: data.height, colours: data.channels === 3 ? t("page.in_colour") : t("page.in_grey"), inputs: text.count(state.run.network.inputs) })
      : t("page.data_columns", { n: text.count(state.run.network.inputs) });
    head.textContent = `${data.source}: ${what}`;
    const most = Math.max(1, ...data.train);
    // Numbers have no counts of their own.
    const counted = data.target === "number" ? [] : data.classes;
    const rows = counted.map((name, i) => el("tr", {}, el("th", { scope: "row", text: name }),
      el("td", { text: text.count(data.train[i]) }), el("td", { text: text.count(data.val[i]) }),
      el("td", { class: "bar-cell" }, Klubok.draw.bar(data.train[i] / most))));
    const { train_samples: train, val_samples: val } = state.run;
    const name = { class: "page.class", label: "page.label", number: "page.samples" }[data.target];
    const heads = [t(name), t("page.training"), t("page.validation"), ...(counted.length > 0 ? [t("page.share")] : [])];
    table.replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((words) => el("th", { scope: "col", text: words })))),
      el("tbody", {}, ...rows),
      el("tfoot", {}, el("tr", {}, el("th", { scope: "row", text: t("page.all") }), el("td", { text: text.count(train) }),
        el("td", { text: text.count(val) }), ...(counted.length > 0 ? [el("td")] : [])))));
    balance.textContent = data.target === "class" ? balanceOf(state) : counted.length > 0 ? "" : t("page.to_predict", { names: data.classes.join(", ") });
  }

  function balanceOf(state) {
    const { data } = state.run;
    const uneven = Math.max(...data.train) / Math.max(1, Math.min(...data.train));
    return uneven < 1.5
      ? t("page.balanced", { chance: text.percent(state.run.chance) })
      : t("page.unbalanced", { times: text.number(uneven, 2), chance: text.percent(state.run.chance) });
  }

  Klubok.panel({ id: "data", build, render });
})();
