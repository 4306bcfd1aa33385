"""The page of an ended run shows the measured figures and agrees with the commands."""

import json
import math

from acts import CURVES, DRAWN, TABS, aged, at_best, bring, drop, figure, heighten, known, open_unit, switch, tab, wait
from conftest import HOSTILE, bitmap, klubok

# What shows the moment of the strip: parts of the stage and panels, by tab. The neuron is in the drawer.
IN_TIME = {
    "watch": [".say", ".shown-picture", ".hero", ".stage-loss", "#panel-sentence", "#panel-curves", "#panel-status"],
    "look": ["#panel-network", "#panel-features", "#panel-excites", "#panel-layers", "#panel-neuron"],
    "good": ["#panel-picture", "#panel-answers", "#panel-cloud"],
    "lab": ["#panel-lesions"],
}
PANELS_IN_TIME = [part.removeprefix("#panel-") for parts in IN_TIME.values() for part in parts if part.startswith("#panel-")]
# Serialises what a part of the page shows: its words and its drawings. Of a tile's two pictures one is shown.
SHOWN = """(selector) => {
  const part = document.querySelector(`${selector} .body`) ?? document.querySelector(selector);
  const canvases = [...part.querySelectorAll("canvas:not(.tile-picture), canvas.tile-picture.shown")];
  return part.innerText + canvases.map((canvas) => canvas.toDataURL()).join()
    + [...part.querySelectorAll("svg")].map((drawing) => drawing.innerHTML).join();
}"""


def words(page, panel, selector=""):
    bring(page, panel)
    return page.locator(f"#panel-{panel} {selector}").first.inner_text().replace("\u00a0", " ")


def all_shown(page):
    """Makes every panel visible, tab by tab, so that it loads its data."""
    heighten(page, 1440, 8000)
    for panel in ["answers", "features", "neuron", "runs", "data", "repeat"]:
        bring(page, panel)
        wait(page, f"document.querySelector('#panel-{panel} .body').innerText.trim().length > 30")


def shown_in(page, name):
    """Opens a tab and returns what each of its parts shows, once all are there."""
    tab(page, name)
    if name == "look":
        open_unit(page)
        tab(page, name)
    for part in IN_TIME[name]:
        wait(page, f"document.querySelector('{part} .age')?.textContent !== '' && document.querySelector('{part}').innerText.trim() !== ''"
             if part != ".stage-loss" else DRAWN)
    return {part: page.evaluate(SHOWN, part) for part in IN_TIME[name]}


def changed(page, before):
    """Waits until each part shows something else."""
    for part in before:
        wait(page, f"([part, before]) => ({SHOWN})(part) !== before", [part, before[part]])


def percent(share):
    """Formats a share like the page: halves are rounded up."""
    return f"{math.floor(share * 1000 + 0.5) / 10:.1f} %"


def test_ten_numbers_are_the_measured_ones(ended, dashboard, window):
    page = window(dashboard.address)
    all_shown(page)
    lines = [json.loads(line) for line in (ended / "metrics.jsonl").read_text().splitlines()]
    last, best = lines[-1], min(lines, key=lambda line: line["val_loss"])
    evaluated = json.loads(klubok(ended.parent, "eval", "run", "stripes", "--split", "val", "--json"))
    assert figure(page, "Epoch") == f"{last['epoch']:g} of {last['epoch']:g}"
    assert figure(page, "Step") == f"{last['step']:,}"
    readout = words(page, "curves", ".readout")
    for key in ["train_eval_loss", "val_loss"]:
        assert f"{last[key]:#.3g}" in readout, (key, last[key], readout)
    for key in ["train_accuracy", "val_accuracy"]:
        assert percent(last[key]) in readout, (key, last[key], readout)
    assert percent(1 - last["val_accuracy"]) in words(page, "sentence", ".said")
    assert f"{best['val_loss']:#.3g}" in page.locator("#panel-curves p.unseen").inner_text()
    # The commands use the best weights.
    at_best(page)
    bring(page, "answers")
    aged(page, "answers")
    low, high = evaluated["accuracy_interval"]
    accuracy = f"Right: {percent(evaluated['accuracy'])} of {evaluated['samples']} (95 % interval: {percent(low)} to {percent(high)})"
    assert accuracy in words(page, "answers", ".lead")
    bring(page, "answers")
    cells = page.locator("#panel-answers .confusion tbody td").all_inner_texts()
    assert [int(cell) for cell in cells] == sum(evaluated["confusion"], [])
    assert f"differ by {percent(evaluated['ece']).replace(' %', ' percentage points')}" in words(page, "answers")
    assert f"{best['val_loss']:#.3g}" in words(page, "runs", "tr.current")


