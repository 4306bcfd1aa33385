"""What each part of the stage shows, computed again with numpy from the snapshot that the film keeps of the moment."""

import re

import numpy as np
import pytest

from run_folder import numbers, shows
from view import LINE, ORANGE, PIXELS, PLANE, target


def stage_sentence(view):
    line = view.run.line(view.step)
    said, when = view.page.locator("#said").inner_text(), view.page.locator(".say .when").inner_text()
    assert when.startswith(view.run.name(view.step))
    assert ("measured at step" in when) == (line["step"] != view.step)
    measured = {"of 100": "val_accuracy", "off by": "val_rmse"}
    for words, key in measured.items():
        # By heart: of the samples seen, and of new ones.
        if words not in said or key not in line or "seen" in said:
            continue
        value = numbers(said.split("off by")[-1] if key == "val_rmse" else said)[0][0]
        assert value == pytest.approx(line[key] if key == "val_rmse" else 100 * line[key], rel=0.06 if key == "val_rmse" else 0, abs=0.51), said


def stage_picture(view):
    outputs = view.run.snapshot(view.step).tensors["outputs"][:1]
    said = view.run.said(view.step, outputs)[0]
    row = view.row
    values = view.inputs([row])[0]
    pixels = view.page.evaluate(PIXELS)
    if pixels:
        assert len(values) in (len(pixels), 3 * len(pixels)) and pixels == values.reshape(len(pixels), -1)[:, 0].tolist()
    else:
        for value, text in zip(values, view.page.locator(".shown-picture .values dd").all_inner_texts(), strict=True):
            shows(text, value)
    names = view.page.locator(".says .class").all_inner_texts()
    for name, value in zip(names, view.page.locator(".says .value").all_inner_texts()):
        k = view.run.names.index(re.sub(r"^▸ | ✓$|, in truth.*", "", name))
        shows(value, said[k] * (1 if target(view) == "numbers" else 100))
        right = view.run.truth([row])[0]
        if target(view) != "numbers":
            assert name.endswith("✓") == bool(right == k if target(view) == "classes" else right[k]), name


def stage_hero(view):
    snapshot = view.run.snapshot(view.step)
    if "grid" in snapshot.tensors and target(view) == "classes":
        drawn_plane(view, snapshot)
    elif "grid" in snapshot.tensors:
        drawn_curve(view, snapshot)
    else:
        drawn_tiles(view, snapshot)


def drawn_tiles(view, snapshot):
    """Each tile is coloured by its weights: the start and what was added, each pixel with its neighbours."""
    tiles = view.run.snapshot(0).quantised("start") + snapshot.quantised("tiles")
    view.page.wait_for_timeout(200)
    shown = view.page.evaluate(ORANGE, ".tile-picture.shown")
    assert len(shown) == len(tiles)
    for colours, tile in list(zip(shown, tiles))[::6]:
        height, width, _ = tile.shape
        mean = [[tile[max(0, y - 1):y + 2, max(0, x - 1):x + 2].mean() for x in range(width)] for y in range(height)]
        assert np.corrcoef(colours, np.ravel(mean))[0, 1] > 0.95


def drawn_plane(view, snapshot):
    """Where the network is sure, the colour is that of its answer."""
    said = view.run.said(view.step, snapshot.tensors["grid"])
    side = int(np.sqrt(len(said)))
    colours = np.array(view.page.evaluate(PLANE, side))
    sure = np.abs(said[:, 0] - 0.5) > 0.2
    of = [np.median(colours[sure & (said[:, k] > 0.5)]) if (sure & (said[:, k] > 0.5)).sum() > 20 else None for k in [0, 1]]
    if None not in of:
        assert abs(of[0] - of[1]) > 30
        nearer = np.abs(colours - of[0]) < np.abs(colours - of[1])
        # A few cells are under a point.
        assert (nearer == (said[:, 0] > 0.5))[sure].mean() > 0.85


def drawn_curve(view, snapshot):
    """The line is as high as the predictions, between the least and the most of the points."""
    said = view.run.said(view.step, snapshot.tensors["grid"])[:, 0]
    rows = view.run.parts["train"] + view.run.parts["val"]
    truth = view.run.truth(rows)[:, 0]
    least, most = truth.min(), truth.max()
    margin = 0.1 * (most - least)
    heights = np.array(view.page.evaluate(LINE, len(said)))
    expected = 1 - (said - least + margin) / (most - least + 2 * margin)
    inside = (expected > 0.02) & (expected < 0.98) & (heights >= 0)
    assert inside.sum() > len(said) / 2
    assert np.median(np.abs(heights - expected)[inside]) < 0.02


def stage_network(view):
    said = view.run.said(view.step, view.run.snapshot(view.step).tensors["outputs"][:1])[0]
    for k, text in zip(range(len(said)), view.page.locator(".flow-said").all_text_contents()):
        shows(text, said[k] * (1 if target(view) == "numbers" else 100))


STAGE = [stage_sentence, stage_picture, stage_hero, stage_network]
