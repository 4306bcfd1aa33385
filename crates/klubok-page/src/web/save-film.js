// @ts-check
// The film as a file: GIF everywhere, WebM where the browser records it. Both are made here, of the snapshots that the page has,
// so that it works live, afterwards and in a report.
import * as api from "./api.js";
import { chosen, ofPass, place } from "./chosen.js";
import { el, write } from "./draw.js";
import { HEIGHT, WIDTH, drawFilmFrame, filmOf } from "./film-frame.js";
import * as film from "./film.js";
import { colourCount, gifEncoder } from "./gif.js";
import * as store from "./state.js";
import { state } from "./state.js";
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { Answered, Snapshot } from "./snapshot.js" */
/** @import { Film } from "./film-frame.js" */
/** @import { Pass } from "./types.js" */

/** How long the first frame is shown, all between, and the last. */
const FIRST_MS = 1000;
const BETWEEN_MS = 5000;
const LAST_MS = 2000;
const LEAST_MS = 40;
const MOST_MS = 500;
/** A recorder takes a frame when something is drawn: one that stays is drawn again. */
const AGAIN_MS = 100;
/** A video is so many times as large as a GIF: it has no palette to fill. */
const VIDEO_SCALE = 2;
const VIDEO_BITS = 8_000_000;
const VIDEO = globalThis.MediaRecorder && ["video/webm;codecs=vp9", "video/webm"].find((type) => MediaRecorder.isTypeSupported(type));

/** @typedef {{ context: CanvasRenderingContext2D, signal: AbortSignal, tell: (share: number) => void }} Work */

/** Whether there is a film to save. */
export const mayBeSaved = () => film.exists() && state.film.length > 1;

/** Asks for the kind of file, and makes it. */
export function saveFilm() {
  const drawing = el("canvas", { width: WIDTH, height: HEIGHT, role: "img", "aria-label": t("page.film_frame") });
  const context = /** @type {CanvasRenderingContext2D} */ (drawing.getContext("2d", { willReadFrequently: true }));
  const progress = el("progress", { max: 1, value: 0, "aria-label": t("page.film_progress") });
  const said = el("p", { class: "note", role: "status" });
  /** @type {HTMLButtonElement[]} */
  const kinds = [el("button", { type: "button", class: "strong", text: "GIF", onclick: ({ target }) => save("gif", gifOf, target) })];
  if (VIDEO) kinds.push(el("button", { type: "button", text: "WebM", onclick: ({ target }) => save("webm", videoOf, target) }));
  const close = el("button", { class: "quiet", text: t("page.close") });
  const dialog = el("dialog", { class: "save", "aria-labelledby": "title-save" }, el("h2", { id: "title-save", text: t("page.save_film") }),
    drawing, progress, said, el("form", { method: "dialog" }, ...kinds, close));
  const stop = new AbortController();
  const own = chosenFilm(stop.signal);
  dialog.addEventListener("close", () => {
    stop.abort();
    dialog.remove();
  });

  /** @param {string} kind @param {(own: Film, work: Work) => Promise<Blob>} make @param {HTMLElement} pressed */
  async function save(kind, make, pressed) {
    busy(true);
    close.focus();
    write(said, t("page.film_making"));
    try {
      const work = { context, signal: stop.signal, tell: (/** @type {number} */ share) => (progress.value = share) };
      const made = await make(await own, work);
      const name = `${state.run.name.replace(/[^\p{L}\p{N}._-]+/gu, "-")}-film.${kind}`;
      download(made, name);
      write(said, t("page.film_saved", { name, size: text.decimals(made.size / 1e6, 1) }));
    } catch (error) {
      write(said, error instanceof Error ? error.message : String(error));
    }
    busy(false);
    pressed.focus();
  }

  /** @param {boolean} is */
  function busy(is) {
    for (const button of kinds) button.disabled = is;
    write(close, t(is ? "page.cancel" : "page.close"));
    progress.classList.toggle("runs", is);
  }

  document.body.append(dialog);
  dialog.showModal();
  write(said, t(VIDEO ? "page.film_kinds" : "page.film_is"));
  own.then((film) => drawFilmFrame(context, film, film.frames.length - 1)).catch((error) => write(said, error.message));
}

