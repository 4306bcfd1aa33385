"""Reads figures from the page and acts on it."""

import base64
import re
import time

PATIENCE = 60_000  # timeout in milliseconds, for slow machines


# The tabs; each has some of the panels.
TABS = ["watch", "look", "good", "lab"]
# What the stage and the panel of curves draw of the validation loss; undefined or empty before there is anything.
DRAWN = "document.querySelector('.stage-loss .line.validation')?.getAttribute('d')"
CURVES = "document.querySelector('#panel-curves .line.validation')?.getAttribute('d')"


def known(expression):
    """A function in JavaScript of what the page knows: of `state`, the last `learningRate()`, and an argument."""
    return f"(argument) => import('/state.js').then(({{ state, learningRate }}) => {expression})"


# What the page says of the sample that is chosen, and the snapshot that it shows.
CHOSEN = "Promise.all(['/chosen.js', '/film.js'].map((name) => import(name))).then(([{ chosen }, film]) => [chosen(film.snapshot()), film.snapshot()])"


def film_rows(page):
    """The rows of the film's pictures."""
    return page.evaluate("import('/film.js').then((film) => film.theScene().pictures.map(({ row }) => row))")


def tab(page, name):
    """Opens a tab."""
    button = page.locator(f"#tab-of-{name}")
    if button.get_attribute("aria-selected") != "true":
        button.click()
        page.locator(f"#tab-{name}").wait_for()


def open_unit(page):
    """Opens the drawer with a unit of the first layer: from the stage's tiles, or from the network where there are none."""
    if page.locator("#drawer").is_visible():
        return
    tab(page, "watch")
    if page.locator(".tile").count():
        page.locator(".tile").first.click()
    else:
        tab(page, "look")
        page.locator("#panel-network button.unit").first.click()
    page.locator("#drawer").wait_for()


def bring(page, panel):
    """Opens the tab that a panel is in, or the drawer, and brings the panel into sight."""
    part = page.evaluate("(id) => document.getElementById(id)?.closest('.tab, .drawer').id", f"panel-{panel}")
    assert part, f"no panel {panel}"
    if part == "drawer":
        open_unit(page)
    else:
        tab(page, part.removeprefix("tab-"))
    page.locator(f"#panel-{panel}").scroll_into_view_if_needed()


def heighten(page, width, height):
    """Makes the window so high that all panels of a tab are in sight; the stage keeps the height that it has of the usual window."""
    page.evaluate("""() => {
      if (document.adoptedStyleSheets.length > 0) return;
      const style = (selector, of) => document.querySelector(selector) ? `${selector} { ${of}: ${getComputedStyle(document.querySelector(selector))[of]}; }` : "";
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(style("#stage", "height") + style(".tiles", "width"));
      document.adoptedStyleSheets = [sheet];
    }""")
    page.set_viewport_size({"width": width, "height": height})


def switch(page, what):
    """Chooses the next language or theme, in the menu."""
    page.locator("#menu > summary").click()
    page.locator(f"#{what}").click()


def figure(page, label):
    """Reads a figure of the status panel by its label."""
    bring(page, "status")
    return page.locator("#panel-status dl.figures > div", has=page.get_by_text(label, exact=True)).locator("dd").inner_text()


def wait_for_figure(page, label, value):
    """Waits until the status panel, which is drawn after the records arrive, shows a figure."""
    begun = time.monotonic()
    while (shown := figure(page, label)) != value:
        assert time.monotonic() - begun < PATIENCE / 1000, f"{label}: {shown}, not {value}"
        page.wait_for_timeout(50)


def step(page):
    return int(re.sub(r"\D", "", figure(page, "Step")))


def wait(page, condition, argument=None):
    """Polls a condition in JavaScript: the page's security policy forbids Playwright's own waiting."""
    begun = time.monotonic()
    while not page.evaluate(condition, argument):
        assert time.monotonic() - begun < PATIENCE / 1000, condition
        page.wait_for_timeout(50)


def at_best(page):
    """Moves the strip to the best weights: those of the model, which the commands use."""
    page.locator(".bookmark", has_text="best").last.click()
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    wait(page, "document.getElementById('moment').textContent.match(/^(best|last) weights/) !== null")


def aged(page, panel):
    """Waits until a panel shows the moment of the strip."""
    wait(page, "(panel) => document.querySelector(`#panel-${panel} .age`).textContent === document.getElementById('moment').textContent", panel)


def mode(page, name):
    # A narrow window has no room for its words.
    page.wait_for_selector(f"#mode[data-mode={name}]", state="attached")


def drop(page, name, content, onto="#panel-picture .body"):
    """Drops a file on the picture panel, or on another part of the page."""
    page.evaluate("""([name, content, onto]) => {
      const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([bytes], name));
      document.querySelector(onto).dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    }""", [name, base64.b64encode(content).decode(), onto])
