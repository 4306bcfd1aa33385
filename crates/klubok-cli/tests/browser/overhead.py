"""Measures what the page costs a training, without viewers and with three.

    python3 overhead.py target/release/klubok [--rounds 5] [--epochs 200] [--data demo:cats-dogs] [--chromium chromium]

Trains the same network in turns: without a page, with a page that nobody views, and with three clients that send the requests
of a browser that shows the first screen, or all panels. A real browser also draws, usually on another machine; with
`--chromium` three real browsers draw on this machine and compete with the training. Times are those that the training reports
after the last epoch. Beside them is the additional processor time of klubok's other threads, which compute the page's views, as
a share of the training time.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

# Requests of the panels behind the first screen, and their periods in seconds, as in the scripts of the page. A browser shows one
# tab; this is all of them. The first screen itself asks for a snapshot whenever there is a new one.
ALL = {"pass": 1.5, "features?layer=hidden1&moment=live": 3, "cloud?moment=live": 3, "neuron?layer=hidden1&unit=0": 2,
       "answers": 5, "excites?layer=hidden1": 10, "layers": 10, "lesions": 10, "suspects": 10, "motion": 10}

# Seconds between two requests of the story.
PACE = 1


class Client:
    """Follows a page like a browser, until the page ends."""

    def __init__(self, address, panels):
        self.address, self.open = address, True
        self.threads = [threading.Thread(target=self.follow, daemon=True)]
        self.threads += [threading.Thread(target=self.poll, args=each, daemon=True) for each in panels.items()]
        for thread in self.threads:
            thread.start()

    def get(self, path):
        with urllib.request.urlopen(self.address + path, timeout=60) as answer:
            return answer.read()

    def follow(self):
        known, shown, asked = [0, 0, 0], None, 0.0
        try:
            self.get("api/look/scene")
            with urllib.request.urlopen(self.address + "api/live", timeout=60) as news:
                for line in news:
                    if not line.startswith(b"data: "):
                        continue
                    now = json.loads(line[6:])
                    if now["snapshot"] != shown:
                        shown = now["snapshot"]
                        self.get("api/look/film")
                    lines = now["lines"]
                    if lines != known and time.monotonic() > asked + PACE:
                        asked = time.monotonic()
                        self.get("api/story?epochs={}&steps={}&events={}".format(*known))
                        known = lines
        except OSError:
            pass
        self.open = False

    def poll(self, what, every):
        while self.open:
            try:
                self.get(f"api/look/{what}")
            except urllib.error.HTTPError:
                pass
            except OSError:
                return
            time.sleep(every)


def browsers(address, chromium):
    """Opens three real browsers; returns a function that closes them."""
    from playwright.sync_api import sync_playwright

    playwright = sync_playwright().start()
    browser = playwright.chromium.launch(executable_path=shutil.which(chromium), args=["--disable-gpu"], chromium_sandbox=False)
    for _ in range(3):
        browser.new_context(viewport={"width": 1440, "height": 900}).new_page().goto(address)
    return lambda: (browser.close(), playwright.stop())


def beside(process):
    """Processor seconds of the threads that do not train, ended ones included; None when the process has ended."""
    def spent(stat):
        name, figures = stat.read_text().rsplit(")", 1)
        return name.split("(", 1)[1], sum(map(int, figures.split()[11:13])) / os.sysconf("SC_CLK_TCK")
    try:
        place = Path(f"/proc/{process}")
        training = [spent(task / "stat") for task in (place / "task").iterdir()]
        training = [of for name, of in training if re.fullmatch(r"klubok(-\d+)?", name)]
        # The process's total includes ended threads, which have no entry of their own.
        return spent(place / "stat")[1] - sum(training) if len(training) > 1 else None
    except OSError:
        return None


def seconds(arguments, mode):
    """Returns the duration of a training by its own clock, and the processor time of its other threads."""
    with tempfile.TemporaryDirectory() as place:
        command = [arguments.klubok, "train", arguments.data, "-o", "run", "--epochs", str(arguments.epochs), "--json",
                   "--hidden", arguments.hidden, "--set", "train.early_stopping=false"]
        page = [] if mode == "no page" else ["--dashboard", "--listen", "127.0.0.1:0"]
        training = subprocess.Popen(command + page, cwd=place, env={**os.environ, "KLUBOK_LANG": "en"},
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        address = page and next(found[1] for line in training.stderr if (found := re.search(r"(http://[\w.:]+/)", line)))
        threading.Thread(target=training.stderr.read, daemon=True).start()
        close = lambda: None
        if mode in ("three clients", "three clients, all panels"):
            for _ in range(3):
                Client(address, ALL if "all" in mode else {})
        elif mode == "three browsers":
            close = browsers(address, arguments.chromium)
        other = 0.0
        while training.poll() is None:
            other = beside(training.pid) or other
            time.sleep(0.1)
        close()
        last = (Path(place) / "run/metrics.jsonl").read_text().splitlines()[-1]
        return json.loads(last)["elapsed_seconds"], other


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("klubok", type=os.path.abspath)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--data", default="demo:cats-dogs")
    parser.add_argument("--hidden", default="256,64")
    parser.add_argument("--chromium", help="measure real browsers, too")
    arguments = parser.parse_args()
    modes = ["no page", "no viewers", "three clients", "three clients, all panels"]
    modes += ["three browsers"] if arguments.chromium else []
    took, others = {mode: [] for mode in modes}, {mode: [] for mode in modes}
    for _ in range(arguments.rounds):
        for mode in modes:
            whole, other = seconds(arguments, mode)
            took[mode].append(whole)
            others[mode].append(other)
            print(f"  {mode}: {whole:.2f} s, {other:.2f} s beside it", flush=True)
    for mode in modes:
        ratios = [with_page / without - 1 for with_page, without in zip(took[mode], took["no page"])]
        more = [(a - b) / whole for a, b, whole in zip(others[mode], others["no page"], took[mode])]
        print(f"{mode:<26} {statistics.median(took[mode]):7.2f} s ({min(took[mode]):.2f} to {max(took[mode]):.2f}), "
              f"{statistics.median(ratios):+.1%} ({min(ratios):+.1%} to {max(ratios):+.1%}), "
              f"{statistics.median(more):+.2%} beside it", flush=True)


if __name__ == "__main__":
    main()
