// What the page knows, and the moment that it shows.
//
// The story grows at its end: the page asks for what comes after the lines it has. Panels are told that something changed
// and what, and read the rest from here.
(() => {
  "use strict";
  const Klubok = (window.Klubok = window.Klubok || {});

  const state = {
    run: null,
    epochs: [],
    steps: [],
    events: [],
    phases: [],
    verdicts: [],
    best_epoch: null,
    now: { mode: "starting", step: 0, epoch: 0, steps_per_epoch: 1, epochs: 0, lines: [0, 0, 0] },
    // Lines of epochs and steps, by step: the stops of the slider.
    lines: [],
    // The steps of which the server has the whole network.
    wholes: [0],
    // The step that is shown; null is live.
    moment: null,
    // When the slider was moved last.
    moved: 0,
    connected: true,
    // The sample that is looked at: neither number is the first of the validation part. `label` is what the person says an
    // own picture shows.
    sample: { row: null, picture: null, label: null },
    neuron: { layer: null, unit: null },
  };

  const readers = [];
  let changes = new Set();

  // Tells the readers, once a frame, whatever happened in it.
  function changed(what) {
    if (changes.size === 0) requestAnimationFrame(tell);
    changes.add(what);
  }

  function tell() {
    const told = changes;
    changes = new Set();
    for (const reader of readers) reader(state, told);
  }

  const isLive = () => state.moment === null;

  // The line of the moment: the last one that is not after it.
  function line() {
    return state.lines[index()] || null;
  }

  function index() {
    if (isLive()) return state.lines.length - 1;
    let found = 0;
    state.lines.forEach((line, i) => {
      if (line.step <= state.moment) found = i;
    });
    return found;
  }

  // How many validation samples a line was measured on: at the end of an epoch on all of them.
  function samples(line) {
    return Number.isInteger(line.epoch) ? state.run.val_samples : state.run.step_samples;
  }

  // Where the moment is in epochs.
  function epoch() {
    return isLive() ? state.now.epoch : (line() || { epoch: 0 }).epoch;
  }

  // The last value of a key up to the moment: step lines measure less than epoch lines.
  function latest(key) {
    for (let i = index(); i >= 0; i--) {
      const value = state.lines[i][key];
      if (value !== undefined && value !== null) return value;
    }
    return null;
  }

  function setMoment(step) {
    const last = state.lines[state.lines.length - 1];
    state.moment = step === null || !last || step >= last.step ? null : step;
    state.moved = Date.now();
    changed("moment");
  }

  function moveTo(i) {
    const last = state.lines.length - 1;
    setMoment(i >= last ? null : state.lines[Math.max(0, i)].step);
  }

  // The phase of an epoch; live, the last one.
  function phase() {
    if (isLive()) return state.phases[state.phases.length - 1] || null;
    const at = epoch();
    const found = state.phases.filter((phase) => phase.start <= at);
    return found[found.length - 1] || null;
  }

  const severities = ["error", "warning", "info"];

  // The verdicts of the moment, those that matter most first, each with its number among all.
  function verdicts() {
    const numbered = state.verdicts.map((verdict, i) => ({ ...verdict, number: i + 1 }));
    const known = numbered.filter((verdict) => isLive() || verdict.since <= epoch());
    return known.sort((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity));
  }

  function samplePath() {
    const { row, picture, label } = state.sample;
    if (picture !== null) return `picture=${picture}` + (label === null ? "" : `&label=${label}`);
    return row === null ? "" : `row=${row}`;
  }

  // A path at the moment of the slider: the last one of which there is a whole network. A report has it for some looks.
  function atMoment(path) {
    if (isLive()) return path;
    const at = (line() || { step: 0 }).step;
    const step = state.wholes.reduce((last, whole) => (whole <= at ? whole : last), 0);
    const full = `${path}${path.includes("?") ? "&" : "?"}moment=${step}`;
    return Klubok.api.has(full) ? full : path;
  }

  function setSample(sample) {
    state.sample = { row: null, picture: null, label: null, ...sample };
    changed("sample");
  }

  function setNeuron(layer, unit) {
    state.neuron = { layer, unit };
    changed("neuron");
  }

  // Lines of epochs and steps by step; where both measured, the epoch's line measured more.
  function merge() {
    const at = new Map();
    for (const line of state.steps) at.set(line.step, line);
    for (const line of state.epochs) at.set(line.step, { ...at.get(line.step), ...line });
    state.lines = [...at.values()].sort((a, b) => a.step - b.step);
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
      const news = await Klubok.api.get(`/api/story?${have}`);
      state.epochs.push(...news.epochs);
      state.steps.push(...news.steps);
      state.events.push(...news.events);
      Object.assign(state, { phases: news.phases, verdicts: news.verdicts, best_epoch: news.best_epoch, now: news.now });
      merge();
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
      catchUp().catch((error) => Klubok.alert(error.message));
    }, Math.max(0, caughtUp + PACE - Date.now()));
  }

  // How many lines the last news told of; what was asked for since may be more.
  let told = [0, 0, 0];

  function takeNow(now) {
    // Fewer lines than before: another run is served under this address, or the log of this one was cut back.
    if (now.lines.some((n, i) => n < told[i])) location.reload();
    [state.now, told] = [now, now.lines];
    const have = [state.epochs.length, state.steps.length, state.events.length];
    if (now.lines.some((n, i) => n > have[i])) catchUpSoon();
    changed("now");
  }

  async function start() {
    const [run] = await Promise.all([Klubok.api.get("/api/run"), catchUp()]);
    state.run = run;
    changed("run");
    Klubok.api.follow(takeNow, (connected) => {
      if (state.connected !== connected) changed("now");
      state.connected = connected;
    });
  }

  Klubok.state = state;
  Klubok.store = {
    subscribe: (reader) => readers.push(reader),
    changed, start, isLive, line, index, samples, epoch, latest, phase, verdicts, setMoment, moveTo, samplePath, atMoment, setSample, setNeuron,
  };
})();
