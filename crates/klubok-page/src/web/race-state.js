// @ts-check
// What the page of a race knows: its lanes with their stories and films, and the moment that all of them show.
import * as api from "./api.js";
import { merged } from "./lines.js";
import { readersOf } from "./readers.js";
/** @import { Scene, Snapshot } from "./snapshot.js" */
/** @import { Metrics, Phase, Race, Run, Status, TimelineUpdate } from "./types.js" */

/**
 * @typedef {object} Lane
 * @property {number} number
 * @property {[key: string, value: string][]} settings
 * @property {Run} run
 * @property {Scene | null} scene null where its run has no film
 * @property {{ epochs: Metrics[], steps: Metrics[], events: number }} story
 * @property {Metrics[]} lines of epochs and steps, by step
 * @property {Phase[]} phases
 * @property {number | null} best_epoch
 * @property {number[]} film its steps
 * @property {Status} now
 * @property {Map<number, Snapshot>} kept
 * @property {Snapshot | null} newest
 */
/** @typedef {"story" | "now" | "film" | "moment" | "picture" | "theme" | "all"} Change */

export const race = {
  name: "",
  canAct: false,
  lanes: /** @type {Lane[]} */ ([]),
  // The step that is shown; null is the present.
  moment: /** @type {number | null} */ (null),
  // The picture of the film that is shown, by number.
  picture: 0,
  connected: true,
};

/** @type {ReturnType<typeof readersOf<Change>>} */
export const { subscribe, changed } = readersOf();

/** The steps of all films: the stops of the slider. */
export const stops = () => [...new Set(race.lanes.flatMap(({ film }) => film))].sort((a, b) => a - b);

/** @param {number | null} step */
export function setMoment(step) {
  race.moment = step;
  changed("moment");
}

/** @param {number} by */
export function nextPicture(by) {
  const count = race.lanes[0].scene?.pictures?.length ?? 0;
  if (count > 0) race.picture = (race.picture + by + count) % count;
  changed("picture");
}

/** Steps of an epoch; null where the lanes differ, as they do with the batch size. */
export function stepsPerEpoch() {
  const [first, ...others] = race.lanes.map(({ now }) => now.steps_per_epoch || 1);
  return others.every((other) => other === first) ? first : null;
}

/** @param {Lane} lane */
export const hasEnded = ({ now }) => now.mode === "ended";
export const allEnded = () => race.lanes.every(hasEnded);
export const isInterrupted = () => race.lanes.some(({ now }) => now.stopped === "interrupted");

/** @param {Lane} lane */
export const hasDiverged = ({ now, lines }) => now.stopped === "diverged" && (race.moment === null || race.moment >= (lines.at(-1)?.step ?? 0));

/** The last line that is not after a step; without a step, the last one. @param {Lane} lane @param {number | null} step @returns {Metrics | undefined} */
export const lineAt = ({ lines }, step) => (step === null ? lines.at(-1) : lines.findLast((line) => line.step <= step) ?? lines[0]);

/** The snapshot of the moment; null until it is there. @param {Lane} lane */
export function snapshotOf({ film, kept, newest }) {
  const { moment } = race;
  if (moment !== null) return kept.get(film.findLast((step) => step <= moment) ?? 0) ?? null;
  return newest ?? kept.get(film.at(-1) ?? -1) ?? null;
}

/** How many validation samples a line was measured on. @param {Lane} lane @param {Metrics} line */
export const samples = ({ run }, line) => (Number.isInteger(line.epoch) ? run.val_samples : run.step_samples);

/** @param {Lane} lane @param {string} path */
const get = (lane, path) => api.get(`/lane/${lane.number}${path}`);

/** Asks for the story after what is here. @param {Lane} lane */
async function catchUp(lane) {
  const { epochs, steps, events } = lane.story;
  const news = /** @type {TimelineUpdate} */ (await get(lane, `/api/story?epochs=${epochs.length}&steps=${steps.length}&events=${events}`));
  epochs.push(...news.epochs);
  steps.push(...news.steps);
  lane.story.events += news.events.length;
  const { phases, best_epoch, film, now } = news;
  Object.assign(lane, { phases, best_epoch, film, now });
  lane.lines = merged(epochs, steps);
  changed("story");
}

