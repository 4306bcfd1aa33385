// The page as a whole: what the reader chose, the slider, the keyboard, and the start.
(() => {
  "use strict";
  const { t, text, store, remembered } = Klubok;
  const { el, write } = Klubok.draw;
  const byId = (id) => document.getElementById(id);
  const phone = matchMedia("(max-width: 760px)");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  // A problem, said and shown for as long as it takes to read it.
  let hush = null;
  Klubok.alert = (words) => {
    byId("alert").textContent = words;
    clearTimeout(hush);
    hush = setTimeout(() => (byId("alert").textContent = ""), 8000);
  };

  Klubok.confirm = (question, yes) =>
    new Promise((resolve) => {
      const dialog = byId("ask");
      byId("ask-text").textContent = question;
      byId("ask-yes").textContent = yes;
      dialog.returnValue = "no";
      dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
      dialog.showModal();
    });

  // Theme: as the system is, light or dark.
  const themes = { auto: ["◐", "page.theme_auto"], light: ["☀", "page.theme_light"], dark: ["☾", "page.theme_dark"] };
  let theme = remembered.get("klubok-theme") || "auto";

  function showTheme() {
    document.documentElement.dataset.theme = theme;
    const [sign, key] = themes[theme] || themes.auto;
    write(byId("theme"), sign);
    byId("theme").setAttribute("aria-label", t(key));
    byId("theme").title = t(key);
    Klubok.draw.forget();
    store.changed("theme");
  }

  function nextTheme() {
    const names = Object.keys(themes);
    theme = names[(names.indexOf(theme) + 1) % names.length];
    remembered.set("klubok-theme", theme);
    showTheme();
  }

  // Language: the button names the other one, in that language.
  function showLanguage() {
    text.apply();
    const other = text.lang === "en" ? "ru" : "en";
    write(byId("language"), { en: "English", ru: "Русский" }[other]);
    byId("language").lang = other;
    write(byId("replay"), `▶ ${t("page.replay")}`);
    const keys = [[t("page.space"), "page.key_space"], ["← →", "page.key_arrows"], ["Home", "page.key_home"], ["End", "page.key_end"], ["?", "page.key_help"]];
    byId("help-keys").replaceChildren(...keys.flatMap(([key, what]) => [el("dt", {}, el("kbd", { text: key })), el("dd", { text: t(what) })]));
    showTheme();
  }

  function nextLanguage() {
    text.choose(text.lang === "en" ? "ru" : "en");
    showLanguage();
    Klubok.panels.build();
    Klubok.panels.renderAll(new Set(["shown", "run"]));
    renderTime(Klubok.state);
  }

  // The slider: one stop for each measured line, so that the first steps, where most happens, are not a dot at its left end.
  let drawnPhases = "";
  function renderTime(state) {
    const slider = byId("slider");
    const last = Math.max(0, state.lines.length - 1);
    slider.max = String(last);
    slider.value = String(store.isLive() ? last : store.index());
    const line = store.line();
    const words = line ? t("page.moment", { epoch: text.epoch(store.epoch()), step: text.count(store.isLive() ? state.now.step : line.step) }) : t("page.nothing_measured");
    const goesOn = !Klubok.api.report && state.now.mode !== "ended";
    write(byId("live"), goesOn ? t("page.live") : t("page.latest"));
    const live = store.isLive() && goesOn ? ` · ${t("page.live")}` : "";
    write(byId("moment"), words);
    slider.setAttribute("aria-valuetext", words + live);
    byId("live").setAttribute("aria-pressed", String(store.isLive()));
    const key = JSON.stringify([state.phases, last]);
    if (key !== drawnPhases) {
      drawnPhases = key;
      renderPhases(state, last);
    }
  }

  function renderPhases(state, last) {
    const at = (epoch) => {
      const i = state.lines.findIndex((line) => line.epoch >= epoch);
      return ((i < 0 ? last : i) / Math.max(1, last)) * 100;
    };
    byId("time-phases").replaceChildren(...state.phases.map((phase) => {
      const band = el("span", { "data-phase": phase.name });
      band.style.left = `${at(phase.start)}%`;
      band.style.width = `${Math.max(0.5, at(phase.end) - at(phase.start))}%`;
      band.style.opacity = String(0.4 + 0.6 * phase.certainty);
      return band;
    }));
  }

  // Runs through the story in about eight seconds; for those who want no motion, in ten stops.
  let playing = null;
  function replay() {
    if (playing) return stopReplay();
    const last = Klubok.state.lines.length - 1;
    if (last < 1) return null;
    const stops = Math.min(last, calm.matches ? 10 : 80);
    let stop = 0;
    const next = () => {
      store.moveTo(Math.round((stop / stops) * last));
      if (stop++ >= stops) stopReplay();
    };
    playing = setInterval(next, 8000 / stops);
    write(byId("replay"), `■ ${t("page.replay_stop")}`);
    return next();
  }

  function stopReplay() {
    clearInterval(playing);
    playing = null;
    write(byId("replay"), `▶ ${t("page.replay")}`);
  }

  // Keys work where they do not already mean something.
  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    // Right after a dialog was closed, a browser may still send keys to its button.
    const target = event.target.closest("dialog") ? document.body : event.target;
    const typing = target.closest("input:not([type=range]), select, textarea");
    const pressing = target.closest("button, summary, label, a");
    const scrolling = target.closest(".scroll, .flow, pre");
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (typing || target.isContentEditable) return;
    if (event.key === "?") byId("help").showModal();
    else if (event.key === " " && !pressing) Klubok.toggleTraining(Klubok.state);
    else if (move && !scrolling) store.moveTo(store.index() + move);
    else if (event.key === "Home" && !scrolling) store.moveTo(0);
    else if (event.key === "End" && !scrolling) store.setMoment(null);
    else return;
    event.preventDefault();
  }

  function forPrint(printing) {
    for (const panel of document.querySelectorAll("main > details")) {
      if (printing && !panel.open) {
        panel.open = true;
        panel.dataset.closed = "yes";
      } else if (!printing && panel.dataset.closed) {
        panel.open = false;
        delete panel.dataset.closed;
      }
    }
    document.documentElement.classList.toggle("printing", printing);
    Klubok.draw.forget();
    if (printing) Klubok.panels.renderForPrint();
    else Klubok.panels.renderAll(new Set(["theme", "shown"]));
  }

  function listen() {
    byId("theme").addEventListener("click", nextTheme);
    byId("language").addEventListener("click", nextLanguage);
    byId("help-button").addEventListener("click", () => byId("help").showModal());
    byId("replay").addEventListener("click", replay);
    byId("live").addEventListener("click", () => store.setMoment(null));
    byId("slider").addEventListener("input", (event) => {
      if (playing) stopReplay();
      store.moveTo(Number(event.target.value));
    });
    addEventListener("keydown", onKey);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
    addEventListener("beforeprint", () => forPrint(true));
    addEventListener("afterprint", () => forPrint(false));
    // A file that misses the drop zone must not replace the page.
    for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
  }

  // Plotly is a few megabytes: it comes after the page has been painted.
  Klubok.plotlyReady = new Promise((resolve) => {
    const idle = window.requestIdleCallback || ((go) => setTimeout(go, 200));
    const painted = () => requestAnimationFrame(() => idle(resolve, { timeout: 1500 }));
    if (document.readyState === "complete") painted();
    else addEventListener("load", painted);
  });

  async function start() {
    document.documentElement.dataset.theme = theme;
    document.documentElement.classList.toggle("report", Klubok.api.report);
    // On a phone the panels that go deeper are sheets to be opened.
    if (phone.matches) for (const panel of document.querySelectorAll("main > details")) panel.open = false;
    text.take(await Klubok.api.get("/api/texts"));
    listen();
    showLanguage();
    await store.start();
    Klubok.panels.start();
    store.subscribe(renderTime);
    renderTime(Klubok.state);
    // What is not there yet takes no room; shown all at once, nothing moves.
    requestAnimationFrame(() => document.documentElement.classList.add("ready"));
    document.title = `${Klubok.state.run.name} · klubok`;
  }

  start().catch((error) => Klubok.alert(error.message));
})();
