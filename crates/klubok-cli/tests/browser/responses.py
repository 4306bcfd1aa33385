"""Measures how soon the page answers a person while the machine is busy training.

    python3 responses.py target/release/klubok [--rounds 3] [--data demo:cats-dogs] [--hidden 256,64] [--chromium chromium]

Opens the page of an endless training at full speed, presses what there is, and prints the milliseconds until what was pressed
shows its answer: median and maximum of the rounds. The stage should take less than a second, the rest less than three.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

from playwright.sync_api import sync_playwright

# The panels that wait for an answer and can be seen.
WAITING = """[...document.querySelectorAll('.tab:not([hidden]) .panel.waits, .drawer:not([hidden]) .panel.waits')].filter((panel) => {
  const { top, bottom } = panel.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}).length"""


def until(page, condition, argument=None):
    """Waits until an expression holds; the page's policy allows no evaluation of strings by itself."""
    end = time.monotonic() + 60
    while not page.evaluate(condition, argument):
        assert time.monotonic() < end, condition
        time.sleep(0.01)


def actions(page):
    """Pairs of what is pressed and what shows the answer, in order."""
    press = lambda selector, nth=0: page.locator(selector).nth(nth).click()
    ready = lambda: until(page, f"{WAITING} === 0")
    tab = lambda name: (lambda: press(f"#tab-of-{name}"))

    def other_picture():
        before = page.evaluate("document.querySelector('#stage').innerText")
        press(".picks button", -1)
        until(page, "(before) => document.querySelector('#stage').innerText !== before", before)

    def back():
        page.keyboard.press("Home")
        until(page, "import('/state.js').then(({ state }) => state.moment === 0)")
        until(page, "import('/film.js').then((film) => film.snapshot()?.step === 0)")

    def forward():
        page.keyboard.press("End")
        until(page, "import('/state.js').then(({ state }) => state.moment === null)")
        until(page, "import('/film.js').then((film) => film.snapshot()?.step > 0)")

    def unit():
        press(".tile", 5)
        page.locator("#drawer").wait_for()
        ready()

    yield "stage: another picture", other_picture
    yield "stage: back to the start", back
    yield "stage: to the present", forward
    yield "stage: a unit", unit
    page.keyboard.press("Escape")
    for name in ["look", "good", "lab"]:
        yield f"tab: {name}", lambda name=name: (tab(name)(), ready())
    yield "tab: watch", lambda: (tab("watch")(), ready())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("klubok", type=os.path.abspath)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", default="demo:cats-dogs")
    parser.add_argument("--hidden", default="256,64")
    parser.add_argument("--chromium", default="chromium")
    arguments = parser.parse_args()
    took = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which(arguments.chromium), args=["--disable-gpu"],
                                             chromium_sandbox=False)
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
                command = [arguments.klubok, "train", arguments.data, "-o", "run", "--epochs", "100000", "--hidden", arguments.hidden,
                           "--set", "train.early_stopping=false", "--dashboard", "--listen", "127.0.0.1:0"]
                training = subprocess.Popen(command, cwd=place, env={**os.environ, "KLUBOK_LANG": "en"},
                                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                address = next(found[1] for line in training.stderr if (found := re.search(r"(http://[\w.:]+/\S*)", line)))
                threading.Thread(target=training.stderr.read, daemon=True).start()
                page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
                page.goto(address)
                page.wait_for_selector("html.ready")
                time.sleep(5)  # the page has what it shows, and has spent its time
                for name, act in actions(page):
                    begun = time.monotonic()
                    act()
                    took.setdefault(name, []).append(1000 * (time.monotonic() - begun))
                page.close()
                training.kill()
                training.wait()
        browser.close()
    for name, times in took.items():
        print(f"{name:<26} {statistics.median(times):6.0f} ms, at most {max(times):6.0f}")


if __name__ == "__main__":
    main()
