"""Every panel tells the truth at every moment: what it shows is computed again with numpy from the run's own files.

`PANELS` has one small function for each panel and part of the stage. Each gets a `View`: the page at a moment of a run.
"""

import re

import numpy as np
import pytest

from acts import TABS, heighten, open_unit, switch, tab, wait
from conftest import Served, bmp, klubok
from run_folder import Run, evenly, numbers, shows, softmax, wilson
from view import LINE, ORANGE, PIXELS, PLANE, View, target

SHORT = ["--set", "train.early_stopping=false", "--set", "model.batch_norm=false", "--set", "data.limit=160"]
RUNS = {
    # Too large to be in the film as a whole: only the start, the best and the last weights are known.
    "pictures": ["demo:cats-dogs-small", "--hidden", "40,16", "--epochs", "16", "--batch-size", "16", "--lr", "0.003", "--set", "data.size=24", "--set", "model.activation=relu"],
    "spirals": ["demo:spirals", "--hidden", "16,16", "--epochs", "40"],
    "curve": ["demo:curve", "--hidden", "16", "--epochs", "21", "--batch-size", "16", "--lr", "0.1", "--set", "train.schedule=constant"],
    "marks": ["demo:marks", "--hidden", "12", "--epochs", "25", "--batch-size", "8", "--lr", "0.01"],
}
# The same network before its first step.
UNTRAINED = ["--epochs", "1", "--lr", "1e-30"]
SHOWN_LATER = 700  # milliseconds until a panel that takes long looks again


# What is measured: the lines of the run's logs.

def sentence(view):
    line = view.run.epochs[-1] if view.step == view.run.last else view.run.line(view.step)
    view.aged("sentence", line["step"])
    said = re.sub(r"^.*?:", "", view.text("sentence", ".said"))
    if target(view) == "numbers":
        rmse, r2 = [value for value, _ in numbers(said.replace("R²", "R"))]
        assert (rmse, r2) == pytest.approx((line["val_rmse"], line["val_r2"]), rel=6e-3, abs=6e-4)
        return
    error, _, low, high = numbers(said)
    expected = wilson(line["val_accuracy"], len(view.run.parts["val"]))
    for (value, half), share in zip([error, low, high], [1 - line["val_accuracy"], 1 - expected[1], 1 - expected[0]]):
        # Of labels, every one counts in the accuracy, and a sample in the interval.
        assert abs(value - 100 * share) <= half * 1.05, (said, share)


def curves(view):
    line = view.run.line(view.step)
    view.aged("curves", line["step"])
    readout = view.text("curves", ".readout")
    epoch, step, train, val = numbers(readout)[:4]
    assert step[0] == line["step"] and abs(epoch[0] - line["epoch"]) <= 0.05
    for shown, key in [(train, "train_eval_loss"), (val, "val_loss")]:
        assert shown[0] == pytest.approx(line[key], rel=6e-3), (key, readout)
    # The drawn curve is the measured one: heights and losses differ by a scale only.
    path = view.page.locator("#panel-curves .line.validation").first.get_attribute("d")
    heights = np.array([float(y) for y in re.findall(r"[ML]\s*[-\d.e]+[ ,]\s*([-\d.e]+)", path)])
    losses = np.array([line["val_loss"] for line in view.run.lines])
    assert len(heights) == len(losses), (len(heights), len(losses))
    scale = np.polyfit(losses, heights, 1)
    assert np.abs(np.polyval(scale, losses) - heights).max() < 0.6 and scale[0] < 0


def status(view):
    line = view.run.line(view.step)
    view.aged("status", line["step"])
    figures = dict(zip(view.texts("status", "dt"), view.texts("status", "dd")))
    shows(figures["Step"], line["step"])
    shows(figures["Epoch"], line["epoch"], 3)
    # Measured, not the mean of an epoch.
    shows(figures["Training loss"], line["train_eval_loss"])
    rates = [line["learning_rate"] for line in view.run.lines if line["step"] <= view.step and "learning_rate" in line]
    assert figures["Learning rate"] == "–" if not rates else shows(figures["Learning rate"], rates[-1]) is None


