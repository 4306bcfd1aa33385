"""The drawing of the network, the thread that unwinds, and the cells of the confusion matrix."""

import pytest

from acts import bring, known, mode, tab, wait
from conftest import Served, klubok

UNITS = "[...document.querySelectorAll('#panel-network .layer')].map((layer) => layer.querySelectorAll('.unit').length)"
EDGES = "document.querySelectorAll('#panel-network .flow-edge').length"
SAID = "document.querySelector('.thread-said').textContent"


def network(page):
    bring(page, "network")
    page.locator("#panel-network:not(.waits) button.unit").first.wait_for()


def backward(page):
    page.get_by_role("button", name="Backward", exact=True).click()
    wait(page, f"{SAID} !== ''")


def pull(page):
    """Pulls the thread, and returns what is said then."""
    before = page.evaluate(SAID)
    page.locator(".thread button").click()
    wait(page, f"(before) => {SAID} !== before", before)
    return page.evaluate(SAID)



def test_the_drawing_shows_the_pass(dashboard, window):
    page = window(dashboard.address)
    network(page)
    layers = dashboard.ask("api/look/pass")["layers"]
    assert page.evaluate(UNITS) == [0, *(len(layer["drawn"]) for layer in layers)]
    assert page.evaluate(EDGES) == sum(len(layer["edges"]) for layer in layers)
    assert max(page.evaluate(UNITS)) == 12
    assert "12 of 512 units" in page.locator("#panel-network .layer").nth(1).inner_text()
    shut = sum(unit["value"] == 0 for layer in layers[:-1] for unit in layer["drawn"])
    assert page.locator("#panel-network .flow-gate").count() == shut > 0
    negative = sum(edge[2] < 0 for layer in layers for edge in layer["edges"])
    assert page.locator("#panel-network .flow-edge.less").count() == negative
    unit = page.locator("#panel-network button.unit").nth(3)
    assert unit.get_attribute("aria-label").startswith(f"hidden1, unit {layers[0]['drawn'][3]['unit']}: ")


def test_the_thread_unwinds_layer_by_layer(dashboard, window):
    page = window(dashboard.address)
    network(page)
    look = dashboard.ask("api/look/pass")
    picture = "document.querySelector('.network-picture').toDataURL()"
    pixels = page.evaluate(picture)
    backward(page)
    assert "p − y" in page.evaluate(SAID) and page.evaluate(EDGES) == 0
    edges = 0
    for i in [1, 0]:
        back = look["backward"]["layers"]
        said = pull(page)
        shut = look["layers"][i]["units"] - back[i]["open"]
        assert said.startswith(f"Through hidden{i + 1}: {shut} of {look['layers'][i]['units']} gates shut; the error shrank from "), said
        assert page.evaluate(picture) == pixels
        edges += len(back[i + 1]["edges"])
        assert page.evaluate(EDGES) == edges
    assert page.locator(".slopes.later").count() == 3
    assert pull(page).startswith("At the pixels")
    assert page.evaluate(picture) != pixels
    assert page.locator(".slopes.later").count() == 0 and page.locator(".slopes li").first.is_visible()
    assert pull(page).startswith("At the output")
    assert not page.evaluate("shifts"), page.evaluate("shifts")


def test_a_unit_is_reached_with_few_keys(dashboard, window):
    page = window(dashboard.address)
    network(page)
    assert page.locator("#panel-network .unit[tabindex='0']").count() == 1
    page.locator("#panel-network button.unit").first.focus()
    moment = page.evaluate(known("state.moment"))
    for key in ["ArrowDown", "ArrowDown", "ArrowRight"]:
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.dataset.at") == "2,2"
    assert page.evaluate(known("state.moment")) == moment
    layer, unit = page.evaluate("document.activeElement.dataset.focus").split("-")
    page.keyboard.press("Enter")
    page.locator("#drawer").wait_for()
    assert page.evaluate(known("state.neuron")) == {"layer": layer, "unit": int(unit)}


def test_only_a_network_that_rests_can_be_unwound(training, live):
    network(live)
    backward(live)
    wait(live, f"{SAID}.startsWith('Pause')")
    button = live.locator(".thread button")
    assert button.is_disabled() and live.evaluate(EDGES) > 0
    training.ask("api/act", {"act": "pause"})
    mode(live, "resting")
    wait(live, f"{SAID}.startsWith('At the output')")
    assert button.is_enabled()
    live.close()


def test_on_a_phone_the_drawing_scrolls_in_its_box(dashboard, window):
    page = window(dashboard.address, 390, 844)
    network(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)(document.querySelector('.network'))")
    assert page.evaluate("Math.min(...[...document.querySelectorAll('button.unit')].map((unit) => Math.min(unit.offsetWidth, unit.offsetHeight + 2)))") >= 40


@pytest.mark.parametrize(("hidden", "activation", "more"), [
    ("16,16,16,12,12,8", "relu", []), ("24", "tanh", []), ("16,8", "relu", ["--set", "model.batch_norm=true"])])
def test_deep_smooth_and_normalised_networks_are_drawn(hidden, activation, more, window, tmp_path):
    klubok(tmp_path, "train", "demo:spirals", "-o", "run", "--epochs", "3", "--hidden", hidden, "--set", f"model.activation={activation}", *more)
    gated = activation == "relu"
    served = Served(tmp_path, "dashboard", "run")
    try:
        page = window(served.address)
        network(page)
        units = [2, *(min(12, int(n)) for n in hidden.split(",")), 2]
        assert page.evaluate(UNITS) == units
        backward(page)
        said = [pull(page) for _ in units[1:]]
        assert ["gates" in words for words in said] == [*[gated] * (len(units) - 2), False]
        assert said[-1].startswith("At the inputs")
        assert ("gate" in page.locator("#panel-network .note").first.inner_text()) == gated
        page.close()
    finally:
        served.end()


def open_cell(page, truth, said):
    bring(page, "answers")
    cell = page.locator(f"#panel-answers .cell-of[data-at='{said},{truth}']")
    cell.click()
    page.locator(".cell-sample").first.wait_for()
    return int(cell.inner_text())


def test_a_cell_of_the_matrix_opens_its_pictures(dashboard, window):
    page = window(dashboard.address)
    for truth, said in [(0, 0), (1, 1)]:
        count = open_cell(page, truth, said)
        found = dashboard.ask(f"api/look/cell?truth={truth}&said={said}")
        assert found["of"] == count
        wait(page, "(n) => document.querySelectorAll('.cell-samples canvas').length === n", min(count, 24))
        sample = found["samples"][-1]
        page.locator(".cell-sample").last.click()
        assert page.evaluate(known("state.sample.row")) == sample["row"]
        wait(page, "(name) => document.querySelector('#panel-picture .name').textContent === name", sample["name"])
        passed = dashboard.ask(f"api/look/pass?row={sample['row']}")
        assert passed["label"] == truth
        assert abs(passed["confidences"][said] - sample["confidence"]) < 1e-5 and sample["confidence"] >= 0.5


def test_a_report_has_cells_of_the_present(ended, window):
    klubok(ended.parent, "report", "run", "-o", "cells.html")
    page = window((ended.parent / "cells.html").as_uri(), offline=True)
    count = open_cell(page, 0, 0)
    assert page.locator(".cell-samples canvas").count() == min(count, 24)
    page.locator("#slider").fill("0")
    wait(page, "document.querySelector('.cell .note').textContent.startsWith('This is not in the report')")
    tab(page, "look")
    network(page)
    backward(page)
    # At random weights the output weights are zero, and the thread tears there.
    assert pull(page).startswith("To hidden2 no error comes")
