"""A race: several runs side by side on one page."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from acts import switch, wait
from conftest import PICTURES, SIZE, Served

VARY = "train.learning_rate=0.0005,0.01,1e30"
LANES = 3
RACE = "(argument) => import('/race-state.js').then(({ race, snapshotOf, stops, allEnded }) => %s)"
# The pictures of a lane's first layer.
TILES = "[...document.querySelectorAll('.lane')].map((lane) => [...lane.querySelectorAll('.lane-tile')].map((tile) => tile.toDataURL()).join())"
NEXT_FRAME = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
SAID = "document.getElementById('said').textContent"
FINGER = 40
# What is wider than its box, or too small for a finger. Long names of classes and folders lose their ends.
SPILLED = """(finger) => {
  const cut = [...document.querySelectorAll("main *, .bar-top *, .race-strip *")].filter((element) => element.scrollWidth > element.clientWidth + 1
    && element.clientWidth > 0 && getComputedStyle(element).display !== "inline" && !element.closest(".unseen, svg, .lane-run, .says .class, .chart"));
  const small = [...document.querySelectorAll("button, summary, input")].filter((element) => {
    const { width, height } = element.getBoundingClientRect();
    return element.checkVisibility() && (width < finger - 0.5 || height < finger - 0.5);
  });
  return [...cut, ...small].map((element) => `${element.className || element.id || element.nodeName}: ${element.textContent}`);
}"""


@pytest.fixture
def race(place, tmp_path):
    """A race that outlasts any test; its last lane diverges."""
    (tmp_path / "stripes").symlink_to(place / "stripes")
    served = Served(tmp_path, "train", "stripes", "-o", "run", "--hidden", "64,16", "--batch-size", "32", "--set", f"data.size={SIZE}",
                    "--optimizer", "sgd", "--set", "train.early_stopping=false", "--set", "train.warmup_epochs=0",
                    "--set", "train.schedule=constant", "--epochs", "20000", "--vary", VARY, "--dashboard")
    yield served
    served.end()


def test_lanes_learn_side_by_side_and_the_slider_moves_all(race, window):
    page = window(f"{race.address}#token={race.token}")
    assert page.locator(".lane h2").all_inner_texts() == ["learning rate 0.0005", "learning rate 0.01", "learning rate 1e30"]
    wait(page, RACE % "race.lanes.slice(0, 2).every(({ now }) => now.step > 20)")
    before = page.evaluate(RACE % "race.lanes.map(({ now }) => now.step)")
    page.get_by_role("button", name="full").click()
    wait(page, RACE % "race.lanes.slice(0, 2).every(({ now }, i) => now.step > argument[i] + 200)", before)
    wait(page, "document.querySelector('.when').textContent.includes('Learning rate 1e30 has diverged')")
    assert page.locator(".lane").nth(2).locator(".phase-chip").inner_text() == "diverged"
    page.get_by_role("button", name="Pause", exact=True).click()
    wait(page, "document.getElementById('mode').dataset.mode === 'resting'")
    wait(page, RACE % "race.lanes.every(({ film, kept }) => film.every((step) => kept.has(step)))")
    last = int(page.locator("#slider").get_attribute("max"))
    seen = {}
    for at in [0, last // 2, last]:
        page.locator("#slider").fill(str(at))
        page.evaluate(NEXT_FRAME)
        seen[at] = page.evaluate(TILES)
        steps = page.evaluate(RACE % "race.lanes.map((lane) => [snapshotOf(lane).step, race.moment ?? lane.now.step, lane.now.step])")
        assert all(step <= moment for step, moment, _ in steps), steps
    # All begin with the same weights, and each goes its own way.
    assert len(set(seen[0])) == 1
    assert len(set(seen[last])) == LANES
    # What is not a number has no picture.
    assert all(seen[0][lane] != seen[last][lane] for lane in range(LANES - 1))
    page.locator("#slider").fill("0")
    wait(page, f"{SAID}.startsWith('All start at random: ')")
    assert len(set(page.locator(".lane-figures dd:first-of-type").all_inner_texts()[::3])) == 1
    picture = page.evaluate("document.querySelector('.lane-sample canvas').toDataURL()")
    page.get_by_role("button", name="Next ▶").click()
    wait(page, "(before) => [...document.querySelectorAll('.lane-sample canvas')].every((drawing) => drawing.toDataURL() !== before)", picture)
    page.get_by_role("button", name="Go on").click()
    wait(page, "document.getElementById('mode').dataset.mode === 'training'")


def test_only_the_owner_of_a_race_may_act(race, window):
    page = window(race.address)
    wait(page, RACE % "race.lanes[0].now.step > 0")
    assert not page.locator("#acts").is_visible()


@pytest.mark.parametrize("width,height", [(1440, 900), (390, 844)])
def test_a_race_fits_and_stays_in_its_place(race, window, width, height):
    page = window(f"{race.address}#token={race.token}", width, height)
    wait(page, RACE % "race.lanes.slice(0, 2).every(({ now }) => now.step > 100)")
    wait(page, "document.querySelector('.when').textContent.includes('has diverged')")
    shifts = page.evaluate("shifts")
    assert sum(value for value, _ in shifts) < 0.001, shifts
    for language, theme in [("en", "light"), ("ru", "dark")]:
        if language == "ru":
            switch(page, "language")
            switch(page, "theme")
            switch(page, "theme")
        page.evaluate(NEXT_FRAME)
        assert page.evaluate("[document.documentElement.lang, document.documentElement.dataset.theme]") == [language, theme if theme == "dark" else "auto"]
        assert not (spilled := page.evaluate(SPILLED, FINGER)), spilled
        wide, high = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert wide <= width and (high <= height or width < 760), (wide, high)
        found = Axe().run(page).response["violations"]
        assert not found, [(violation["id"], [node["html"] for node in violation["nodes"]]) for violation in found]
        page.screenshot(path=PICTURES / f"race-{width}-{language}.png", full_page=width < 760)
