// @ts-check
// What the page knows, and the moment that it shows.
//
// The story grows at its end: the page asks for what comes after the lines it has. Panels are told that something changed
// and what, and read the rest from here.
import * as api from "./api.js";
import { alert } from "./dialogs.js";
import { merged } from "./lines.js";
import { readersOf } from "./readers.js";
/** @import { EventLine, Metrics, Phase, Run, Status, TimelineUpdate, Verdict } from "./types.js" */

export const state = {
  // `start` sets it before anything else reads it.
  run: /** @type {Run} */ (/** @type {unknown} */ (null)),
  epochs: /** @type {Metrics[]} */ ([]),
  steps: /** @type {Metrics[]} */ ([]),
  events: /** @type {EventLine[]} */ ([]),
  phases: /** @type {Phase[]} */ ([]),
  verdicts: /** @type {Verdict[]} */ ([]),
  best_epoch: /** @type {number | null} */ (null),
  now: /** @type {Status} */ ({
    mode: "starting", step: 0, epoch: 0, steps_per_epoch: 1, epochs: 0, lines: [0, 0, 0], elapsed_seconds: 0,
    samples_per_second: null, seconds_left: null, stopped: null, snapshot: null, pace: null,
  }),
  // Lines of epochs and steps, by step.
  lines: /** @type {Metrics[]} */ ([]),
  // The steps of the film: the stops of the strip.
  film: /** @type {number[]} */ ([]),
  // The part of the page that is shown.
  tab: "watch",
  // The steps of which the server has the whole network.
  wholes: [0],
  // The step that is shown; null is live.
  moment: /** @type {number | null} */ (null),
  // When the slider was moved last.
  moved: 0,
  connected: true,
  sample: /** @type {ChosenSample} */ ({ row: null, picture: null, label: null }),
  neuron: /** @type {{ layer: string | null, unit: number | null }} */ ({ layer: null, unit: null }),
};

/**
 * The sample that is looked at: without either number the first picture of the film. `label` is what the person says an
 * own picture shows.
 * @typedef {{ row: number | null, picture: number | null, label: number | null }} ChosenSample
 */

/**
 * What may have changed; `look` and `shown` are told by the panels' helper to a single panel.
 * @typedef {"run" | "story" | "now" | "moment" | "sample" | "neuron" | "theme" | "look" | "shown" | "choice" | "film" | "tab"} Change
 */

/** @type {ReturnType<typeof readersOf<Change>>} */
export const { subscribe, changed } = readersOf();

export const isLive = () => state.moment === null;

/** The line of the moment: the last one that is not after it. @returns {Metrics | undefined} */
export const line = () => state.lines[index()];

/** The last line that is not after a step. @param {number} step @returns {Metrics | undefined} */
export const lineUntil = (step) => state.lines.findLast((line) => line.step <= step);

export function index() {
  const { moment } = state;
  if (moment === null) return state.lines.length - 1;
  return Math.max(0, state.lines.findLastIndex((line) => line.step <= moment));
}

/** How many validation samples a line was measured on: at the end of an epoch on all of them. @param {Metrics} line */
export const samples = (line) => (Number.isInteger(line.epoch) ? state.run.val_samples : state.run.step_samples);

/** Where the moment is in epochs. */
export const epoch = () => (isLive() ? state.now.epoch : line()?.epoch ?? 0);

/** The last learning rate up to the moment: step lines measure less than epoch lines. */
export const learningRate = () => state.lines.slice(0, index() + 1).findLast((line) => line.learning_rate != null)?.learning_rate ?? null;

/** Shows a moment: the last snapshot of the film that is not after a step; null is the present. @param {number | null} step */
export function setMoment(step) {
  state.moment = step === null ? null : (state.film.findLast((own) => own <= step) ?? step);
  state.moved = Date.now();
  changed("moment");
}

/** The phase of the moment; live, the last one. */
export const phase = () => (isLive() ? state.phases.at(-1) : phaseAt(epoch()));

/** @param {number} epoch @returns {Phase | undefined} */
export const phaseAt = (epoch) => state.phases.findLast((phase) => phase.start <= epoch);

const severities = ["error", "warning", "info"];