# What the network makes of samples: the last weights that are known as a whole.

def network(view):
    view.aged("network", view.whole)
    [row] = view.film_rows()[:1]
    said = view.run.said(view.whole, view.logits([row]))[0]
    shown, names = (view.texts("network", f".at-output .{kind}") for kind in ["value", "class"])
    order = dict(zip(view.run.names, said))
    assert len(names) == len(shown) == min(12, len(order))
    for name, text in zip(names, shown):
        shows(text, order[name.replace(" ✓", "")] * (1 if target(view) == "numbers" else 100))
    values = view.run.forward(view.whole, view.inputs([row]))
    # A gradient is of the very step, and so is the activity.
    measured = view.run.snapshot(view.whole).layers
    layers = view.run.layer_names()[:-1]
    lines = view.texts("network", ".figures-line")
    lines = [line for line in lines if line.startswith("Above zero")]
    assert len(lines) == len(layers), lines
    for layer, line in zip(layers, lines):
        own, mean, gradient = re.fullmatch(r"Above zero (.+), on average (.+); gradient (.+); dead .+", line).groups()
        shows(own, 100 * (values[layer][2] > 0).mean())
        shows(mean, 100 * measured[layer]["active_fraction"])
        norm = measured[layer].get("grad_norm")
        assert gradient == "–" if norm is None else shows(gradient, norm, 2) is None


def features(view):
    view.aged("features", view.whole)
    start, now = view.run.weights(0)[0][0], view.run.weights(view.whole)[0][0]
    last = view.run.weights(view.run.last)[0][0]
    captions = view.texts("features", ".caption")
    most = np.argsort(-np.linalg.norm(last - start, axis=1))[:24]
    shown = [int(caption.split(" · ")[0]) for caption in captions]
    assert len(shown) == len(most) and set(shown) <= set(np.argsort(-np.linalg.norm(last - start, axis=1))[:26])
    for unit, caption in zip(shown, captions):
        shows(caption.split(" · ")[1], np.linalg.norm(now[unit] - start[unit]), 2)
    if view.step:
        colours = view.page.evaluate(ORANGE, "#panel-features .feature canvas")[0]
        added = now[shown[0]] - start[shown[0]]
        assert view.whole == 0 or np.corrcoef(colours, added)[0, 1] > 0.9


def excites(view):
    view.page.wait_for_timeout(SHOWN_LATER)
    view.aged("excites", view.whole)
    shown = view.page.evaluate("""[...document.querySelectorAll("#panel-excites .exciting > li")].map((li) =>
      [...li.querySelectorAll(".pictures button")].map((button) => [button.dataset.focus, button.innerText]))""")
    train = view.logits(view.run.parts["train"])
    assert len(shown) == min(6, len(view.run.names))
    for unit, pictures in enumerate(shown):
        rows = [int(focus.rsplit("-", 1)[1]) for focus, _ in pictures]
        values = train[[view.run.parts["train"].index(row) for row in rows], unit]
        assert values[-1] >= np.sort(train[:, unit])[-len(rows)] - 1e-4, "not the strongest"
        for (_, caption), value in zip(pictures, values):
            shows(caption.split(" · ")[-1], value, 2)


def layers(view):
    view.page.wait_for_timeout(SHOWN_LATER)
    view.aged("layers", view.whole)
    rows = view.run.parts["val"]
    shows(view.text("layers", "tfoot td"), 100 * (view.logits(rows).argmax(1) == view.run.truth(rows)).mean())
    probes = [numbers(row.split("\t")[1])[0][0] for row in view.texts("layers", "tbody tr")]
    assert len(probes) == len(view.run.layer_names()) and all(0 <= probe <= 100 for probe in probes)


