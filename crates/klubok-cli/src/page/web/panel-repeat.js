// Repeat: the command and the configuration of this run.
(() => {
  "use strict";
  const { t } = Klubok;
  const { el, write } = Klubok.draw;
  let command, config, network;

  function build(body) {
    command = el("code");
    config = el("pre", { tabindex: 0, "aria-label": t("page.configuration") });
    network = el("p", { class: "note" });
    body.append(
      el("p", { class: "command" }, command, Klubok.draw.copyButton(() => command.textContent)), network,
      el("div", { class: "head" }, el("h3", { text: t("page.configuration") }), Klubok.draw.copyButton(() => config.textContent)), config);
  }

  function render(state, look, changes) {
    if (!changes.has("run") && !changes.has("shown")) return;
    const { run } = state;
    write(command, run.command);
    write(config, run.config_text);
    const layers = [run.network.inputs, ...run.network.layers.map((layer) => layer.units)].join(" → ");
    write(network, t("page.network_is", { layers, parameters: Klubok.text.count(run.network.parameters), path: run.path }));
  }

  Klubok.panel({ id: "repeat", build, render });
})();
