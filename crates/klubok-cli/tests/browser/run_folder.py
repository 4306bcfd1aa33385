"""Reads a run's folder and computes with numpy what its network says: independent of klubok."""

import csv
import json
import re

import numpy as np
from safetensors import safe_open

ACTIVATIONS = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh, "identity": lambda z: z}
# A measurement within an epoch takes so many samples at most.
STEP_SAMPLE = 2048


def tensors(path, key):
    """Returns the tensors of a file by name, and its description."""
    with safe_open(path, "np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()[key])


class Snapshot:
    """What the film keeps of a step."""

    def __init__(self, path):
        self.tensors, described = tensors(path, "snapshot")
        self.epoch, self.scales = described["epoch"], described["scales"]
        self.layers = {layer["name"]: layer for layer in described["layers"]}
        count = described["params"]
        self.params = [self.tensors[f"params.{i}"].astype(float) for i in range(count)] or None

    def quantised(self, name):
        return self.tensors[name].astype(float) * self.scales[name] / 127


class Run:
    """A run's folder. `start` is a run of the same network that kept its random weights."""

    def __init__(self, path, start=None):
        self.path = path
        lines = [json.loads(line) for name in ["metrics", "steps"] for line in (path / f"{name}.jsonl").read_text().splitlines()]
        self.epochs = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        merged = {}
        # Where both measured, the epoch's line measured more.
        for line in reversed(lines):
            merged[line["step"]] = {**merged.get(line["step"], {}), **line}
        self.lines = [merged[step] for step in sorted(merged)]
        self.film = {int(file.stem): file for file in sorted((path / "film").glob("0*.safetensors"))}
        self.steps, self.last = sorted(self.film), self.epochs[-1]["step"]
        self.model, self.card = tensors(path / "model.safetensors", "klubok")
        self.network, self.names = self.card["network"], self.card["classes"]
        self.steps_per_epoch = self.epochs[1]["step"]
        rows = list(csv.DictReader((path / "split.csv").open()))
        self.parts = {part: [int(row["row"]) for row in rows if row["part"] == part] for part in ["train", "val"]}
        self.targets = {int(row["row"]): row["class"] for row in rows}
        self.start = start
        self.settings = (path / "config.toml").read_text()
        self.best = self._best()

    def _best(self):
        """The step of the model's weights: those of the checkpoint's best, found among the epochs."""
        progress = tensors(self.path / "checkpoint/state.safetensors", "checkpoint")[1]["progress"]
        return progress["best"]["epoch"] * self.steps_per_epoch

    def snapshot(self, step):
        return Snapshot(self.film[step])

    def line(self, step):
        """The last measurement until a step."""
        return [line for line in self.lines if line["step"] <= step][-1]

    def wholes(self):
        """The steps at which all weights are known."""
        small = self.snapshot(0).params is not None
        return sorted({0, self.best, self.last, *(self.steps if small else [])})

    def weights(self, step):
        """All weights at a step: (weight, bias) of each layer."""
        shapes = [self.model[f"{name}.weight"].shape for name in self.layer_names()]
        if self.snapshot(0).params is not None:
            flat = self.snapshot(step).params
        elif step == self.best:
            flat = self._flat(self.model, "")
        elif step == self.last:
            flat = self._flat(tensors(self.path / "checkpoint/state.safetensors", "checkpoint")[0], "params.")
        else:
            assert step == 0, f"no weights of step {step}"
            flat = self._flat(self.start.model, "")
        return [(flat[2 * i].reshape(shape), flat[2 * i + 1]) for i, shape in enumerate(shapes)]

    def _flat(self, named, prefix):
        return [named[f"{prefix}{layer}.{kind}"].astype(float).ravel() for layer in self.layer_names() for kind in ["weight", "bias"]]

    def layer_names(self):
        return [f"hidden{i + 1}" for i in range(len(self.network["hidden"]))] + ["output"]

    def prepared(self, stored):
        """Stored rows as the network's input."""
        preprocessing = self.card["preprocessing"]
        mean, std = np.array(preprocessing["mean"]), np.array(preprocessing["std"])
        repeat = stored.shape[-1] // len(mean)
        return (stored - np.tile(mean, repeat)) / np.tile(std, repeat)

    def forward(self, step, stored):
        """Every layer's sums and outputs for stored rows: {layer: (x, z, y)}."""
        x, values = self.prepared(np.asarray(stored, float)), {}
        functions = [layer["activation"] for layer in self.network["hidden"]] + ["identity"]
        for name, (w, b), f in zip(self.layer_names(), self.weights(step), functions):
            z = x @ w.T + b
            values[name] = (x, z, ACTIVATIONS[f](z))
            x = values[name][2]
        return values

    def logits(self, step, stored):
        return self.forward(step, stored)["output"][1]

    def said(self, step, logits):
        """What people see of logits: calibrated confidences as of the step, or numbers in their units."""
        logits = np.asarray(logits, float)
        if self.network["answer"] == "labels":
            return 1 / (1 + np.exp(-logits))
        if self.network["answer"] == "numbers":
            target = self.card["preprocessing"]["target"]
            return logits * np.array(target["std"]) + np.array(target["mean"])
        measured = [line for line in self.lines if line["step"] <= step and "temperature" in line]
        if not measured:
            return softmax(logits)
        fitted = len(self.parts["val"]) if measured[-1]["epoch"] % 1 == 0 else min(STEP_SAMPLE, len(self.parts["val"]))
        uniform = 1 / (fitted + 1)
        return (1 - uniform) * softmax(logits / measured[-1]["temperature"]) + uniform / logits.shape[-1]

    def truth(self, rows):
        """The targets of rows: classes by number, labels as 0 and 1, or numbers."""
        texts = [self.targets[row] for row in rows]
        if self.network["answer"] == "classes":
            return np.array([self.names.index(text) for text in texts])
        if self.network["answer"] == "labels":
            return np.array([[name in re.split(r"\+", text) for name in self.names] for text in texts])
        return np.array([[float(number) for number in re.split(r"[;,\s]+", text)] for text in texts])

    def name(self, step):
        """A moment as the page names it."""
        epoch = grouped(step / self.steps_per_epoch)
        if step == 0:
            return "random weights, before the first step"
        if step == self.last:
            return f"last weights, epoch {epoch} · step {step:,}"
        if step == self.best:
            return f"best weights, epoch {epoch}"
        return f"epoch {epoch} · step {step:,}"


def grouped(epoch):
    """An epoch as the page writes it."""
    text = f"{epoch:.2f}" if epoch < 10 else f"{epoch:.1f}"
    return text.rstrip("0").rstrip(".")


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def wilson(share, n):
    """Wilson's 95 % interval."""
    z = 1.959964
    middle, half = share + z * z / (2 * n), z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return [(middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)]


def evenly(count, most):
    """At most so many numbers below `count`, evenly spaced."""
    most = min(most, count)
    return [i * count // most for i in range(most)]


NUMBER = re.compile(r"[-−+]?\d[\d,]*(?:\.\d+)?(?:·10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?")
POWERS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def numbers(text):
    """The numbers in a text of the page, each with half a unit of its last digit: percentages are as written."""
    found = []
    for match in NUMBER.findall(text):
        mantissa, _, power = match.replace(",", "").replace("−", "-").partition("·10")
        scale = 10.0 ** int(power.translate(POWERS) or 0)
        places = len(mantissa.partition(".")[2])
        found.append((float(mantissa) * scale, 0.5 * 10.0**-places * scale))
    return found


def shows(text, expected, digits=None):
    """Asserts that the first number of a text is the expected one, rounded; `digits` are significant ones."""
    assert numbers(text), f"no number in {text!r}"
    value, half = numbers(text)[0]
    if digits and expected:
        half = max(half, 0.5 * 10.0 ** (np.floor(np.log10(abs(expected))) - digits + 1))
    # A little more: the page computes with other roundings.
    assert abs(value - expected) <= half * 1.05 + 1e-9, f"{text!r} shows {value}, not {expected}"
