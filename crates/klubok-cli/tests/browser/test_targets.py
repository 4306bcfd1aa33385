"""The page and the report of runs that predict numbers or labels show their own figures, and no panel of classes."""

import json

import pytest

from acts import CURVES, DRAWN, TABS, aged, at_best, bring, heighten, tab, wait
from conftest import Served, klubok

OF_CLASSES = ["layers", "cloud", "lesions", "suspects"]
SHORT = ["--hidden", "32", "--set", "train.early_stopping=false"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of numbers, one of labels, and one on a table with the price to predict."""
    folder = tmp_path_factory.mktemp("targets")
    rows = [f"{i % 7},{i % 11},{3 * (i % 7) - (i % 11)}" for i in range(240)]
    (folder / "prices.csv").write_text("\n".join(["size,age,price", *rows]))
    klubok(folder, "train", "demo:curve", "-o", "curve", "--epochs", "12", *SHORT)
    klubok(folder, "train", "demo:marks", "-o", "marks", "--epochs", "4", *SHORT)
    klubok(folder, "train", "prices.csv", "--target", "price", "-o", "prices", "--epochs", "6", *SHORT)
    return folder


def text_of(page, panel, selector):
    bring(page, panel)
    return page.locator(f"#panel-{panel} {selector}").first.inner_text().replace("\u00a0", " ")


def looked_at(page, absent):
    """Checks in each tab, at the start and at the end, that the right panels are there and nothing is wrong."""
    heighten(page, 1280, 9000)
    for key, words in [("Home", "random weights"), ("End", "last weights")]:
        page.keyboard.press(key)
        wait(page, "(words) => document.getElementById('moment').textContent.includes(words)", words)
        ready = {"watch": f"{DRAWN} && {CURVES}", "look": "document.querySelector('#panel-network .age').textContent !== ''",
                 "good": "document.querySelector('#panel-answers .lead') && document.querySelector('#panel-picture .age').textContent !== ''",
                 "lab": "document.querySelector('#panel-data .body').innerText.trim() !== ''"}
        for name in TABS:
            tab(page, name)
            wait(page, ready[name])
            shown = page.evaluate("document.querySelector('main').innerText + [...document.querySelectorAll('main svg')].map((svg) => svg.innerHTML).join()")
            assert not [wrong for wrong in ["undefined", "NaN", "Infinity", "page.", "say."] if wrong in shown], shown
            assert not page.locator(".problem:not(:empty):visible").all_inner_texts()
            assert page.locator(f"#tab-{name} .panel").count() > 0
            assert not [panel for panel in absent if page.locator(f"#panel-{panel}").count()]
    tab(page, "watch")
    wait(page, "document.querySelector('#panel-sentence .said').textContent.startsWith('After')")


def each_view(runs, name, window, absent):
    """Opens the served page and the report of a run, looks at each, and yields it."""
    served = Served(runs, "dashboard", name)
    try:
        klubok(runs, "report", name, "-o", f"{name}.html")
        for address in [served.address, (runs / f"{name}.html").as_uri()]:
            page = window(address)
            looked_at(page, absent)
            yield page
            # Close before the server ends, which would log an error on the console.
            page.close()
    finally:
        served.end()


def last_line(runs, name):
    return json.loads((runs / name / "metrics.jsonl").read_text().splitlines()[-1])


@pytest.mark.parametrize("name", ["curve", "prices"])
def test_numbers_have_errors_and_a_scatter(name, runs, window):
    evaluated = klubok(runs, "eval", name, {"curve": "demo:curve", "prices": "prices.csv"}[name], "--split", "val", "--json")
    evaluated, last = json.loads(evaluated), last_line(runs, name)
    for page in each_view(runs, name, window, [*OF_CLASSES, "features", "excites"]):
        assert f"{last['val_rmse']:#.3g} (RMSE); R² is {last['val_r2']:.3f}" in text_of(page, "sentence", ".said")
        assert f"RMSE {last['val_rmse']:#.3g}, R² {last['val_r2']:.3f}" in text_of(page, "curves", ".readout")
        at_best(page)
        bring(page, "answers")
        aged(page, "answers")
        lead = text_of(page, "answers", ".lead")
        assert f"RMSE {evaluated['rmse']:#.3g}, mean absolute error {evaluated['mae']:#.3g}, R² {evaluated['r2']:.3f}" in lead
        bring(page, "answers")
        assert page.locator("#panel-answers .scatter .dot").count() == evaluated["samples"]
        assert page.locator("#panel-answers .scatter .diagonal").count() == 1
        bring(page, "curves")
        chart = page.locator("#panel-curves .chart").bounding_box()
        page.mouse.move(chart["x"] + chart["width"] - 20, chart["y"] + chart["height"] * 0.7)
        assert f"{last['val_r2']:.3f} · RMSE {last['val_rmse']:#.3g}" in text_of(page, "curves", ".near-box")
        words = [text_of(page, panel, ".body").lower() for panel in ["sentence", "curves", "picture", "answers", "data"]]
        assert not [of for of in words if "accuracy" in of or "class" in of]


def test_labels_have_f1_and_average_precision(runs, window):
    evaluated = json.loads(klubok(runs, "eval", "marks", "demo:marks", "--split", "val", "--json"))
    last = last_line(runs, "marks")
    for page in each_view(runs, "marks", window, OF_CLASSES):
        assert f"{100 * (1 - last['val_accuracy']):.1f} % of the labels" in text_of(page, "sentence", ".said")
        assert f"{100 * last['val_accuracy']:.1f} % in validation" in text_of(page, "curves", ".readout")
        at_best(page)
        bring(page, "answers")
        aged(page, "answers")
        rows = page.locator("#panel-answers tbody tr").all_inner_texts()
        for row, label in zip(rows, evaluated["per_label"]):
            figures = [f"{100 * label[key]:.1f} %" for key in ["f1", "average_precision"]]
            assert row.replace("\u00a0", " ").split("\t")[:3] == [label["label"], *figures]
        # A sample may have several labels: each has its own confidence.
        confidences = page.locator("#panel-picture .chances .value").all_inner_texts()
        assert len(confidences) == len(evaluated["per_label"])
        bring(page, "data")
        data = page.locator("#panel-data tbody tr").all_inner_texts()
        assert [row.split("\t")[2] for row in data] == [str(label["support"]) for label in evaluated["per_label"]]
