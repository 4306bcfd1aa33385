// What a run predicts: classes, labels or numbers. All that the panels measure and say differently for the three is here; which
// panels a run has at all, the server tells.
(() => {
  "use strict";
  const { t, text, store } = Klubok;

  // The share of right classes or labels, with what chance alone explains of it.
  const accuracy = {
    name: () => t("page.accuracy"),
    train: (line) => line.train_accuracy ?? null,
    val: (line) => line.val_accuracy ?? null,
    interval: (line) => text.wilson(line.val_accuracy, store.samples(line)),
    hover: "%{y:.1%}",
    note: () => null,
    guess: (run) => run.chance,
    lowest: 0,
    ticks(lowest) {
      const step = lowest < 0.6 ? 0.2 : lowest < 0.85 ? 0.1 : 0.05;
      const tickvals = Array.from({ length: Math.round(1 / step) + 1 }, (_, i) => i * step);
      return { tickvals, ticktext: tickvals.map((share) => text.percent(share, 0)) };
    },
    readout(line) {
      const [low, high] = accuracy.interval(line) || [null, null];
      return t("page.readout_accuracy", {
        train_accuracy: text.percent(line.train_accuracy), val_accuracy: text.percent(line.val_accuracy),
        low: text.percent(low), high: text.percent(high),
      });
    },
    columns: () => [
      [t("page.training_accuracy"), (line) => text.percent(line.train_accuracy)],
      [t("page.validation_accuracy"), (line) => text.percent(line.val_accuracy)],
    ],
  };

  // The share of the variation that is explained; at random weights it may be far below zero, where nothing is to be seen.
  const r2 = {
    name: () => "R²",
    train: () => null,
    val: (line) => line.val_r2 ?? null,
    interval: () => null,
    hover: "R² %{y:.3f} · RMSE %{customdata}",
    note: (line) => text.number(line.val_rmse),
    guess: () => 0,
    lowest: -1,
    ticks: () => ({}),
    readout: (line) => t("page.readout_numbers", { rmse: text.number(line.val_rmse), r2: text.decimals(line.val_r2, 3) }),
    columns: () => [["RMSE", (line) => text.number(line.val_rmse)], ["R²", (line) => text.decimals(line.val_r2, 3)]],
  };

  // The error with what chance alone explains of it, in the words of `keys`.
  function saidOfShare(run, line, keys) {
    const interval = text.wilson(line && line.val_accuracy, run.val_samples);
    if (!interval) return ["", ""];
    const [low, high] = [1 - interval[1], 1 - interval[0]];
    const values = { error: text.percent(1 - line.val_accuracy), low: text.percent(low), high: text.percent(high) };
    const guess = text.percent(1 - run.chance);
    let compared = keys.better;
    if (interval[0] <= run.chance && interval[1] >= run.chance) compared = keys.guess;
    else if (interval[1] < run.chance) compared = keys.worse;
    return [t(keys.error, values), t(compared, { guess })];
  }

  function saidOfNumbers(line) {
    if (!line || !text.isNumber(line.val_r2)) return ["", ""];
    const said = t("page.say_error_numbers", { rmse: text.number(line.val_rmse), r2: text.decimals(line.val_r2, 3) });
    return [said, t(line.val_r2 > 0 ? "page.say_better_numbers" : "page.say_worse_numbers")];
  }

  const targets = {
    class: {
      score: accuracy,
      guessing: () => t("page.guessing"),
      said: (run, line) => saidOfShare(run, line, {
        error: "page.say_error", better: "page.say_better", guess: "page.say_guess", worse: "page.say_worse",
      }),
      abouts: () => (Klubok.state.run.data.kind === "pictures" ? {} : { picture: "page.sample_about" }),
      isTrue: (look, i) => i === look.label,
      isPredicted: (look, i) => i === look.confidences.indexOf(Math.max(...look.confidences)),
    },
    label: {
      score: accuracy,
      guessing: () => t("page.guessing"),
      said: (run, line) => saidOfShare(run, line, {
        error: "page.say_error_labels", better: "page.say_better_labels", guess: "page.say_guess_labels", worse: "page.say_worse_labels",
      }),
      abouts: () => ({ picture: "page.sample_about_labels", answers: "page.answers_about_labels", data: "page.data_about_labels" }),
      isTrue: (look, i) => Boolean(look.targets) && look.targets[i] > 0.5,
      isPredicted: (look, i) => look.confidences[i] > 0.5,
    },
    number: {
      score: r2,
      guessing: () => t("page.the_mean"),
      said: (run, line) => saidOfNumbers(line),
      abouts: () => ({
        sentence: "page.sentence_about_numbers", curves: "page.curves_about_numbers", picture: "page.sample_about_numbers",
        answers: "page.answers_about_numbers", data: "page.data_about_numbers",
      }),
    },
  };

  Klubok.target = () => targets[Klubok.state.run.data.target];
})();
