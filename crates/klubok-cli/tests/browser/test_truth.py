"""Every panel tells the truth at every moment, and the stage does: `panel_truth.py` and `stage_truth.py` say how each is checked."""

import re

import numpy as np
import pytest

from acts import TABS, heighten, open_unit, switch, tab, wait
from conftest import Served, bmp, klubok
from panel_truth import PANELS, neuron
from run_folder import Run
from stage_truth import STAGE
from view import View

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
