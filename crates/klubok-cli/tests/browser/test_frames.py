"""Frames of the first screen while a network learns, kept for people to view: from random weights to the end.

The built-in data always; with KLUBOK_DATA, a folder with `mnist` and `cats-dogs-64`, real data too.
"""

import os
import time
from pathlib import Path

from conftest import PICTURES, Served

SIZES = {1440: 900, 390: 844}
FRAMES, SECONDS = 12, 45
# The page ends with its training, which outlasts the last frame and rests before it is over, however slow the machine is.
PACE = SECONDS + 15
REST = 0.8
# Trainings that run at the same time; real data keeps the processors busy.
TOGETHER = [{
    "demo": ["demo", "--no-browser"],
    "spirals": ["train", "demo:spirals", "--epochs", "2000", "--set", "train.early_stopping=false"],
}]
if REAL := os.environ.get("KLUBOK_DATA"):
    TOGETHER += [{"mnist": ["train", str(Path(REAL) / "mnist"), "--epochs", "8"]},
                 {"photographs": ["train", str(Path(REAL) / "cats-dogs-64"), "--epochs", "10"]}]


def test_frames_from_random_weights_on(window, tmp_path):
    for commands in TOGETHER:
        trainings = {}
        try:
            for name, command in commands.items():
                trainings[name] = Served(tmp_path, *command, "--dashboard")
                # A short training is over before anybody has looked.
                trainings[name].ask("api/pace", {"seconds": PACE})
            frames_of(trainings, window)
        finally:
            for served in trainings.values():
                served.end()


def frames_of(trainings, window):
    pages = {}
    for name, served in trainings.items():
        for width, height in SIZES.items():
            pages[name, width] = window(f"{served.address}#token={served.token}", width, height)
    begun = time.monotonic()
    taken, shifts = {at: [] for at in pages}, {}
    for k in range(FRAMES):
        time.sleep(max(0, begun + k * SECONDS / (FRAMES - 1) - time.monotonic()))
        for (name, width), page in pages.items():
            said = page.locator("#said").inner_text()
            taken[name, width].append((said, page.screenshot(path=PICTURES / f"frames-{name}-{width}-{k + 1:02}.png")))
        for name, served in trainings.items():
            now = served.now()
            if now["mode"] == "training":
                shifts |= {at: page.evaluate("shifts") for at, page in pages.items() if at[0] == name}
            if now["step"] > REST * now["epochs"] * now["steps_per_epoch"]:
                served.ask("api/act", {"act": "pause"})
    for at, frames in taken.items():
        said = [sentence for sentence, _ in frames]
        assert len({picture for _, picture in frames}) > FRAMES / 2, (at, said)
        assert len(set(said)) > 2 and not said[-1].startswith("Random"), (at, said)
        assert shifts[at] == [], (at, shifts)
        pages[at].close()
