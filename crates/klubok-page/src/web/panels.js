// The panels of this run, as the server lists them, and their looks at the network.
//
// A panel is `{ id, build(body), render(state, look, changes, lookPath), path(state)?, every?, long? }`. It is built anew when
// the language changes and rendered when something did. `path` is what it wants to look at; a look costs the server a pass
// through the network, so it is asked for only while the panel can be seen, and again only when the weights have changed; one
// that takes long, only once the slider rests.
(() => {
  "use strict";
  const Klubok = (window.Klubok = window.Klubok || {});
  let panels = [];
  // Answers by path: two panels that look at the same sample ask once.
  const looks = new Map();
  const MOST_LOOKS = 160;
  const RETRY = 5000;
  const REST = 600;

  function register(panel) {
    panels.push({ panel, visible: false, last: null });
  }

  function element(entry) {
    return document.getElementById(`panel-${entry.panel.id}`);
  }

  const isOpen = (entry) => entry.visible && element(entry).open !== false;

  function isStale(held, every) {
    if (!held) return true;
    if (held.asking || Klubok.api.report) return false;
    const age = Date.now() - held.time;
    if (held.error || held.later) return age > RETRY;
    return !held.fixed && Klubok.store.isLive() && held.asked !== Klubok.state.now.step && age > every;
  }

  async function look(path) {
    const before = looks.get(path) || {};
    const held = { ...before, asking: true, asked: Klubok.state.now.step, fixed: /[?&]moment=\d/.test(path) };
    looks.delete(path);
    looks.set(path, held);
    if (looks.size > MOST_LOOKS) looks.delete(looks.keys().next().value);
    try {
      const answer = await Klubok.api.get(path);
      held.error = null;
      held.later = Boolean(answer.later);
      if (!held.later) held.answer = answer;
      if (answer.wholes) Klubok.state.wholes = answer.wholes;
    } catch (error) {
      held.error = error.message;
    }
    held.asking = false;
    held.time = Date.now();
    for (const entry of panels) if (wants(entry) === path && isOpen(entry)) render(entry, new Set(["look"]));
    return held;
  }

  const wants = (entry) => (Klubok.state.run && entry.panel.path ? entry.panel.path(Klubok.state) : null);

  function refresh() {
    if (document.hidden) return;
    const rests = Date.now() - Klubok.state.moved > REST;
    for (const entry of panels) {
      const path = isOpen(entry) && (rests || !entry.panel.long) ? wants(entry) : null;
      if (path && isStale(looks.get(path), entry.panel.every || 3000)) look(path);
    }
  }

  function render(entry, changes) {
    const path = wants(entry);
    const held = (path && looks.get(path)) || {};
    // While a new look is on its way the old one stays, so that nothing jumps.
    if (held.answer) Object.assign(entry, { last: held.answer, lastPath: path });
    const shown = element(entry);
    const problem = shown.querySelector(".problem");
    if (problem) {
      const later = Boolean(held.later && !held.answer && !held.error);
      problem.classList.toggle("later", later);
      Klubok.draw.write(problem, later ? Klubok.t("page.later") : held.error || "");
    }
    const age = shown.querySelector(".age");
    if (age) showAge(age, entry.last);
    shown.classList.toggle("without", Boolean(path && held.error && !held.answer));
    entry.panel.render(Klubok.state, held.error && !held.answer ? null : entry.last, changes, entry.lastPath);
  }

  // How old the figures are, and whether they are of another moment than the slider's.
  function showAge(age, answer) {
    const step = answer && answer.step;
    const at = Klubok.store.line();
    const other = step !== null && step !== undefined && !Klubok.store.isLive() && at && step !== at.step;
    const text = step === null || step === undefined ? "" : Klubok.t("page.as_of", { step: Klubok.text.count(step) });
    Klubok.draw.write(age, other ? `${text} · ${Klubok.t("page.other_moment")}` : text);
    age.classList.toggle("other", Boolean(other));
  }

  // A panel that cannot be seen is rendered when it comes into sight.
  function renderAll(changes) {
    for (const entry of panels) if (isOpen(entry)) render(entry, changes);
    refresh();
  }

  // A run has those panels that the server lists; in some, the words depend on what it predicts.
  function choose() {
    for (const entry of panels) element(entry).hidden = !Klubok.state.run.panels.includes(entry.panel.id);
    panels = panels.filter((entry) => !element(entry).hidden);
    for (const [id, key] of Object.entries(Klubok.target().abouts())) {
      document.querySelector(`#panel-${id} .about`).dataset.t = key;
    }
    if (Klubok.state.run.data.kind !== "pictures") document.getElementById("title-picture").dataset.t = "page.sample";
    document.documentElement.dataset.target = Klubok.state.run.data.target;
    Klubok.text.apply();
  }

  function build() {
    for (const entry of panels) {
      const body = element(entry).querySelector(".body");
      body.replaceChildren();
      entry.panel.build(body);
    }
  }

  function start() {
    choose();
    build();
    const shown = (entry) => {
      if (Klubok.state.run && isOpen(entry)) render(entry, new Set(["shown"]));
      refresh();
    };
    const observer = new IntersectionObserver((seen) => {
      for (const { target, isIntersecting } of seen) {
        const entry = panels.find((entry) => element(entry) === target);
        entry.visible = isIntersecting;
        if (isIntersecting) shown(entry);
      }
    }, { rootMargin: "200px" });
    for (const entry of panels) {
      observer.observe(element(entry));
      element(entry).addEventListener("toggle", () => shown(entry));
    }
    Klubok.store.subscribe((state, changes) => state.run && renderAll(changes));
    // Once for all, before anything is shown: from here on everything has its size.
    for (const entry of panels) render(entry, new Set(["shown", "run", "story"]));
    setInterval(refresh, 1000);
  }

  // Everything is drawn for paper, seen or not.
  function renderForPrint() {
    for (const entry of panels) {
      entry.visible = true;
      render(entry, new Set(["shown"]));
    }
  }

  Klubok.panel = register;
  Klubok.panels = { start, build, renderAll, renderForPrint, look };
})();