def picture(view):
    view.aged("picture", view.whole)
    [row] = view.film_rows()[:1]
    logits = view.logits([row])
    said = view.run.said(view.whole, logits)[0]
    if target(view) == "numbers":
        prediction, truth, off = view.texts("picture", ".chances dd")
        shows(prediction, said[0])
        shows(truth, view.run.truth([row])[0][0])
        shows(off, said[0] - view.run.truth([row])[0][0])
        return
    start = view.run.said(0, view.run.logits(0, view.inputs([row])))[0]
    names = [name.strip("▸ ").replace(" ✓", "") for name in view.texts("picture", ".chances .class")]
    for name, value, before in zip(names, view.texts("picture", ".chances .value"), view.texts("picture", ".chances .before")):
        k = view.run.names.index(name)
        shows(value, 100 * said[k])
        shows(before, 100 * start[k])
    if target(view) == "classes":
        p = softmax(logits)[0][view.run.truth([row])[0]]
        words = view.text("picture", ".sum-line").replace("−log", "log").split("log")[-1]
        shown = [value for value, _ in numbers(words)]
        assert shown[:2] == pytest.approx([p, -np.log(p)], rel=6e-3, abs=6e-4), words


def answers(view):
    """At moments without whole weights: what the film's samples got."""
    whole = view.step in view.run.wholes()
    view.aged("answers", view.step)
    rows = view.run.parts["val"] if whole else view.film_samples()
    logits = view.logits(rows) if whole else view.run.snapshot(view.step).tensors["outputs"].astype(float)
    said, truth = view.run.said(view.step, logits), view.run.truth(rows)
    {"classes": of_classes, "labels": of_labels, "numbers": of_numbers}[target(view)](view, said, truth)


def of_classes(view, said, truth):
    answer, lead = said.argmax(1), view.text("answers", ".lead")
    accuracy = (answer == truth).mean()
    interval = [100 * share for share in wilson(accuracy, len(truth))]
    shown = [value for value, _ in numbers(lead)]
    assert shown[:2] == pytest.approx([100 * accuracy, len(truth)], abs=0.0501), lead
    assert shown[3:5] == pytest.approx(interval, abs=0.0501), lead
    cells = [int(cell) for cell in view.texts("answers", ".confusion tbody td")]
    assert cells == [((truth == i) & (answer == j)).sum() for i in range(len(view.run.names)) for j in range(len(view.run.names))]
    for k, row in enumerate(view.texts("answers", "table:not(.confusion) tbody tr")):
        hits = ((truth == k) & (answer == k)).sum()
        name, precision, recall, *_ = row.split("\t")
        assert name == view.run.names[k]
        assert precision == "–" if not (answer == k).any() else shows(precision, 100 * hits / (answer == k).sum()) is None
        shows(recall, 100 * hits / (truth == k).sum())
    # Bars of the reliability diagram, as text.
    bins = np.minimum((said.max(1) * 10).astype(int), 9)
    expected = [(100 * said.max(1)[bins == b].mean(), 100 * (answer == truth)[bins == b].mean(), (bins == b).sum()) for b in sorted(set(bins))]
    shown = view.page.evaluate("[...document.querySelectorAll('#panel-answers details ul li')].map((li) => li.textContent)")
    got = [[value for value, _ in numbers(text)] for text in shown]
    assert np.array(got) == pytest.approx(np.array(expected), abs=0.51), (got, expected)


def of_labels(view, said, truth):
    answer, lead = said > 0.5, view.text("answers", ".lead")
    shown = numbers(lead)
    assert shown[0][0] == pytest.approx(100 * (answer == truth).mean(), abs=0.0501), lead
    shows(lead.split("All labels right:")[1], 100 * (answer == truth).all(1).mean())
    rows = view.texts("answers", "tbody tr")[:-1]
    for k, row in enumerate(rows):
        name, _, _, precision, recall, support = row.split("\t")
        hits = (answer & truth)[:, k].sum()
        assert (name, int(support)) == (view.run.names[k], truth[:, k].sum()), row
        assert precision == "–" if not answer[:, k].any() else shows(precision, 100 * hits / answer[:, k].sum()) is None
        shows(recall, 100 * hits / truth[:, k].sum())