/** @param {Blob} made @param {string} name */
function download(made, name) {
  const address = URL.createObjectURL(made);
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** The film with the chosen sample. @param {AbortSignal} signal */
async function chosenFilm(signal) {
  const [snapshots, sample] = [await film.all(), await sampleOf(signal)];
  return filmOf(snapshots.map((shown) => ({ shown, sample: sample(shown) })));
}

/**
 * What the network says of the sample at a snapshot. The film knows it of its own pictures; of others it is known where the
 * whole network is.
 * @param {AbortSignal} signal
 * @returns {Promise<(shown: Snapshot) => Answered | null>}
 */
async function sampleOf(signal) {
  if (place() >= 0) return chosen;
  const path = `/api/look/pass?${store.samplePath()}`;
  const last = /** @type {Pass} */ (await api.get(path, true));
  const passes = [last];
  for (const step of state.wholes.filter((step) => step < last.step && api.has(`${path}&moment=${step}`)).reverse()) {
    signal.throwIfAborted();
    passes.unshift(/** @type {Pass} */ (await api.get(`${path}&moment=${step}`, true)));
  }
  return (shown) => ofPass(passes.findLast(({ step }) => step <= shown.step) ?? passes[0]);
}

/** For how long each frame is shown. @param {number} count */
function durations(count) {
  const each = Math.max(LEAST_MS, Math.min(MOST_MS, BETWEEN_MS / Math.max(1, count - 2)));
  return Array.from({ length: count }, (_, i) => (i === 0 ? FIRST_MS : i === count - 1 ? LAST_MS : Math.round(each / 10) * 10));
}

/** @param {number} milliseconds */
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** @param {Film} own @param {Work} work */
async function gifOf(own, { context, signal, tell }) {
  Object.assign(context.canvas, { width: WIDTH, height: HEIGHT });
  const count = own.frames.length;
  // Between two frames the page stays alive.
  const next = async (/** @type {number} */ done) => {
    tell(done / (2 * count));
    await wait(0);
    signal.throwIfAborted();
  };
  const colours = colourCount();
  const drawn = [];
  for (const i of own.frames.keys()) {
    drawFilmFrame(context, own, i);
    drawn.push(context.getImageData(0, 0, WIDTH, HEIGHT).data);
    colours.add(drawn[i]);
    await next(i + 1);
  }
  const encoder = gifEncoder(WIDTH, HEIGHT, colours.palette());
  const shown = durations(count);
  for (const [i, pixels] of drawn.entries()) {
    encoder.add(pixels, shown[i]);
    await next(count + i + 1);
  }
  return encoder.finish();
}

/** A video takes as long to record as to see. @param {Film} own @param {Work} work */
async function videoOf(own, { context, signal, tell }) {
  Object.assign(context.canvas, { width: VIDEO_SCALE * WIDTH, height: VIDEO_SCALE * HEIGHT });
  drawFilmFrame(context, own, 0);
  const recorder = new MediaRecorder(context.canvas.captureStream(), { mimeType: VIDEO, videoBitsPerSecond: VIDEO_BITS });
  /** @type {Blob[]} */
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const ended = new Promise((done) => (recorder.onstop = done));
  recorder.start();
  try {
    let due = performance.now();
    for (const [i, duration] of durations(own.frames.length).entries()) {
      due += duration;
      for (let left = duration; left > 0; left = due - performance.now()) {
        drawFilmFrame(context, own, i);
        tell((i + 1) / own.frames.length);
        await wait(Math.min(AGAIN_MS, due - performance.now()));
        signal.throwIfAborted();
      }
    }
  } finally {
    recorder.stop();
  }
  await ended;
  return new Blob(parts, { type: "video/webm" });
}
