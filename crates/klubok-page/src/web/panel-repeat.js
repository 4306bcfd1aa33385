// Repeat: the command and the configuration of this run.
(() => {
  "use strict";
  const { t, text } = Klubok;
  const { el, write } = Klubok.draw;
  let command, config, network, acts;
  // What changes the numbers; a rest or a single step does not.
  const telling = {
    learning_rate: () => "page.act_rate",
    stop: () => "page.act_stop",
    epochs: (event) => (event.rate === undefined ? "page.act_epochs" : "page.act_epochs_rate"),
  };

  function build(body) {
    command = el("code");
    config = el("pre", { tabindex: 0, "aria-label": t("page.configuration") });
    network = el("p", { class: "note" });
    acts = el("div", { hidden: true });
    body.append(
      el("p", { class: "command" }, command, Klubok.draw.copyButton(() => command.textContent)), acts, network,
      el("div", { class: "head" }, el("h3", { text: t("page.configuration") }), Klubok.draw.copyButton(() => config.textContent)), config);
  }

  // What people did to the training is no part of its configuration.
  function renderActs(state) {
    const done = state.events.filter((event) => event.event === "person" && event.act in telling);
    acts.hidden = done.length === 0;
    if (acts.hidden) return;
    const replay = `klubok train --replay ${state.run.path}`;
    acts.replaceChildren(
      el("p", { text: t("page.acts_are") }),
      el("ul", {}, ...done.map((event) => el("li", { text: t(telling[event.act](event), { step: text.count(event.step), epochs: event.epochs, rate: text.number(event.rate, 2) }) }))),
      el("p", { class: "command" }, el("code", { text: replay }), Klubok.draw.copyButton(() => replay)));
  }

  function render(state, look, changes) {
    if (changes.has("story") || changes.has("shown")) renderActs(state);
    if (!changes.has("run") && !changes.has("shown")) return;
    const { run } = state;
    write(command, run.command);
    write(config, run.config_text);
    const layers = [run.network.inputs, ...run.network.layers.map((layer) => layer.units)].join(" → ");
    write(network, t("page.network_is", { layers, parameters: text.count(run.network.parameters), path: run.path }));
  }

  Klubok.panel({ id: "repeat", build, render });
})();