def of_numbers(view, said, truth):
    lead = view.text("answers", ".lead").replace("R²", "R")
    error = said - truth
    r2 = 1 - (error**2).sum() / ((truth - truth.mean()) ** 2).sum()
    expected = [np.sqrt((error**2).mean()), np.abs(error).mean(), r2, len(truth)]
    assert [value for value, _ in numbers(lead)] == pytest.approx(expected, rel=6e-3, abs=6e-4), lead
    # The dots lie where truth and prediction are.
    dots = np.array(view.page.evaluate("[...document.querySelectorAll('#panel-answers .dot')].map((dot) => [+dot.getAttribute('cx'), 300 - dot.getAttribute('cy')])"))
    values = np.concatenate([truth, said], 1)
    scale = np.polyfit(values.ravel(), dots.ravel(), 1)
    assert np.abs(np.polyval(scale, values) - dots).max() < 0.5


def cloud(view):
    view.aged("cloud", view.step)
    rows = view.film_samples()
    outputs = view.run.snapshot(view.step).tensors["outputs"]
    shown = [value for value, _ in numbers(view.text("cloud", ".note"))]
    assert shown[0] == len(rows) and shown[-1] == (outputs.argmax(1) != view.run.truth(rows)).sum()


def suspects(view):
    view.page.wait_for_timeout(SHOWN_LATER)
    view.aged("suspects", view.whole)
    known = [step for step in view.run.wholes() if step <= view.whole]
    chosen = sorted({*(known[i] for i in evenly(len(known), 4)), view.whole} - {0})
    note = view.text("suspects", ".note")
    if not chosen:
        assert "measured from the first snapshot" in note
        return
    rows, train = view.run.parts["train"], view.inputs(view.run.parts["train"])
    of = [-np.log(softmax(view.run.logits(step, train)))[range(len(rows)), view.run.truth(rows)] for step in chosen]
    losses = np.sort(np.mean(of, 0))[::-1]
    expected = losses[losses > -np.log(0.2)][:12]
    texts = view.texts("suspects", ".suspects p")
    assert len(texts) == len(expected), note
    for text, loss in zip(texts, expected):
        shows(text.split("Mean loss")[1], loss)


# What happened in the whole run.

def motion(view):
    assert "No steps were recorded" in view.text("motion", ".note")


