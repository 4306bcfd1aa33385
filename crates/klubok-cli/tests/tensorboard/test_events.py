"""Reads the event files of klubok with TensorBoard's own reader, its server, and tbparse."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tbparse import SummaryReader
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

KLUBOK = os.environ["KLUBOK"]
FILE = "events.out.tfevents.klubok"
EVERYTHING = {"scalars": 0, "histograms": 0, "images": 0, "tensors": 0}
EPOCHS = 30
INPUTS = 64 * 64
# Of the first layer, every third weight counts.
COUNTED = -(-16 * INPUTS // 3)
TRAINING = ["train", "demo:cats-dogs-small", "--hidden", "16,8", "--epochs", str(EPOCHS), "--lr", "0.003",
            "--set", "train.early_stopping=false", "--set", "train.tensorboard=true", "--threads", "1"]


def klubok(folder, *arguments):
    done = subprocess.run([KLUBOK, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def events_of(run):
    events = EventAccumulator(str(run / FILE), size_guidance=EVERYTHING)
    events.Reload()
    return events


def epochs_of(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    klubok(folder, *TRAINING, "-o", "runs/pets")
    return folder / "runs/pets"


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """A run that was killed again and again."""
    folder = tmp_path_factory.mktemp("resumed")
    run = folder / "runs/pets"
    kills = 0
    command = [KLUBOK, *TRAINING, "-o", "runs/pets"]
    while kills < 4:
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as training:
            wanted = 2 * kills + 2
            deadline = time.monotonic() + 60
            metrics = run / "metrics.jsonl"
            while training.poll() is None and time.monotonic() < deadline:
                if metrics.exists() and metrics.read_bytes().count(b"\n") >= wanted:
                    break
                time.sleep(0.0005)
            if training.poll() is not None:
                break
            training.send_signal(signal.SIGKILL)
        kills += 1
        command = [KLUBOK, "resume", "runs/pets"]
    klubok(folder, "resume", "runs/pets")
    assert kills > 0
    return run


def test_scalars_are_those_of_the_log(run):
    events, epochs = events_of(run), epochs_of(run)
    assert len(epochs) == EPOCHS + 1
    for tag, key in [("train/loss", "train_loss"), ("train/eval_loss", "train_eval_loss"), ("validation/loss", "val_loss"),
                     ("validation/accuracy", "val_accuracy"), ("train/learning_rate", "learning_rate"),
                     ("train/grad_norm", "grad_norm"), ("epoch", "epoch")]:
        found = [(event.step, event.value) for event in events.Scalars(tag)]
        assert found == [(line["step"], np.float32(line[key])) for line in epochs if key in line], tag
    for layer in epochs[-1]["layers"]:
        found = [event.value for event in events.Scalars(f"layers/{layer['name']}/update_ratio")]
        ratios = [of["update_ratio"] for line in epochs for of in line["layers"]
                  if of["name"] == layer["name"] and "update_ratio" in of]
        assert found == [np.float32(ratio) for ratio in ratios] and len(found) == EPOCHS
    times = [event.wall_time for event in events.Scalars("epoch")]
    assert times == sorted(times) and abs(times[-1] - (run / FILE).stat().st_mtime) < 60


def test_histograms_count_the_weights(run):
    events = events_of(run)
    weights = {"hidden1": COUNTED, "hidden2": 16 * 8, "output": 8 * 2}
    for layer, count in weights.items():
        histograms = events.Histograms(f"layers/{layer}/weights")
        assert len(histograms) > EPOCHS
        for event in histograms:
            value = event.histogram_value
            assert value.num == count == sum(value.bucket)
            assert len(value.bucket) == len(value.bucket_limit)
            assert value.min <= value.max <= value.bucket_limit[-1] + 1e-6
    norms = {event.step: event.value for event in events.Scalars("layers/hidden1/weight_norm")}
    squares = {event.step: event.histogram_value.sum_squares for event in events.Histograms("layers/hidden1/weights")}
    for step, norm in norms.items():
        assert squares[step] * 16 * INPUTS / COUNTED == pytest.approx(norm ** 2, rel=0.03)


def test_tiles_are_pictures(run):
    pictures = events_of(run).Images("layers/hidden1/tiles")
    assert len(pictures) > 5
    shown = []
    for event in pictures:
        with Image.open(io.BytesIO(event.encoded_image_string)) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "L", (event.width, event.height))
            # Sixteen tiles with lines between them.
            assert image.size == (4 * 64 + 3, 4 * 64 + 3)
            shown.append(np.asarray(image).copy())
    assert all((pixels[64, :] == 0).all() and (pixels[:, 64] == 0).all() for pixels in shown)
    assert not (shown[0] == shown[-1]).all()
    assert 20 < shown[0][:64, :64].std() < 90


def text_of(events, tag, step):
    [text] = [event.tensor_proto.string_val[0] for event in events.Tensors(tag) if event.step == step]
    return text.decode()


def test_settings_phases_and_verdicts_are_texts(run):
    events = events_of(run)
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    assert f"epochs = {EPOCHS}" in text_of(events, "run/settings", 0)
    assert text_of(events, "run/stopped", lines[-1]["step"]) == "epochs"
    for line in lines:
        if line["event"] == "phase":
            assert f"From epoch {line['start']:g} on" in text_of(events, f"phases/{line['name']}", line["step"])
        if line["event"] == "verdict":
            assert line["meaning"] in text_of(events, f"verdicts/{line['name']}", line["step"])
    tags = [tag for tag in events.Tags()["tensors"] if tag.startswith(("phases/", "verdicts/"))]
    noted = sum(line["event"] in ("phase", "verdict") for line in lines)
    assert sum(len(events.Tensors(tag)) for tag in tags) == noted > 2


def timeless(run):
    events = events_of(run)
    kinds = {"scalars": events.Scalars, "histograms": events.Histograms, "images": events.Images}
    values = {}
    for kind, read in kinds.items():
        for tag in events.Tags()[kind]:
            if not tag.startswith(("time/", "first_epochs/time/")):
                values[tag] = [{**vars(event), "wall_time": 0} for event in read(tag)]
    return values


def test_a_killed_and_resumed_run_reads_as_one(run, resumed):
    whole, again = timeless(run), timeless(resumed)
    assert whole.keys() == again.keys()
    for tag, values in whole.items():
        assert values == again[tag], tag
    assert [path.name for path in resumed.glob("*tfevents*")] == [FILE]


def test_tbparse_reads_scalars_texts_and_hyper_parameters(run, resumed):
    reader = SummaryReader(str(run.parent), extra_columns={"dir_name"})
    scalars = reader.scalars
    assert set(scalars["dir_name"]) == {"pets"}
    accuracy = scalars[scalars["tag"] == "validation/accuracy"]
    assert len(accuracy) == EPOCHS + 1 and accuracy["step"].is_monotonic_increasing
    assert "run/settings" in set(reader.text["tag"])
    settings = dict(zip(reader.hparams["tag"], reader.hparams["value"]))
    assert settings["train.epochs"] == EPOCHS and settings["model.hidden"] == "[16, 8]"
    assert settings["train.early_stopping"] is False and settings["train.optimizer"] == "adamw"
    again = SummaryReader(str(resumed)).scalars
    assert not again.duplicated(["tag", "step"]).any()


def test_klubok_diagnoses_its_own_file(run, tmp_path):
    (tmp_path / FILE).write_bytes((run / FILE).read_bytes())
    (tmp_path / "history.jsonl").write_bytes((run / "metrics.jsonl").read_bytes())
    of_events = json.loads(klubok(tmp_path, "diagnose", FILE, "--json"))
    of_log = json.loads(klubok(tmp_path, "diagnose", "history.jsonl", "--json"))
    names = [[verdict["name"] for verdict in of["verdicts"]] for of in (of_events, of_log)]
    phases = [[(phase["name"], phase["start"], phase["end"]) for phase in of["phases"]] for of in (of_events, of_log)]
    assert names[0] == names[1] and phases[0] == phases[1]
    assert of_events["best_epoch"] == of_log["best_epoch"]


class Server:
    """TensorBoard itself."""

    def __init__(self, folder, log):
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", folder, "--port", "0", "--host", "127.0.0.1",
                   "--load_fast", "false"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)

    def address(self, log):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
            if found:
                return found.group()
            time.sleep(0.1)
        raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def board(run, resumed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    log = folder / "log"
    runs = folder / "runs"
    runs.mkdir()
    (runs / "whole").symlink_to(run)
    (runs / "resumed").symlink_to(resumed)
    with log.open("w") as file:
        server = Server(str(runs), file)
    address = server.address(log)

    def get(route, **arguments):
        query = f"?{urllib.parse.urlencode(arguments)}" if arguments else ""
        with urllib.request.urlopen(f"{address}/data/{route}{query}", timeout=20) as answer:
            return json.load(answer)

    deadline = time.monotonic() + 60
    # The last record of a file. Until then the server may fail to answer.
    ended = 0
    while ended < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
        try:
            ended = sum("run/stopped" in tags for tags in get("plugin/text/tags").values())
        except urllib.error.HTTPError:
            continue
    yield get
    server.process.terminate()
    server.process.wait()


def test_the_server_shows_both_runs_alike(board):
    assert sorted(board("runs")) == ["resumed", "whole"]
    tags = board("plugin/scalars/tags")
    assert tags["whole"].keys() == tags["resumed"].keys() >= {"train/loss", "layers/hidden1/update_ratio"}
    curves = [[point[1:] for point in board("plugin/scalars/scalars", run=run, tag="validation/loss")]
              for run in ("whole", "resumed")]
    assert curves[0] == curves[1] and len(curves[0]) == EPOCHS + 1


def test_the_server_shows_histograms_pictures_texts_and_settings(board, run):
    histograms = board("plugin/histograms/histograms", run="whole", tag="layers/hidden1/weights")
    for _, _, buckets in histograms:
        assert sum(count for _, _, count in buckets) == pytest.approx(COUNTED)
    pictures = board("plugin/images/images", run="whole", tag="layers/hidden1/tiles", sample=0)
    # It keeps ten by default, the last one among them.
    assert len(pictures) >= 10 and pictures[-1]["step"] == epochs_of(run)[-1]["step"]
    texts = board("plugin/text/text", run="whole", tag="run/settings")
    assert "learning_rate" in texts[0]["text"]
    experiment = board("plugin/hparams/experiment", request="{}")
    assert "train.learning_rate" in {info["name"] for info in experiment["hparamInfos"]}