/** The verdicts of the moment, those that matter most first, each with its number among all. */
export function verdicts() {
  const numbered = state.verdicts.map((verdict, i) => ({ ...verdict, number: i + 1 }));
  const known = numbered.filter((verdict) => isLive() || verdict.since <= epoch());
  return known.sort((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity));
}

export function samplePath() {
  const { row, picture, label } = state.sample;
  if (picture !== null) return `picture=${picture}` + (label === null ? "" : `&label=${label}`);
  return row === null ? "" : `row=${row}`;
}

/** The same without what the person says an own picture shows: it changes no sum and no answer. */
export const sampleAlone = () => samplePath().replace(/&label=.*/, "");

/** Whether a row can be looked at: a report has some. @param {number} row */
export const mayChoose = (row) => api.has(`/api/look/pass?row=${row}`);

/** The pass of the chosen sample through the network of the moment: two panels show it. */
export function passPath() {
  const sample = samplePath();
  return atMoment(sample ? `/api/look/pass?${sample}` : "/api/look/pass");
}

/**
 * A path at the moment of the strip: the film has it for every snapshot.
 * @param {string} path
 */
export function atSnapshot(path) {
  if (isLive()) return path;
  const full = `${path}${path.includes("?") ? "&" : "?"}moment=${lastUntilMoment(state.film)}`;
  return api.has(full) ? full : atMoment(path);
}

/**
 * A path at the moment of the slider: the last one of which there is a whole network. A report has it for some looks.
 * @param {string} path
 */
export function atMoment(path) {
  if (isLive()) return path;
  const full = `${path}${path.includes("?") ? "&" : "?"}moment=${lastUntilMoment(state.wholes)}`;
  return api.has(full) ? full : path;
}

/** The last of these steps that is not after the moment; else step 0. @param {number[]} steps in order */
export function lastUntilMoment(steps) {
  const at = state.moment ?? state.now.step;
  return steps.findLast((step) => step <= at) ?? 0;
}

/** @param {Partial<ChosenSample>} sample */
export function setSample(sample) {
  state.sample = { row: null, picture: null, label: null, ...sample };
  changed("sample");
}

/** @param {string} tab */
export function setTab(tab) {
  state.tab = tab;
  changed("tab");
}

/** @param {string} layer @param {number} unit */
export function setNeuron(layer, unit) {
  state.neuron = { layer, unit };
  changed("neuron");
}

let asking = false;
let again = false;

// Asks for the story after what is here.
async function catchUp() {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  try {
    const have = `epochs=${state.epochs.length}&steps=${state.steps.length}&events=${state.events.length}`;
    const news = /** @type {TimelineUpdate} */ (await api.get(`/api/story?${have}`));
    state.epochs.push(...news.epochs);
    state.steps.push(...news.steps);
    state.events.push(...news.events);
    Object.assign(state, { phases: news.phases, verdicts: news.verdicts, best_epoch: news.best_epoch, film: news.film, wholes: news.wholes, now: news.now });
    state.lines = merged(state.epochs, state.steps);
    changed("story");
  } finally {
    asking = false;
  }
  if (again) {
    again = false;
    await catchUp();
  }
}

// Drawing the story anew takes a browser's processor, which may be the training's, too: once a second is enough.
const PACE = 1000;
let caughtUp = 0;
let planned = false;

function catchUpSoon() {
  if (planned) return;
  planned = true;
  setTimeout(() => {
    planned = false;
    caughtUp = Date.now();
    catchUp().catch(alert);
  }, Math.max(0, caughtUp + PACE - Date.now()));
}

// How many lines the last news told of; what was asked for since may be more.
let told = [0, 0, 0];

/** @param {Status} now */
function takeNow(now) {
  // Fewer lines than before: another run is served under this address, or the log of this one was cut back.
  if (now.lines.some((n, i) => n < told[i])) location.reload();
  [state.now, told] = [now, now.lines];
  const have = [state.epochs.length, state.steps.length, state.events.length];
  if (now.lines.some((n, i) => n > have[i])) catchUpSoon();
  changed("now");
}

export async function start() {
  const [run] = await Promise.all([/** @type {Promise<Run>} */ (api.get("/api/run")), catchUp()]);
  state.run = run;
  changed("run");
  api.follow(takeNow, (connected) => {
    if (state.connected !== connected) changed("now");
    state.connected = connected;
  });
}