def terrain(view):
    if not view.page.locator("#panel-terrain table").count():
        view.page.get_by_role("button", name="Measure the terrain").click()
        wait(view.page, "document.querySelector('#panel-terrain details') !== null")
        view.page.locator("#panel-terrain summary", has_text="table").click()
    view.aged("terrain", view.run.last)
    rows = [row.split("\t") for row in view.texts("terrain", "tbody tr")]
    steps = [int(row[0].split(" · ")[0].replace(",", "")) for row in rows]
    assert steps == view.run.wholes()
    train, truth = view.inputs(view.run.parts["train"]), view.run.truth(view.run.parts["train"])
    for step, row in list(zip(steps, rows))[:: max(1, len(rows) // 6)]:
        shows(row[1], loss_of(view, view.run.logits(step, train), truth))


def loss_of(view, logits, truth):
    """The mean loss; of labels the mean of all."""
    if target(view) == "classes":
        return -np.log(softmax(logits))[range(len(truth)), truth].mean()
    if target(view) == "labels":
        return (np.logaddexp(0, logits) - truth * logits).sum(1).mean() / (truth.shape[1] if mean_of_labels(view) else 1)
    of = view.run.card["preprocessing"]["target"]
    return ((logits - (truth - np.array(of["mean"])) / np.array(of["std"])) ** 2).mean()


def mean_of_labels(view):
    """Whether the logs' loss is the mean over labels: at zero weights every label costs log 2."""
    return view.run.epochs[0]["val_loss"] < 1.5 * np.log(2)


def lesions(view):
    view.page.wait_for_timeout(SHOWN_LATER)
    view.aged("lesions", view.whole)
    rows = view.run.parts["val"]
    words = view.page.evaluate("[...document.querySelectorAll('#panel-lesions li')].map((li) => li.textContent)")
    accuracy = 100 * (view.logits(rows).argmax(1) == view.run.truth(rows)).mean()
    assert numbers(words[0])[1][0] == pytest.approx(accuracy, abs=0.0501), words[0]


def data(view):
    rows = [row.split("\t") for row in view.texts("data", "table tr")][1:]
    parts = [view.run.parts[part] for part in ["train", "val"]]
    assert [int(cell.replace(",", "")) for cell in rows[-1][1:3]] == [len(part) for part in parts]
    if target(view) == "numbers":
        return
    for k, (name, *counts, _) in enumerate(rows[:-1]):
        own = [view.run.truth(part) for part in parts]
        assert name == view.run.names[k]
        assert [int(count) for count in counts] == [int((of == k).sum() if of.ndim == 1 else of[:, k].sum()) for of in own]


def runs(view):
    """Only runs whose losses are measured on the same samples stand in one order."""
    found = view.page.evaluate("[...document.querySelectorAll('#panel-runs tbody tr')].map((tr) => [tr.className, ...[...tr.children].map((cell) => cell.textContent.replace('▸ ', ''))])")
    apart = [row[0] for row in found].index("apart")
    own = view.run.path.name
    assert {row[1] for row in found[:apart]} == {own, f"{own}-start"}
    losses = []
    for _, name, _, loss, *_ in found[:apart] + found[apart + 1:]:
        lowest = min(line["val_loss"] for line in Run(view.run.path.parent / name).epochs)
        shows(loss, lowest)
        losses.append(lowest)
    assert losses[:apart] == sorted(losses[:apart])
    # A curve has its place among those of the same scale only.
    assert view.page.locator("#panel-runs .spark").count() == apart


def repeat(view):
    assert view.page.locator("#panel-repeat pre").text_content() == view.run.settings
    parameters = sum(w.size + b.size for w, b in view.run.weights(0))
    assert f"weights: {parameters:,}" in view.text("repeat")


def neuron(view):
    view.aged("neuron", view.whole)
    layer, unit = view.page.locator("#neuron-layer").input_value(), int(view.page.locator("#neuron-unit").input_value())
    [row] = view.film_rows()[:1]
    x, z, y = [values[0] for values in view.run.forward(view.whole, view.inputs([row]))[layer]]
    w, b = view.run.weights(view.whole)[view.run.layer_names().index(layer)]
    products = w[unit] * x
    expected = [products[products > 0].sum(), products[products < 0].sum(), b[unit], z[unit], y[unit]]
    shown = [numbers(text)[0][0] for text in view.texts("neuron", ".sum dd")]
    assert shown == pytest.approx(expected, abs=2e-4)


# The stage: what the film keeps of the moment.

def stage_sentence(view):
    line = view.run.line(view.step)
    said, when = view.page.locator("#said").inner_text(), view.page.locator(".say .when").inner_text()
    assert when.startswith(view.run.name(view.step))
    assert ("measured at step" in when) == (line["step"] != view.step)
    measured = {"of 100": "val_accuracy", "off by": "val_rmse"}
    for words, key in measured.items():
        # By heart: of the samples seen, and of new ones.
        if words not in said or key not in line or "seen" in said:
            continue
        value = numbers(said.split("off by")[-1] if key == "val_rmse" else said)[0][0]
        assert value == pytest.approx(line[key] if key == "val_rmse" else 100 * line[key], rel=0.06 if key == "val_rmse" else 0, abs=0.51), said


def stage_picture(view):
    outputs = view.run.snapshot(view.step).tensors["outputs"][:1]
    said = view.run.said(view.step, outputs)[0]
    [row] = view.film_rows()[:1]
    values = view.inputs([row])[0]
    pixels = view.page.evaluate(PIXELS)
    if pixels:
        assert len(values) in (len(pixels), 3 * len(pixels)) and pixels == values.reshape(len(pixels), -1)[:, 0].tolist()
    else:
        for value, text in zip(values, view.page.locator(".shown-picture .values dd").all_inner_texts(), strict=True):
            shows(text, value)
    names = view.page.locator(".says .class").all_inner_texts()
    for name, value in zip(names, view.page.locator(".says .value").all_inner_texts()):
        k = view.run.names.index(re.sub(r"^▸ | ✓$|, in truth.*", "", name))
        shows(value, said[k] * (1 if target(view) == "numbers" else 100))
        right = view.run.truth([row])[0]
        if target(view) != "numbers":
            assert name.endswith("✓") == bool(right == k if target(view) == "classes" else right[k]), name


def stage_hero(view):
    snapshot = view.run.snapshot(view.step)
    if "grid" in snapshot.tensors and target(view) == "classes":
        drawn_plane(view, snapshot)
    elif "grid" in snapshot.tensors:
        drawn_curve(view, snapshot)
    else:
        drawn_tiles(view, snapshot)


def drawn_tiles(view, snapshot):
    """Each tile is coloured by its weights: the start and what was added, each pixel with its neighbours."""
    tiles = view.run.snapshot(0).quantised("start") + snapshot.quantised("tiles")
    view.page.wait_for_timeout(200)
    shown = view.page.evaluate(ORANGE, ".tile-picture.shown")
    assert len(shown) == len(tiles)
    for colours, tile in list(zip(shown, tiles))[::6]:
        height, width, _ = tile.shape
        mean = [[tile[max(0, y - 1):y + 2, max(0, x - 1):x + 2].mean() for x in range(width)] for y in range(height)]
        assert np.corrcoef(colours, np.ravel(mean))[0, 1] > 0.95


def drawn_plane(view, snapshot):
    """Where the network is sure, the colour is that of its answer."""
    said = view.run.said(view.step, snapshot.tensors["grid"])
    side = int(np.sqrt(len(said)))
    colours = np.array(view.page.evaluate(PLANE, side))
    sure = np.abs(said[:, 0] - 0.5) > 0.2
    of = [np.median(colours[sure & (said[:, k] > 0.5)]) if (sure & (said[:, k] > 0.5)).sum() > 20 else None for k in [0, 1]]
    if None not in of:
        assert abs(of[0] - of[1]) > 30
        nearer = np.abs(colours - of[0]) < np.abs(colours - of[1])
        # A few cells are under a point.
        assert (nearer == (said[:, 0] > 0.5))[sure].mean() > 0.85


def drawn_curve(view, snapshot):
    """The line is as high as the predictions, between the least and the most of the points."""
    said = view.run.said(view.step, snapshot.tensors["grid"])[:, 0]
    rows = view.run.parts["train"] + view.run.parts["val"]
    truth = view.run.truth(rows)[:, 0]
    least, most = truth.min(), truth.max()
    margin = 0.1 * (most - least)
    heights = np.array(view.page.evaluate(LINE, len(said)))
    expected = 1 - (said - least + margin) / (most - least + 2 * margin)
    inside = (expected > 0.02) & (expected < 0.98) & (heights >= 0)
    assert inside.sum() > len(said) / 2
    assert np.median(np.abs(heights - expected)[inside]) < 0.02


def stage_network(view):
    said = view.run.said(view.step, view.run.snapshot(view.step).tensors["outputs"][:1])[0]
    for k, text in zip(range(len(said)), view.page.locator(".flow-said").all_text_contents()):
        shows(text, said[k] * (1 if target(view) == "numbers" else 100))


STAGE = [stage_sentence, stage_picture, stage_hero, stage_network]
PANELS = {
    "watch": [sentence, curves, status],
    "look": [network, features, excites, layers],
    "good": [picture, answers, cloud, suspects],
    "lab": [motion, terrain, lesions, data, runs, repeat],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of each kind, with one of the same network that keeps its random weights."""
    folder = tmp_path_factory.mktemp("truth")
    for name, (source, *settings) in RUNS.items():
        klubok(folder, "train", source, "-o", name, *settings, *SHORT)
        klubok(folder, "train", source, "-o", f"{name}-start", *settings, *SHORT, *UNTRAINED)
    return folder


def moments(run):
    """The start, a snapshot in the middle, the best and the last weights."""
    middle = [step for step in run.steps if step not in (0, run.best, run.last)]
    return sorted({0, middle[len(middle) // 2], run.best, run.last})


@pytest.mark.parametrize("name", RUNS)
def test_every_panel_shows_the_moment(name, folder, window):
    run = Run(folder / name, Run(folder / f"{name}-start"))
    served = Served(folder, "dashboard", name)
    try:
        page = window(served.address)
        view = View(run, served, page)
        listed = served.ask("api/run")["panels"]
        assert {panel.__name__ for panels in PANELS.values() for panel in panels} | {"neuron"} >= set(listed)
        heighten(page, 1440, 9000)
        for step in moments(run):
            view.move(step)
            for part in STAGE:
                checked(part, view)
        for part, panels in PANELS.items():
            tab(page, part)
            for step in moments(run):
                view.move(step)
                for panel in panels:
                    if panel.__name__ in listed:
                        page.locator(f"#panel-{panel.__name__}").scroll_into_view_if_needed()
                        checked(panel, view)
        open_unit(page)
        for step in moments(run):
            view.move(step)
            checked(neuron, view)
        page.close()
    finally:
        served.end()


def checked(part, view):
    try:
        part(view)
    except Exception as error:
        raise AssertionError(f"{part.__name__} at step {view.step} (known: {view.run.wholes()[:3]}..., best {view.run.best}, last {view.run.last}): {error}") from error


# Kinds of falsehood that were found once.

@pytest.fixture
def opened(folder, window):
    """Opens the page of a run of the folder."""
    both = []

    def of(name):
        served = Served(folder, "dashboard", name)
        both.append((served, window(served.address)))
        return both[-1]

    yield of
    for served, page in both:
        # Before the server ends, which would log an error on the console.
        page.close()
        served.end()


def test_rows_of_alternating_classes_are_both_on_the_map(folder, opened):
    chance = np.random.default_rng(1)
    for part, count in [("train", 600), ("val", 200)]:
        points = chance.normal(size=(count, 2))
        rows = [f"{x + 2 * (i % 2):.4f},{y:.4f},{'odd' if i % 2 else 'even'}" for i, (x, y) in enumerate(points)]
        (folder / f"{part}.csv").write_text("\n".join(["x,y,kind", *rows]))
    klubok(folder, "train", "train.csv", "--val", "val.csv", "--target", "kind", "-o", "alternating", "--epochs", "2", "--hidden", "8")
    served, page = opened("alternating")
    grid = served.ask("api/look/scene")["grid"]
    for points in [grid["train"], grid["val"]]:
        odd = np.mean([truth for _, truth in points])
        assert 0.4 < odd < 0.6, odd
    # Both are drawn.
    heighten(page, 1440, 1200)
    wait(page, "import('/film.js').then((film) => film.snapshot() !== null)")
    drawn = page.evaluate("""import("/draw.js").then(({ colour, hue }) => [0, 1].map((k) => {
      const canvas = document.querySelector(".plane");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const own = colour(hue(k));
      return Array.from({ length: data.length / 4 }, (_, i) => own.every((c, j) => Math.abs(data[4 * i + j] - c) < 6)).filter(Boolean).length;
    }))""")
    assert min(drawn) > 0.3 * max(drawn) > 0, drawn


def test_made_pictures_of_classes_differ(folder, opened):
    """Bright strokes on black, as digits are: the classes share most of their pixels."""
    chance = np.random.default_rng(2)
    (folder / "strokes").mkdir()
    drawn = {k: [] for k in range(4)}
    for k in range(4):
        (folder / "strokes" / f"digit{k}").mkdir()
        for i in range(60):
            picture = np.zeros((16, 16), np.uint8)
            shift = chance.integers(-1, 2)
            for j in range(3, 13):
                at = {0: (j, 7 + shift), 1: (7 + shift, j), 2: (j, min(14, max(1, j + shift))), 3: (j, min(14, max(1, 15 - j + shift)))}[k]
                picture[at] = picture[at[0], at[1] - 1] = chance.integers(180, 256)
            drawn[k].append(picture.ravel())
            (folder / "strokes" / f"digit{k}" / f"{i}.bmp").write_bytes(bmp(np.repeat(picture[::-1].ravel(), 3).tobytes()))
    klubok(folder, "train", "strokes", "-o", "digits", "--epochs", "8", "--hidden", "32", "--set", "data.size=16", "--set", "augment.flip=false", "--set", "train.early_stopping=false")
    served, page = opened("digits")
    heighten(page, 1440, 6000)
    tab(page, "look")
    page.locator("#panel-excites").scroll_into_view_if_needed()
    wait(page, "document.querySelectorAll('#panel-excites .best canvas').length === 4")
    made = np.array(page.evaluate("""[...document.querySelectorAll("#panel-excites .best canvas")].map((canvas) =>
      [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data].filter((_, i) => i % 4 === 0))"""), float)
    alike = np.corrcoef(made)
    assert alike[~np.eye(4, dtype=bool)].max() < 0.6, alike.round(2)
    # Each is of its class: the mean picture that it is most like is that of the class.
    means = np.array([np.mean(drawn[k], axis=0) for k in range(4)])
    assert list(np.corrcoef(made, means)[:4, 4:].argmax(1)) == [0, 1, 2, 3]


# Words that are false where there is no such thing.
OF_PICTURES = r"\bpixel|\bpicture|пиксел|картин"
OF_RELU = r"ReLU|above zero \(|passes? on what is above zero|передаёт дальше то, что больше нуля"


@pytest.mark.parametrize(("name", "forbidden"), [("spirals", f"{OF_PICTURES}|{OF_RELU}"), ("curve", OF_PICTURES)])
def test_no_caption_speaks_of_what_is_not_there(name, forbidden, opened, folder):
    assert 'activation = "tanh"' in (folder / "spirals" / "config.toml").read_text()
    _, page = opened(name)
    heighten(page, 1440, 9000)
    for language in ["en", "ru"]:
        if language == "ru":
            switch(page, "language")
        for part in TABS:
            tab(page, part)
            page.wait_for_timeout(300)
        # All words, the help and folded introductions included; names of files and settings are no captions.
        words = page.evaluate("""[...document.querySelectorAll("body *")].filter((element) => !element.closest("script, style, pre, code, noscript, [hidden], #panel-runs tbody"))
          .flatMap((element) => [...element.childNodes].filter(({ nodeType }) => nodeType === 3).map(({ textContent }) => textContent)
            .concat(element.getAttribute("aria-label") ?? [], element.title ?? []))""")
        found = [text for text in words if re.search(forbidden, text, re.IGNORECASE)]
        assert not found, found


def test_differences_of_percentages_are_points(folder, opened):
    _, page = opened("pictures")
    heighten(page, 1440, 6000)
    tab(page, "good")
    wait(page, "document.querySelector('#panel-answers .reliability') !== null")
    for language, unit in [("en", "percentage points"), ("ru", "п. п.")]:
        if language == "ru":
            switch(page, "language")
            wait(page, "document.querySelector('#panel-answers .reliability')?.getAttribute('aria-label').includes('разница')")
        said = page.locator("#panel-answers .side-by-side div > p").inner_text()
        drawn = page.locator("#panel-answers .reliability").get_attribute("aria-label")
        assert unit in said and unit in drawn and "%" not in said + drawn, (said, drawn)
