"""Appearance and accessibility of the page: a matrix of times, widths, colours and languages.

Screenshots are kept for people to view; axe-core checks accessibility.
"""

import itertools

import pytest
from axe_playwright_python.sync_playwright import Axe

from acts import CURVES, DRAWN, TABS, heighten, known, mode, switch, tab, wait
from conftest import PICTURES

SIZES = {1440: 900, 390: 844}
# Height of the window in pixels, above that of the page: all of it is visible.
HIGH = 16_000
GRAVE = ["serious", "critical"]
# When what a tab shows is there.
READY = {
    "watch": f"{DRAWN} && {CURVES}",
    "look": "['network', 'features'].every((panel) => document.querySelector(`#panel-${panel} .age`).textContent !== '')",
    "good": "document.querySelector('#panel-answers tbody') && document.querySelector('#panel-picture .age').textContent !== ''",
    "lab": "document.querySelector('#panel-data .body').innerText.trim() !== ''",
}
# Finds what does not fit: wider than the window, or cut off and not scrollable.
SPILLED = """() => {
  const cut = [...document.querySelectorAll("main button, main label, main h2, main h3, dd, .bar-top *, .strip *, .drawer *")].filter((element) =>
    element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0 && getComputedStyle(element).display !== "inline"
    && !element.classList.contains("unseen") && !element.closest(".unseen, .scroll, svg, .tabs"));
  return [document.documentElement.scrollWidth - innerWidth, cut.map((element) => `${element.className || element.id || element.nodeName}: ${element.textContent}`)];
}"""


def inspect(page, name, width):
    """Finds what does not fit, and keeps a screenshot of the whole tab."""
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
        mode(page, "resting")
        served.ask("api/act", {"act": "go_on"})
        wait(page, known("state.now.epoch > 6"))
        served.ask("api/act", {"act": "pause"})
        mode(page, "resting")
    wrong = []
    # Open the sheets of the phone layout and make the window as high as the page, so that everything is loaded and drawn.
    page.evaluate("for (const sheet of document.querySelectorAll('main details.panel')) sheet.open = true")
    heighten(page, width, HIGH)
    for language, theme in itertools.product(["en", "ru"], ["light", "dark"]):
        if page.locator("html").get_attribute("lang") != language:
            switch(page, "language")
        while page.locator("html").get_attribute("data-theme") != theme:
            switch(page, "theme")
        for name in TABS:
            tab(page, name)
            page.set_viewport_size({"width": width, "height": HIGH})
            wait(page, READY[name])
            spilled = inspect(page, f"{moment}-{width}-{language}-{theme}-{name}", width)
            # What axe-core finds depends on the words in few places: one moment in both languages is enough.
            found = barriers(page) if language == "en" or moment == "end" else []
            wrong += [(language, theme, name, what) for what in spilled + found]
    # Close before the training ends, which would log an error on the console.
    page.close()
    assert not wrong, "\n".join(map(str, wrong))
