"""What a person reads and does on the page."""

import base64
import re
import time

PATIENCE = 60_000  # milliseconds: a slow machine is no failure


def figure(page, label):
    """A figure of the status panel, by its label."""
    return page.locator("#panel-status dl.figures > div", has=page.get_by_text(label, exact=True)).locator("dd").inner_text()


def step(page):
    return int(re.sub(r"\D", "", figure(page, "Step")))


def wait(page, condition, argument=None):
    """Waits for a condition in JavaScript, asked again and again: the page forbids what would wait inside it."""
    begun = time.monotonic()
    while not page.evaluate(condition, argument):
        assert time.monotonic() - begun < PATIENCE / 1000, condition
        page.wait_for_timeout(50)


def mode(page, name):
    page.wait_for_selector(f"#mode[data-mode={name}]")


def drop(page, name, content):
    """Drops a file on the panel for pictures."""
    page.evaluate("""([name, content]) => {
      const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([bytes], name));
      document.querySelector("#panel-picture .body").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    }""", [name, base64.b64encode(content).decode()])
