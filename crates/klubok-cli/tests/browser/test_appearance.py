"""How the page looks and whether everybody can use it: a matrix of moments, widths, colours and languages.

Screenshots are left for people to look at; axe-core judges what a program can judge.
"""

import itertools

import pytest
from axe_playwright_python.sync_playwright import Axe

from acts import mode, wait
from conftest import PICTURES

SIZES = {1440: 900, 390: 844}
# Higher than the page, in pixels: all of it is in sight.
HIGH = 16_000
GRAVE = ["serious", "critical"]
# What does not fit: wider than the window, or cut off without a way to scroll there.
SPILLED = """() => {
  const cut = [...document.querySelectorAll("main button, main label, main h2, main h3, dd, .top *, .time *")].filter((element) =>
    element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0 && getComputedStyle(element).display !== "inline"
    && !element.classList.contains("unseen") && !element.closest(".unseen, .scroll, svg"));
  return [document.documentElement.scrollWidth - innerWidth, cut.map((element) => `${element.className || element.id || element.nodeName}: ${element.textContent}`)];
}"""


def look(page, name, width):
    """Judges the page as it is, and keeps a picture of all of it."""
    spilled, cut = page.evaluate(SPILLED)
    foot = page.evaluate("document.querySelector('main').getBoundingClientRect().bottom + scrollY")
    page.set_viewport_size({"width": width, "height": int(foot) + 150})
    page.screenshot(path=PICTURES / f"{name}.png")
    return [*([f"{spilled} pixels too wide"] if spilled > 0 else []), *cut]


def barriers(page):
    """What axe-core says keeps people out."""
    return [(violation["id"], node["target"], node["failureSummary"]) for violation in Axe().run(page).response["violations"]
            if violation["impact"] in GRAVE for node in violation["nodes"]]


def at(moment, request):
    """What serves the page of a moment: it rests there, so that all screenshots of it are of one step."""
    if moment == "end":
        return request.getfixturevalue("dashboard")
    training = request.getfixturevalue("training")
    training.ask("api/act", {"act": "pause"})
    return training


@pytest.mark.parametrize(("moment", "width"), list(itertools.product(["start", "midst", "end"], SIZES)))
def test_everybody_can_use_it(moment, width, request, window):
    served = at(moment, request)
    page = window(f"{served.address}#token={served.token or ''}", width, SIZES[width])
    if moment == "midst":
        page.locator("#mode").wait_for()
        served.ask("api/act", {"act": "go_on"})
        wait(page, "Klubok.state.now.epoch > 6")
        served.ask("api/act", {"act": "pause"})
        mode(page, "resting")
    wrong = []
    # Sheets of the phone are opened, and the window is as high as the page: everything is asked for and drawn.
    page.evaluate("for (const sheet of document.querySelectorAll('main > details')) sheet.open = true")
    page.set_viewport_size({"width": width, "height": HIGH})
    for panel in ["picture", "network", "features", "answers"]:
        wait(page, f"document.querySelector('#panel-{panel} .age').textContent !== ''")
    wait(page, "document.querySelector('.chart').data !== undefined")
    for language, theme in itertools.product(["en", "ru"], ["light", "dark"]):
        if page.locator("html").get_attribute("lang") != language:
            page.locator("#language").click()
        while page.locator("html").get_attribute("data-theme") != theme:
            page.locator("#theme").click()
        page.set_viewport_size({"width": width, "height": HIGH})
        wait(page, "document.querySelector('.chart').data !== undefined")
        wait(page, "document.querySelector('#panel-answers tbody') !== null")
        told = look(page, f"{moment}-{width}-{language}-{theme}", width)
        wrong += [(language, theme, what) for what in (told if language == "ru" else told + barriers(page))]
    # Before the training ends, which would be told on the console.
    page.close()
    assert not wrong, "\n".join(map(str, wrong))
