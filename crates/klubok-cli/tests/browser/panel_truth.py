"""What each panel shows, computed again with numpy from the run's own files.

`PANELS` has one small function for each panel. Each gets a `View`: the page at a moment of a run.
"""

import re

import numpy as np
import pytest

from acts import wait
from run_folder import Run, evenly, numbers, shows, softmax, wilson
from view import ORANGE, target

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
    row = view.row
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
    row = view.row
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
    row = view.row
    x, z, y = [values[0] for values in view.run.forward(view.whole, view.inputs([row]))[layer]]
    w, b = view.run.weights(view.whole)[view.run.layer_names().index(layer)]
    products = w[unit] * x
    expected = [products[products > 0].sum(), products[products < 0].sum(), b[unit], z[unit], y[unit]]
    shown = [numbers(text)[0][0] for text in view.texts("neuron", ".sum dd")]
    assert shown == pytest.approx(expected, abs=2e-4)


PANELS = {
    "watch": [sentence, curves, status],
    "look": [network, features, excites, layers],
    "good": [picture, answers, cloud, suspects],
    "lab": [motion, terrain, lesions, data, runs, repeat],
}
