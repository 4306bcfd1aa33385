"""Appearance and accessibility of the page: a matrix of times, widths, colours and languages.

Screenshots are kept for people to view; axe-core checks accessibility.
"""

import itertools

import pytest
from axe_playwright_python.sync_playwright import Axe

from acts import DRAWN, known, mode, wait
from conftest import PICTURES

SIZES = {1440: 900, 390: 844}
# Height of the window in pixels, above that of the page: all of it is visible.
HIGH = 16_000
GRAVE = ["serious", "critical"]
# Finds what does not fit: wider than the window, or cut off and not scrollable.
SPILLED = """() => {
  const cut = [...document.querySelectorAll("main button, main label, main h2, main h3, dd, .top *, .time *")].filter((element) =>
    element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0 && getComputedStyle(element).display !== "inline"
    && !element.classList.contains("unseen") && !element.closest(".unseen, .scroll, svg"));
  return [document.documentElement.scrollWidth - innerWidth, cut.map((element) => `${element.className || element.id || element.nodeName}: ${element.textContent}`)];
}"""


def inspect(page, name, width):
    """Finds what does not fit, and keeps a screenshot of the whole page."""
    spilled, cut = page.evaluate(SPILLED)
    foot = page.evaluate("document.querySelector('main').getBoundingClientRect().bottom + scrollY")
    page.set_viewport_size({"width": width, "height": int(foot) + 150})
    page.screenshot(path=PICTURES / f"{name}.png")
    return [*([f"{spilled} pixels too wide"] if spilled > 0 else []), *cut]


def barriers(page):
    """Lists the serious accessibility violations that axe-core finds."""
    return [(violation["id"], node["target"], node["failureSummary"]) for violation in Axe().run(page).response["violations"]
            if violation["impact"] in GRAVE for node in violation["nodes"]]


def at(moment, request):
    """Serves the page at a point of the training: paused, so that all its screenshots show the same step."""
    if moment == "end":
        return request.getfixturevalue("dashboard")
    training = request.getfixturevalue("training")
    training.ask("api/act", {"act": "pause"})
    return training


@pytest.mark.parametrize(("moment", "width"), list(itertools.product(["start", "midst", "end"], SIZES)))
def test_fits_and_is_accessible(moment, width, request, window):
    served = at(moment, request)
    page = window(f"{served.address}#token={served.token or ''}", width, SIZES[width])
    if moment == "midst":
        page.locator("#mode").wait_for()
        served.ask("api/act", {"act": "go_on"})
        wait(page, known("state.now.epoch > 6"))
        served.ask("api/act", {"act": "pause"})
        mode(page, "resting")
    wrong = []
    # Open the sheets of the phone layout and make the window as high as the page, so that everything is loaded and drawn.
    page.evaluate("for (const sheet of document.querySelectorAll('main > details')) sheet.open = true")
    page.set_viewport_size({"width": width, "height": HIGH})
    for panel in ["picture", "network", "features", "answers"]:
        wait(page, f"document.querySelector('#panel-{panel} .age').textContent !== ''")
    wait(page, DRAWN)
    for language, theme in itertools.product(["en", "ru"], ["light", "dark"]):
        if page.locator("html").get_attribute("lang") != language:
            page.locator("#language").click()
        while page.locator("html").get_attribute("data-theme") != theme:
            page.locator("#theme").click()
        page.set_viewport_size({"width": width, "height": HIGH})
        wait(page, DRAWN)
        wait(page, "document.querySelector('#panel-answers tbody') !== null")
        spilled = inspect(page, f"{moment}-{width}-{language}-{theme}", width)
        wrong += [(language, theme, what) for what in (spilled if language == "ru" else spilled + barriers(page))]
    # Close before the training ends, which would log an error on the console.
    page.close()
    assert not wrong, "\n".join(map(str, wrong))
