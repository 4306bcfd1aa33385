"""Reads figures from the page and acts on it."""

import base64
import re
import time

PATIENCE = 60_000  # timeout in milliseconds, for slow machines


# What is drawn of the validation loss; undefined or empty before there is anything.
DRAWN = "document.querySelector('#panel-curves .line.validation')?.getAttribute('d')"


def known(expression):
    """A function in JavaScript of what the page knows: of `state`, the last `learningRate()`, and an argument."""
    return f"(argument) => import('/state.js').then(({{ state, learningRate }}) => {expression})"


def figure(page, label):
    """Reads a figure of the status panel by its label."""
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


def mode(page, name):
    page.wait_for_selector(f"#mode[data-mode={name}]")


def drop(page, name, content):
    """Drops a file on the picture panel."""
    page.evaluate("""([name, content]) => {
      const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([bytes], name));
      document.querySelector("#panel-picture .body").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    }""", [name, base64.b64encode(content).decode()])
