// Your picture or a sample of the data: what the network gets of it, and what it predicts from it.
(() => {
  "use strict";
  const { t, text, store } = Klubok;
  const { el, write, canvas, bytes } = Klubok.draw;
  const MOST_CLASSES = 6;
  let stage, picture, values, name, truth, chances, far, trust, loss, mistakesBox, counter;
  let mistakes = null;
  let at = 0;
  let beside = null;

  async function upload(file) {
    if (!file) return;
    try {
      const kept = await Klubok.api.postPicture(file);
      store.setSample({ picture: kept.picture });
    } catch (error) {
      Klubok.alert(error.message);
    }
  }

  // Choosing, dropping and taking a picture are one thing: a file.
  function inputs() {
    const input = (id, more) => el("input", {
      type: "file", id, accept: "image/*", class: "unseen",
      onchange(event) {
        upload(event.target.files[0]);
        event.target.value = "";
      },
      ...more,
    });
    const drop = el("div", { class: "drop" },
      input("picture-file", {}), el("label", { for: "picture-file", class: "button", text: t("page.choose") }),
      input("picture-camera", { capture: "environment" }),
      el("label", { for: "picture-camera", class: "button camera", text: t("page.camera") }),
      el("span", { class: "hint", text: t("page.drop") }));
    return drop;
  }

  function takeDrops(box) {
    box.addEventListener("dragover", (event) => {
      event.preventDefault();
      box.classList.add("over");
    });
    box.addEventListener("dragleave", () => box.classList.remove("over"));
    box.addEventListener("drop", (event) => {
      event.preventDefault();
      box.classList.remove("over");
      upload(event.dataTransfer.files[0]);
    });
  }

  const button = (key, onclick, kind = "quiet") => el("button", { type: "button", class: kind, text: t(key), onclick });

  // Through the validation part: 0 is back, 1 is on, and from an own picture to its first sample.
  function stepRow(by) {
    store.setSample({ row: beside ? beside[by] : null });
  }

  async function loadMistakes() {
    const held = await Klubok.panels.look("/api/look/answers");
    if (held.error && !held.answer) return Klubok.alert(held.error);
    const kept = Klubok.api.kept("/api/look/pass?row=");
    mistakes = (held.answer.mistakes || []).filter(({ row }) => !Klubok.api.report || kept.includes(`/api/look/pass?row=${row}`));
    if (Klubok.api.report && mistakes.length === 0) return write(counter, t("page.not_in_report"));
    return showMistake(0);
  }

  function showMistake(i) {
    if (mistakes.length === 0) return write(counter, t("page.no_mistakes"));
    at = (i + mistakes.length) % mistakes.length;
    write(counter, t("page.mistake", { n: at + 1, all: mistakes.length }));
    mistakesBox.hidden = false;
    store.setSample({ row: mistakes[at].row });
    return null;
  }

  function build(body) {
    const { run } = Klubok.state;
    const own = run && run.data.kind === "pictures" && run.takes_pictures && !Klubok.api.report;
    picture = canvas("", "sample");
    values = el("dl", { class: "evidence values", hidden: true });
    name = el("p", { class: "name" });
    truth = el("div", { class: "truth" });
    chances = el("div", { class: "chances" });
    far = el("p", { class: "far", hidden: true, text: `⚠ ${t("page.far")}` });
    trust = el("p", { class: "trust", hidden: true });
    loss = el("p", { class: "sum-line" });
    counter = el("span", { class: "counter", "aria-live": "polite" });
    mistakesBox = el("span", { class: "pair", hidden: true },
      button("page.previous_mistake", () => showMistake(at - 1)), button("page.next_mistake", () => showMistake(at + 1)));
    stage = el("div", { class: "stage" },
      el("figure", {}, picture, values, el("figcaption", {}, name, truth)), chances);
    const steps = el("div", { class: "steps" });
    if (!Klubok.api.report) {
      steps.append(el("span", { class: "pair" }, button("page.previous_row", () => stepRow(0)), button("page.next_row", () => stepRow(1))));
    }
    // Only a class is a mistake or none.
    if (run.data.target === "class") steps.append(button("page.mistakes", loadMistakes), mistakesBox, counter);
    body.append(...(own ? [inputs()] : []), stage, far, trust, loss, steps);
    if (own) takeDrops(body);
    mistakes = null;
  }

  // What an own picture shows is known to the person only: chosen, it makes a loss.
  function renderTruth(state, look) {
    const { classes, target } = state.run.data;
    if (target !== "class") return truth.replaceChildren();
    if (state.sample.picture === null) {
      const known = look.label === null || look.label === undefined ? "" : t("page.truth", { name: classes[look.label] });
      return truth.replaceChildren(known);
    }
    if (truth.querySelector("select")) return null;
    const choose = el("select", {
      id: "truth",
      onchange: (event) => store.setSample({ picture: state.sample.picture, label: event.target.value === "" ? null : Number(event.target.value) }),
    }, el("option", { value: "", text: t("page.unknown") }), ...classes.map((name, i) => el("option", { value: i, text: name })));
    return truth.replaceChildren(el("label", { for: "truth", text: `${t("page.it_shows")} ` }), choose);
  }

  // The classes or labels that the network is surest of, and the right class.
  function shownClasses(look, label) {
    const order = look.confidences.map((p, i) => i);
    if (order.length <= MOST_CLASSES) return order;
    order.sort((a, b) => look.confidences[b] - look.confidences[a]);
    const first = order.slice(0, MOST_CLASSES);
    if (label !== null && !first.includes(label)) first[MOST_CLASSES - 1] = label;
    return first;
  }

  function renderChances(state, look, label) {
    const { classes } = state.run.data;
    const { isTrue, isPredicted } = Klubok.target();
    const rows = shownClasses(look, label).map((i) => {
      const start = look.start_probabilities ? look.start_probabilities[i] : null;
      const [right, predicted] = [isTrue({ ...look, label }, i), isPredicted(look, i)];
      const kind = right ? "right" : "";
      const marks = `${predicted ? "▸ " : ""}${classes[i] ?? i}${right ? " ✓" : ""}`;
      return el("li", { class: predicted ? "best" : "" },
        el("span", { class: "class", text: marks }),
        Klubok.draw.bar(look.confidences[i], { tick: start, kind }),
        el("span", { class: "value", text: text.percent(look.confidences[i]) }),
        el("span", { class: "before", text: start === null ? "" : t("page.at_start", { p: text.percent(start) }) }));
    });
    chances.replaceChildren(el("ol", {}, ...rows));
  }

  // Predicted numbers, each beside the true one.
  function renderNumbers(state, look) {
    const line = (words, value, kind = "") => el("div", { class: kind }, el("dt", { text: words }), el("dd", { text: value }));
    chances.replaceChildren(...look.confidences.map((prediction, i) => {
      const known = look.targets ? look.targets[i] : null;
      const compared = known === null ? [] : [line(t("page.true_value"), text.number(known)), line(t("page.off_by"), text.signed(prediction - known))];
      return el("div", {}, el("p", { class: "name", text: state.run.data.classes[i] }),
        el("dl", { class: "sum" }, line(t("page.prediction"), text.number(prediction), "result"), ...compared));
    }));
  }

  // Samples of the validation part have their answer beside them; of an own picture nobody knows it.
  function renderTrust(state, look) {
    const own = state.sample.picture !== null;
    far.hidden = !own || !look.far;
    const words = own ? text.both(look.trust) : "";
    trust.hidden = words === "";
    write(trust, words);
  }

  function renderLoss(state, look, label) {
    const { target } = state.run.data;
    loss.hidden = target === "number" || (target === "label" && !look.targets);
    if (target !== "class") return write(loss, loss.hidden ? "" : rightLabels(look));
    const guess = text.number(state.run.loss_of_guessing);
    if (label === null) return write(loss, t("page.loss_unknown", { guess }));
    const p = look.probabilities[label];
    const value = look.loss ?? -Math.log(p);
    return write(loss, t("page.loss_sum", { name: state.run.data.classes[label], p: text.number(p), loss: text.number(value), guess }));
  }

  function rightLabels(look) {
    const { isTrue, isPredicted } = Klubok.target();
    const right = look.targets.filter((_, i) => isTrue(look, i) === isPredicted(look, i)).length;
    return t("page.labels_right", { right, all: look.targets.length });
  }

  function renderSample(state, look) {
    const isPicture = Boolean(look.pixels);
    picture.hidden = !isPicture;
    values.hidden = isPicture;
    write(name, state.sample.picture === null ? look.name || "" : t("page.own_picture"));
    if (isPicture) {
      Klubok.draw.picture(picture, look, bytes(look.pixels));
      picture.setAttribute("aria-label", t("page.picture_text", { name: look.name || t("page.own_picture"), width: look.width, height: look.height }));
    } else {
      const names = state.run.data.columns || [];
      values.replaceChildren(...(look.values || []).map((value, i) =>
        el("div", {}, el("dt", { text: names[i] ?? String(i + 1) }), el("dd", { text: text.number(value) }))));
    }
  }

  function render(state, look) {
    if (!look || !look.probabilities) return;
    const label = state.sample.picture === null ? look.label ?? null : state.sample.label;
    beside = look.beside ?? null;
    renderSample(state, look);
    renderTruth(state, look);
    stage.classList.toggle("numbers", state.run.data.target === "number");
    if (state.run.data.target === "number") renderNumbers(state, look);
    else renderChances(state, look, label);
    renderTrust(state, look);
    renderLoss(state, look, label);
  }

  Klubok.passPath = () => {
    const sample = store.samplePath();
    return store.atMoment(sample ? `/api/look/pass?${sample}` : "/api/look/pass");
  };
  Klubok.panel({ id: "picture", build, render, path: Klubok.passPath, every: 1500 });
})();