def test_a_dropped_picture_gets_the_confidences_of_predict(ended, dashboard, window, tmp_path):
    page = window(dashboard.address)
    at_best(page)
    bring(page, "picture")
    for upright, seed in [(True, 1001), (False, 1002)]:
        content = bitmap(upright, seed)
        (tmp_path / "own.bmp").write_bytes(content)
        predicted = json.loads(klubok(ended.parent, "predict", "run", str(tmp_path / "own.bmp"), "--json"))
        before = page.evaluate(known("state.sample.picture"))
        drop(page, "own.bmp", content)
        wait(page, known("state.sample.picture !== argument"), before)
        for name, p in predicted["predictions"][0]["probabilities"].items():
            wait(page, """([name, p]) => [...document.querySelectorAll("#panel-picture .chances li")].some((li) =>
              li.querySelector(".class").textContent.includes(name) && li.querySelector(".value").textContent.replace("\u00a0", " ") === p)""",
                 [name, percent(p)])
        printed = klubok(ended.parent, "predict", "run", str(tmp_path / "own.bmp"))
        assert words(page, "picture", ".trust") == printed.splitlines()[-1]
        assert page.locator("#panel-picture .far").is_visible() == predicted["predictions"][0]["far"]
    page.get_by_role("button", name="Next ▶").click()
    page.locator("#panel-picture .trust").wait_for(state="hidden")


def test_the_strip_changes_what_every_tab_shows(dashboard, window):
    page = window(dashboard.address)
    heighten(page, 1440, 8000)
    for name in TABS:
        late = shown_in(page, name)
        page.locator("#slider").fill("0")
        changed(page, late)
        early = shown_in(page, name)
        page.locator(".live").click()
        changed(page, early)


def test_the_terrain_shows_the_way_of_the_training(ended, dashboard, window):
    page = window(dashboard.address)
    bring(page, "terrain")
    page.get_by_role("button", name="Measure the terrain").click()
    page.locator("#panel-terrain canvas").wait_for()
    page.locator("#panel-terrain summary", has_text="table").click()
    rows = page.locator("#panel-terrain tbody tr").all_inner_texts()
    losses = [float(row.split("\t")[1]) for row in rows]
    lines = [json.loads(line) for line in (ended / "metrics.jsonl").read_text().splitlines()]
    best = min(lines, key=lambda line: line["val_loss"])
    assert [row.split("\t")[0] for row in rows] == ["0 · start", f"{best['step']} · best", f"{lines[-1]['step']} · last"]
    # The terrain is measured on a sample of the training part.
    assert abs(losses[-1] - lines[-1]["train_eval_loss"]) < 0.1 and losses[0] > losses[-1]


def test_a_class_that_is_a_tag_is_text(dashboard, window):
    page = window(dashboard.address)
    all_shown(page)
    for panel in ["data", "answers", "picture", "network"]:
        assert HOSTILE in words(page, panel, ".body"), panel
    tab(page, "watch")
    assert HOSTILE in page.locator(".shown-picture .says").inner_text()
    assert page.locator("img").count() == 0


def test_words_and_colours_change(dashboard, window):
    page = window(dashboard.address)
    paper = "getComputedStyle(document.body).backgroundColor"
    switch(page, "language")
    assert page.locator("html").get_attribute("lang") == "ru"
    assert page.locator("#title-curves").inner_text() == "Кривые"
    for name in TABS:
        tab(page, name)
        untranslated = page.evaluate("document.body.innerText").split()
        assert not [word for word in untranslated if word.startswith(("page.", "say.", "phase."))]
    colours = set()
    for _ in range(3):
        switch(page, "theme")
        colours.add(page.evaluate(paper))
    assert len(colours) == 2, colours
    switch(page, "language")
    tab(page, "watch")
    assert page.locator("#title-curves").inner_text() == "Curves"


def test_a_report_opens_without_a_server(ended, window):
    klubok(ended.parent, "report", "run")
    report = ended / "report.html"
    assert report.stat().st_size < 6_000_000
    page = window(report.as_uri(), offline=True)
    fetched = []
    page.on("request", lambda request: fetched.append(request.url))
    page.reload()
    page.wait_for_selector("html.ready")
    heighten(page, 1440, 8000)
    # Of the neurons, the report has the one that training changed most.
    bring(page, "features")
    page.locator("#panel-features .feature").first.click()
    all_shown(page)
    bring(page, "curves")
    wait(page, f"({CURVES})?.split('L').length > 20")
    assert [address for address in fetched if not address.startswith("data:")] == [report.as_uri()]
    for panel in [*PANELS_IN_TIME, "data", "runs", "repeat"]:
        assert len(words(page, panel, ".body")) > 30, panel
        assert not page.locator(f"#panel-{panel} .problem:not(:empty)").count(), panel
    for name in TABS:
        late = shown_in(page, name)
        page.locator("#slider").fill("0")
        wait(page, "document.getElementById('moment').textContent.includes('random weights')")
        # Of the units of the first layer a report has those of the end alone, and says so.
        if late.pop("#panel-features", None):
            wait(page, "document.querySelector('#panel-features .age').classList.contains('other')")
        changed(page, late)
        assert not page.locator(".problem:not(:empty):visible").count()
        page.locator(".live").click()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    for panel in [*PANELS_IN_TIME, "data", "runs", "repeat"]:
        assert page.locator(f"#panel-{panel} .body").is_visible(), panel
    assert len(page.pdf()) > 20_000