/** Asks for what a film has and the page has not: the moment's snapshot first, then the last ones. @param {Lane} lane */
async function fill(lane) {
  const missing = lane.film.filter((step) => !lane.kept.has(step));
  const wanted = race.moment === null ? undefined : lane.film.findLast((step) => step <= (race.moment ?? 0));
  const next = wanted !== undefined && missing.includes(wanted) ? wanted : missing.includes(0) ? 0 : missing.at(-1);
  if (next === undefined || !lane.scene) return false;
  lane.kept.set(next, /** @type {Snapshot} */ (await get(lane, `/api/look/film?moment=${next}`)));
  changed("film");
  return true;
}

/** Asks for the present state, which the film may not keep. @param {Lane} lane */
async function fetchNewest(lane) {
  if (!lane.scene || lane.now.snapshot === null || lane.now.snapshot === lane.newest?.step) return;
  lane.newest = /** @type {Snapshot} */ (await get(lane, "/api/look/film"));
  changed("film");
}

// Drawing takes a browser's processor, which may be the trainings', too: a few times a second is enough.
const PACE = 300;

/** Asks for one thing after the other, until nothing new is left; true if there was any. @param {Lane} lane */
async function refresh(lane) {
  const { epochs, steps, events } = lane.story;
  const have = [epochs.length, steps.length, events];
  const isBehind = lane.now.lines.some((n, i) => n > have[i]);
  if (isBehind) await catchUp(lane);
  await fetchNewest(lane);
  return (!document.hidden && (await fill(lane))) || isBehind;
}

/** Keeps a lane at the present, whatever the others do, until it has ended and all of it is here. @param {Lane} lane */
async function follow(lane) {
  let isNews = true;
  while (isNews || !hasEnded(lane) || document.hidden) {
    // Without a connection it asks again later.
    if (race.connected) isNews = await refresh(lane).catch(() => true);
    await new Promise((done) => setTimeout(done, PACE));
  }
  // What came last with the end: the best epoch and the phases.
  await catchUp(lane);
}

/** @param {Race} of @param {number} number @returns {Promise<Lane>} */
async function laneOf(of, number) {
  const path = `/lane/${number}`;
  const [run, scene] = await Promise.all([
    /** @type {Promise<Run>} */ (api.get(`${path}/api/run`)),
    /** @type {Promise<Scene>} */ (api.get(`${path}/api/look/scene`)).catch(() => null),
  ]);
  /** @type {Lane} */
  const lane = {
    number, run, scene, settings: of.lanes[number], story: { epochs: [], steps: [], events: 0 }, lines: [], phases: [], best_epoch: null, film: [],
    now: /** @type {Status} */ (/** @type {unknown} */ (null)), kept: new Map(), newest: null,
  };
  await catchUp(lane);
  return lane;
}

export async function start() {
  // The trainings wait for the first look: the stream is one.
  api.follow((/** @type {Status[]} */ now) => {
    race.lanes.forEach((lane, i) => {
      const ends = lane.now.mode !== "ended" && now[i].mode === "ended";
      lane.now = now[i];
      // The server may end, too: its last news come first.
      if (ends) void catchUp(lane).catch(() => {});
    });
    changed("now");
  }, (connected) => {
    race.connected = connected;
    changed("now");
  });
  const of = /** @type {Race} */ (await api.get("/api/race"));
  const lanes = await Promise.all(of.lanes.map((_, i) => laneOf(of, i)));
  Object.assign(race, { name: of.name, canAct: of.can_act, lanes });
  await Promise.all(lanes.map((lane) => fill(lane).catch(() => {})));
  lanes.forEach((lane) => void follow(lane).catch(() => {}));
}
