// The terrain that the training walked: its loss on the plane through the start, the best weights and the last ones.
(() => {
  "use strict";
  const { t, text, store } = Klubok;
  const { el, write, colour, rgb } = Klubok.draw;
  const PATH = "/api/look/terrain";
  const SIZE = 864;
  let measure, shown, drawing, ramp, words, note;
  // It takes seconds, so that somebody has to want it.
  let wanted = false;

  function build(body) {
    measure = el("button", { type: "button", class: "strong", text: t("page.measure"), onclick: ask });
    note = el("p", { class: "note", "aria-live": "polite" });
    drawing = el("canvas", { class: "map", role: "img", width: SIZE, height: SIZE });
    ramp = el("p", { class: "scale" }, el("span", { class: "number" }), el("span", { class: "ramp rising", "aria-hidden": "true" }), el("span", { class: "number" }));
    words = el("div");
    shown = el("div", { class: "map-and-words", hidden: true }, el("figure", {}, drawing),
      el("div", {}, ramp, el("p", { class: "note", text: t("page.terrain_is") }), words));
    body.append(el("div", { class: "bar-of-tools start" }, measure, note), shown);
    measure.hidden = Klubok.api.report;
  }

  async function ask() {
    wanted = true;
    write(note, t("page.measuring"));
    measure.disabled = true;
    await Klubok.panels.look(PATH);
    measure.disabled = false;
    write(note, "");
  }

  // From low to high on a scale of powers: a terrain is flat where it was trained, and steep far away.
  function scale(losses) {
    const known = losses.filter(text.isNumber).map((loss) => Math.log(Math.max(loss, 1e-6)));
    const [low, high] = [Math.min(...known), Math.max(...known)];
    return { low, high, share: (loss) => (text.isNumber(loss) ? (Math.log(Math.max(loss, 1e-6)) - low) / Math.max(high - low, 1e-9) : 1) };
  }

  function squares(context, look, { share }) {
    const small = el("canvas");
    const [low, high] = [colour("--middle"), colour("--positive")];
    Klubok.draw.paint(small, look.side, look.side, (i) => low.map((c, k) => c + (high[k] - c) * share(look.losses[i])));
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(small, 0, 0, SIZE, SIZE);
  }

  const name = (look, spot) => {
    const names = [];
    if (spot === look.spots[0]) names.push(t("page.at_the_start"));
    if (spot.step === look.best) names.push(t("page.at_the_best"));
    if (spot === look.spots[look.spots.length - 1]) names.push(t("page.at_the_end"));
    return names.join(", ");
  };

  // The way, its moments as dots, and the names of those that span the plane. The slider's moment is filled.
  function way(context, look) {
    const place = ([x, y]) => [
      ((x - look.low[0]) / (look.high[0] - look.low[0])) * SIZE, (1 - (y - look.low[1]) / (look.high[1] - look.low[1])) * SIZE];
    const at = (store.line() || { step: 0 }).step;
    const current = store.isLive() ? look.spots[look.spots.length - 1] : [...look.spots].reverse().find((spot) => spot.step <= at);
    context.lineWidth = 4;
    context.strokeStyle = rgb("--accent");
    context.beginPath();
    look.spots.forEach((spot, i) => context[i === 0 ? "moveTo" : "lineTo"](...place(spot.at)));
    context.stroke();
    context.font = "26px system-ui, sans-serif";
    for (const spot of look.spots) {
      const [x, y] = place(spot.at);
      const named = name(look, spot);
      context.beginPath();
      context.arc(x, y, named || spot === current ? 11 : 6, 0, 2 * Math.PI);
      context.fillStyle = spot === current ? rgb("--accent") : rgb("--panel");
      context.fill();
      context.stroke();
      if (!named) continue;
      const left = x > SIZE / 2;
      context.textAlign = left ? "right" : "left";
      context.lineWidth = 6;
      context.strokeStyle = rgb("--panel");
      context.strokeText(named, x + (left ? -18 : 18), y - 14);
      context.fillStyle = rgb("--ink");
      context.fillText(named, x + (left ? -18 : 18), y - 14);
      context.lineWidth = 4;
      context.strokeStyle = rgb("--accent");
    }
  }

  function table(look) {
    const heads = ["page.step", "page.training_loss", "page.off_plane"];
    const length = Math.hypot(...look.spots[look.spots.length - 1].at) || 1;
    const rows = look.spots.map((spot) => el("tr", {}, el("th", { scope: "row", text: [text.count(spot.step), name(look, spot)].filter(Boolean).join(" · ") }),
      el("td", { text: text.number(spot.loss) }), el("td", { text: text.percent(spot.off / length, 0) })));
    return el("details", {}, el("summary", { text: t("page.as_table") }), el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("page.terrain") },
      el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((key) => el("th", { scope: "col", text: t(key) })))), el("tbody", {}, ...rows))));
  }

  function render(state, look, changes) {
    shown.hidden = !look || !look.losses;
    if (shown.hidden || ![...changes].some((what) => ["look", "shown", "theme", "moment", "run"].includes(what))) return;
    const losses = scale(look.losses);
    const context = drawing.getContext("2d");
    squares(context, look, losses);
    way(context, look);
    const [low, , high] = ramp.children;
    write(low, text.number(Math.exp(losses.low), 2));
    write(high, text.number(Math.exp(losses.high), 2));
    drawing.setAttribute("aria-label", t("page.terrain_text", { first: text.number(look.spots[0].loss), last: text.number(look.spots[look.spots.length - 1].loss) }));
    const open = words.querySelector("details")?.open;
    words.replaceChildren(el("p", { class: "note", text: t("page.terrain_of", { n: text.count(look.samples), third: text.count(look.third) }) }), table(look));
    if (open) words.querySelector("details").open = true;
  }

  // Asked for once, and again by the button only.
  const path = () => (wanted || Klubok.api.kept(PATH).length > 0 ? PATH : null);
  Klubok.panel({ id: "terrain", build, render, path, every: Infinity });
})();
