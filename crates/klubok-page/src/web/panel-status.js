// Status: where the run is, and what a person may do to it.
(() => {
  "use strict";
  const { t, text, store } = Klubok;
  const { el, write } = Klubok.draw;
  let figures, progress, controls, buttons, rate;

  const modes = {
    starting: ["○", "page.mode_starting"],
    training: ["●", "page.mode_training"],
    resting: ["❚❚", "page.mode_resting"],
    following: ["◎", "page.mode_following"],
    ended: ["■", "page.mode_ended"],
  };
  const endings = {
    epochs: "page.stopped_epochs",
    early_stopping: "page.stopped_early",
    diverged: "page.stopped_diverged",
    interrupted: "page.stopped_interrupted",
    person: "page.stopped_person",
  };

  function modeText(state) {
    if (Klubok.api.report) return `▤ ${t("page.mode_report")}`;
    if (!state.connected) return `⚠ ${t("page.no_connection")}`;
    const [sign, key] = modes[state.now.mode] || modes.starting;
    const why = state.now.stopped && endings[state.now.stopped];
    return `${sign} ${t(key)}` + (state.now.mode === "ended" && why ? `: ${t(why)}` : "");
  }

  // Sends an act; what it changes is told by the server, so nothing is shown before it is true.
  async function act(act) {
    try {
      await Klubok.api.post("/api/act", act);
    } catch (error) {
      Klubok.alert(error.message);
    }
  }

  const mayAct = (state) =>
    Boolean(state.run && state.run.can_act && state.run.live && !Klubok.api.report) &&
    ["training", "resting"].includes(state.now.mode);

  // Space, or the first button.
  function toggle(state) {
    if (mayAct(state)) act({ act: state.now.mode === "resting" ? "go_on" : "pause" });
  }

  async function stop() {
    if (await Klubok.confirm(t("page.stop_sure"), t("page.stop"))) act({ act: "stop" });
  }

  function setRate(event) {
    event.preventDefault();
    const value = Number(rate.value.replace(",", "."));
    if (!(value > 0)) return Klubok.alert(t("page.rate_wrong"));
    act({ act: "learning_rate", rate: value });
  }

  function build(body) {
    figures = {};
    const list = el("dl", { class: "figures" });
    const labels = [
      ["epoch", "page.epoch"],
      ["step", "page.step"],
      ["loss", "page.training_loss"],
      ["rate", "page.learning_rate"],
      ["speed", "page.speed"],
      ["elapsed", "page.elapsed"],
      ["left", "page.left"],
    ];
    for (const [name, label] of labels) {
      figures[name] = el("dd");
      list.append(el("div", {}, el("dt", { text: t(label) }), figures[name]));
    }
    progress = el("progress", { max: 1, value: 0, "aria-label": t("page.progress") });
    const button = (key, onclick, kind = "") => el("button", { type: "button", class: kind, text: t(key), onclick });
    buttons = {
      toggle: button("page.pause", () => toggle(Klubok.state), "strong"),
      step: button("page.one_step", () => act({ act: "one_step" })),
      epoch: button("page.one_epoch", () => act({ act: "one_epoch" })),
      stop: button("page.stop", stop, "quiet"),
    };
    rate = el("input", { id: "rate", inputmode: "decimal", size: 8, autocomplete: "off" });
    const form = el("form", { class: "rate", onsubmit: setRate },
      el("label", { for: "rate", text: t("page.learning_rate") }), rate, el("button", { text: t("page.set") }));
    controls = el("div", { class: "controls", hidden: true, role: "group", "aria-label": t("page.controls") },
      buttons.toggle, buttons.step, buttons.epoch, form, buttons.stop);
    body.append(list, progress, controls);
  }

  function render(state) {
    const { now } = state;
    const live = store.isLive();
    const line = store.line() || {};
    const learningRate = store.latest("learning_rate");
    write(document.getElementById("run-name"), state.run.name);
    const mode = document.getElementById("mode");
    write(mode, modeText(state));
    mode.dataset.mode = state.connected ? now.mode : "lost";
    write(figures.epoch, t("page.of", { n: text.epoch(store.epoch()), all: text.count(now.epochs) }));
    write(figures.step, text.count(live ? now.step : line.step));
    write(figures.loss, text.number(live && now.train_loss != null ? now.train_loss : line.train_loss ?? line.train_eval_loss));
    write(figures.rate, text.number(learningRate, 2));
    const speed = live && now.samples_per_second ? now.samples_per_second : line.samples_per_second;
    write(figures.speed, text.count(speed));
    write(figures.elapsed, text.duration(live ? now.elapsed_seconds : line.elapsed_seconds));
    write(figures.left, live && ["training", "resting", "following"].includes(now.mode) && !now.stopped
      ? text.duration(now.seconds_left) : "–");
    progress.value = now.epochs ? Math.min(1, store.epoch() / now.epochs) : 0;
    controls.hidden = !mayAct(state);
    write(buttons.toggle, now.mode === "resting" ? t("page.go_on") : t("page.pause"));
    if (document.activeElement !== rate && learningRate !== null) rate.placeholder = text.number(learningRate, 2);
  }

  Klubok.toggleTraining = toggle;
  Klubok.panel({ id: "status", build, render });
})();
