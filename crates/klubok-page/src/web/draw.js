// Elements, pictures and bars. Names of classes and files come from people: they are only ever text, never markup.
(() => {
  "use strict";
  const Klubok = (window.Klubok = window.Klubok || {});

  function fill(element, properties, children) {
    for (const [name, value] of Object.entries(properties || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "text") element.textContent = value;
      else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  const el = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);
  const svg = (tag, properties, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);

  // Writes only what changed: fewer repaints, and a screen reader says nothing twice.
  function write(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function bytes(base64) {
    const text = atob(base64);
    return Uint8Array.from(text, (c) => c.charCodeAt(0));
  }
  const signedBytes = (base64) => new Int8Array(bytes(base64).buffer);
  function floats(base64) {
    const view = new DataView(bytes(base64).buffer);
    return Float32Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(i * 4, true));
  }

  // The colour of a custom property as it is in this theme, as [r, g, b].
  let probe = null;
  const colours = new Map();
  function colour(name) {
    if (!probe) document.body.append((probe = el("i", { hidden: true })));
    if (!colours.has(name)) {
      probe.style.color = `var(${name})`;
      colours.set(name, getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number));
    }
    return colours.get(name);
  }
  const rgb = (name, alpha = 1) => `rgba(${colour(name).join(",")},${alpha})`;

  function paint(canvas, width, height, pixel) {
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      const [r, g, b] = pixel(i);
      image.data.set([r, g, b, 255], i * 4);
    }
    context.putImageData(image, 0, 0);
  }

  // A picture as the network gets it, [height][width][channels] of bytes.
  function picture(canvas, { width, height, channels }, pixels) {
    const step = channels === 3 ? 1 : 0;
    paint(canvas, width, height, (i) => {
      const at = i * channels;
      return [pixels[at], pixels[at + step], pixels[at + 2 * step]];
    });
  }

  // Signed values from one colour over nothing to another; the limit is where the colour is full. Colours of a pixel are
  // averaged: one scale of two colours has no room for three channels.
  function diverging(canvas, { width, height, channels }, values, limit) {
    const ends = [colour("--negative"), colour("--middle"), colour("--positive")];
    const none = colour("--panel");
    paint(canvas, width, height, (i) => {
      if (i * channels >= values.length) return none;
      let value = 0;
      for (let c = 0; c < channels; c++) value += values[i * channels + c] / channels;
      const share = Math.max(-1, Math.min(1, limit > 0 ? value / limit : 0));
      const end = share < 0 ? ends[0] : ends[2];
      return ends[1].map((middle, k) => middle + (end[k] - middle) * Math.abs(share));
    });
  }

  // Values without a shape as a near square of tiles.
  function tiles(n) {
    const width = Math.ceil(Math.sqrt(n));
    return { width, height: Math.ceil(n / width), channels: 1 };
  }

  // Outputs of a layer, 0 to 255, as tiles from nothing to full.
  function mosaic(canvas, values) {
    const shape = tiles(values.length);
    const [from, to] = [colour("--middle"), colour("--accent")];
    paint(canvas, shape.width, shape.height, (i) =>
      i < values.length ? from.map((c, k) => c + (to[k] - c) * (values[i] / 255)) : colour("--panel"));
  }

  // Colours and shapes of classes, for points of a drawing. What is alike in one differs in the other.
  const hues = ["--training", "--validation", "--phase-fine", "--phase-special", "--phase-under", "--phase-rest"];
  const hue = (k) => hues[k % hues.length];
  const shapes = [
    (c, x, y, r) => c.arc(x, y, r, 0, 2 * Math.PI),
    (c, x, y, r) => c.rect(x - 0.85 * r, y - 0.85 * r, 1.7 * r, 1.7 * r),
    (c, x, y, r) => {
      c.moveTo(x, y - 1.2 * r);
      c.lineTo(x + 1.1 * r, y + 0.8 * r);
      c.lineTo(x - 1.1 * r, y + 0.8 * r);
      c.closePath();
    },
    (c, x, y, r) => {
      c.moveTo(x, y - 1.25 * r);
      c.lineTo(x + 1.25 * r, y);
      c.lineTo(x, y + 1.25 * r);
      c.lineTo(x - 1.25 * r, y);
      c.closePath();
    },
  ];
  function point(context, k, x, y, r, { hollow = false } = {}) {
    context.beginPath();
    shapes[(k + Math.floor(k / hues.length)) % shapes.length](context, x, y, r);
    context.lineWidth = hollow ? r / 2 : r / 3;
    context.fillStyle = hollow ? rgb("--panel") : rgb(hue(k));
    context.strokeStyle = hollow ? rgb(hue(k)) : rgb("--panel");
    context.fill();
    context.stroke();
  }

  // The classes with their points, as a legend.
  function classLegend(names) {
    return el("ul", { class: "legend" }, ...names.map((name, k) => {
      const sign = el("canvas", { width: 32, height: 32, class: "sign", "aria-hidden": "true" });
      point(sign.getContext("2d"), k, 16, 16, 11);
      return el("li", {}, sign, el("span", { text: name }));
    }));
  }

  // A bar of a share from 0 to 1, with a tick where something is to be compared.
  function bar(share, { tick = null, kind = "" } = {}) {
    const filled = el("span", { class: `fill ${kind}` });
    filled.style.width = `${Math.max(0, Math.min(1, share || 0)) * 100}%`;
    const mark = tick === null ? null : el("span", { class: "tick" });
    if (mark) mark.style.left = `${Math.max(0, Math.min(1, tick)) * 100}%`;
    return el("span", { class: "bar", "aria-hidden": "true" }, filled, mark);
  }

  // A bar to the left or right of a middle, for a value from -1 to 1.
  function twoSided(value) {
    const filled = el("span", { class: value < 0 ? "fill negative" : "fill positive" });
    const size = Math.min(1, Math.abs(value || 0)) * 50;
    filled.style.width = `${size}%`;
    filled.style.left = value < 0 ? `${50 - size}%` : "50%";
    return el("span", { class: "bar two-sided", "aria-hidden": "true" }, filled, el("span", { class: "tick middle" }));
  }

  // A choice of one of a few, as buttons that say which is pressed.
  function choice(label, options, chosen, onChoose) {
    const buttons = options.map(([value, text]) =>
      el("button", {
        type: "button",
        text,
        "aria-pressed": String(value === chosen),
        onclick(event) {
          for (const button of buttons) button.setAttribute("aria-pressed", String(button === event.currentTarget));
          onChoose(value);
        },
      }));
    return el("div", { class: "choice", role: "group", "aria-label": label }, ...buttons);
  }

  // A button that copies a text and says that it did.
  function copyButton(text) {
    const button = el("button", { type: "button", class: "quiet copy", text: Klubok.t("page.copy") });
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text());
        button.textContent = Klubok.t("page.copied");
      } catch {
        button.textContent = Klubok.t("page.not_copied");
      }
      setTimeout(() => (button.textContent = Klubok.t("page.copy")), 2000);
    });
    return button;
  }

  const canvas = (label, kind = "") => el("canvas", { class: kind, role: "img", "aria-label": label, width: 1, height: 1 });

  Klubok.draw = {
    el, svg, write, bytes, signedBytes, floats, rgb, picture, diverging, mosaic, tiles, bar, twoSided, choice, copyButton,
    canvas, colour, hue, paint, point, classLegend,
    // The theme changed: colours are asked for again.
    forget: () => colours.clear(),
  };
})();
