"""Fixtures of the browser tests.

`cargo xtask test` runs them and sets the paths of klubok, Chromium and the screenshots in the environment.
"""

import json
import os
import shutil
import random
import re
import struct
import subprocess
import threading
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from acts import PATIENCE

pytest.register_assert_rewrite("panel_truth", "stage_truth")

KLUBOK = os.environ["KLUBOK"]
CHROMIUM = shutil.which(os.environ["KLUBOK_CHROMIUM"])
PICTURES = Path(os.environ["KLUBOK_SCREENSHOTS"])
FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
# A hostile class name: class folders may have any name that the file system allows.
HOSTILE = "<img src=x onerror=alert(1)>"
SIZE = 16
TRAINING = ["train", "stripes", "-o", "run", "--hidden", "512,128", "--batch-size", "32", "--set", f"data.size={SIZE}",
            "--set", "train.early_stopping=false", "--set", "train.warmup_epochs=0", "--lr", "0.0005"]


def bitmap(upright, seed):
    """Makes a Windows bitmap of noisy stripes, vertical or horizontal; some are hard to tell apart."""
    chance = random.Random(f"{upright} {seed}")
    strength, shift = chance.uniform(4, 40), chance.randrange(4)
    pixels = bytearray()
    for y in range(SIZE):
        for x in range(SIZE):
            wave = strength if ((x if upright else y) + shift) % 4 < 2 else -strength
            pixels += bytes([max(0, min(255, round(128 + wave + chance.gauss(0, 40))))]) * 3
    return bmp(pixels)


def bmp(pixels):
    """Makes a Windows bitmap of three bytes a pixel, the lowest line first."""
    head = struct.pack("<2sIII", b"BM", 54 + len(pixels), 0, 54)
    return head + struct.pack("<IiiHHIIiiII", 40, SIZE, SIZE, 1, 24, 0, len(pixels), 0, 0, 0, 0) + pixels


def klubok(folder, *arguments):
    """Runs klubok and returns its standard output."""
    ran = subprocess.run([KLUBOK, *arguments], cwd=folder, env=ENGLISH, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


ENGLISH = {**os.environ, "KLUBOK_LANG": "en"}


class Served:
    """A command that serves its page."""

    def __init__(self, folder, *arguments):
        self.process = subprocess.Popen([KLUBOK, *arguments, "--listen", "127.0.0.1:0"], cwd=folder, env=ENGLISH,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        printed = []
        for line in self.process.stderr:
            printed.append(line)
            if found := re.search(r"(http://[\w.:]+/)(?:#token=(\w+))?", line):
                break
        else:
            raise AssertionError("no address was printed: " + "".join(printed))
        self.address, self.token = found[1], found[2]
        # Drain the rest, or the command would block on a full pipe.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def ask(self, path, body=None):
        headers = {"Content-Type": "application/json", "X-Klubok-Token": self.token or ""}
        request = urllib.request.Request(self.address + path, body and json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def now(self):
        return self.ask("api/story")["now"]

    def end(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A folder with `stripes/`: two classes, one named like an HTML tag."""
    folder = tmp_path_factory.mktemp("place")
    for name, upright in [("level", False), (HOSTILE, True)]:
        (folder / "stripes" / name).mkdir(parents=True)
        for i in range(150):
            (folder / "stripes" / name / f"{i:03}.bmp").write_bytes(bitmap(upright, i))
    return folder


@pytest.fixture(scope="session")
def ended(place):
    """An ended run of 40 epochs."""
    klubok(place, *TRAINING, "--epochs", "40")
    return place / "run"


@pytest.fixture
def training(place, tmp_path):
    """A training with its page that outlasts any test."""
    (tmp_path / "stripes").symlink_to(place / "stripes")
    served = Served(tmp_path, *TRAINING, "--epochs", "20000", "--set", "train.schedule=constant", "--dashboard")
    yield served
    served.end()


@pytest.fixture
def dashboard(ended):
    """The page of the ended run."""
    served = Served(ended.parent, "dashboard", "run")
    yield served
    served.end()


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, chromium_sandbox=False)
        yield browser
        browser.close()


# Records layout shifts without user input: their size and the elements.
WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const { value, hadRecentInput, sources } of list.getEntries())
    if (!hadRecentInput) shifts.push([value, sources.map(({ node, previousRect: from, currentRect: to }) =>
      node && `${node.nodeName} ${node.id} ${node.getAttribute?.("class")} from ${from.x}, ${from.y} to ${to.x}, ${to.y}`)]);
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture
def window(chromium):
    """Opens pages; at the end, none may have logged an error or opened a dialog."""
    contexts, wrong = [], []

    def opened(address, width=1440, height=900, **more):
        context = chromium.new_context(viewport={"width": width, "height": height}, locale="en-GB", **more)
        contexts.append(context)
        context.add_init_script(WATCH_SHIFTS)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(address)
        page.wait_for_selector("html.ready")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not wrong, wrong


@pytest.fixture
def live(training, window):
    """The page of a training, with the token to act."""
    return window(f"{training.address}#token={training.token}")
