"""Makes the histories `klubok-*.csv`: networks trained by klubok on subsets of real data.

    python make_klubok.py DATA FOLDER KLUBOK [FIRST LAST]

DATA has mnist/, fashion-mnist/ and cats-dogs-64/; KLUBOK is the command. Each number draws a data set, sizes,
regularisation, label noise, an optimiser and a schedule. Only the standard library is needed.
"""

import gzip, json, random, struct, subprocess, sys, tempfile
from pathlib import Path

DATA, OUT, KLUBOK = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
FIRST, LAST = (int(n) for n in sys.argv[4:6]) if len(sys.argv) > 5 else (0, 24)
KEYS = ["train_loss", "val_loss", "train_accuracy", "val_accuracy", "grad_norm", "lr"]


def draw(number):
    r = random.Random(2000 + number)
    return r, dict(
        data=r.choice(["mnist", "fashion-mnist", "cats-dogs-64"]),
        train=r.choice([500, 1000, 2000, 4000]),
        val=r.choice([200, 500, 1000]),
        hidden=r.choice(["32", "128", "256,128", "128,64"]),
        dropout=r.choice([0, 0, 0, 0.3, 0.5]),
        batch_norm=r.choice(["true", "false"]),
        decay=r.choice([0, 0, 0.01]),
        noise=r.choice([0, 0, 0.2]),
        optimizer=r.choice(["sgd", "rmsprop", "adam", "adamw"]),
        rate=r.choice([0.3, 1, 3]),
        schedule=r.choice(["constant", "cosine", "step", "one_cycle"]),
        restarts=r.choice([0, 0, 2]),
        epochs=r.choice([20, 30, 40, 60]),
        batch=r.choice([32, 64, 128]),
    )


def part_of_idx(r, folder, s):
    count = s["train"] + s["val"]
    images = gzip.open(DATA / s["data"] / "train-images-idx3-ubyte.gz").read()
    labels = gzip.open(DATA / s["data"] / "train-labels-idx1-ubyte.gz").read()
    rows = r.sample(range(60000), count)
    noisy = [r.randrange(10) if r.random() < s["noise"] else labels[8 + row] for row in rows]
    pixels = b"".join(images[16 + 784 * row :][:784] for row in rows)
    (folder / "train-images-idx3-ubyte").write_bytes(images[:4] + struct.pack(">III", count, 28, 28) + pixels)
    (folder / "train-labels-idx1-ubyte").write_bytes(labels[:4] + struct.pack(">I", count) + bytes(noisy))


def part_of_pictures(r, folder, s):
    count = (s["train"] + s["val"]) // 2
    names = ["cat", "dog"]
    for name in names:
        (folder / name).mkdir()
    for i, name in enumerate(names):
        files = sorted((DATA / s["data"] / name).iterdir())
        for file in r.sample(files, count):
            label = names[1 - i] if r.random() < s["noise"] / 2 else name
            (folder / label / f"{name}-{file.name}").symlink_to(file)


def main(number):
    r, s = draw(number)
    with tempfile.TemporaryDirectory() as where:
        data, run = Path(where) / "data", Path(where) / "run"
        data.mkdir()
        (part_of_pictures if s["data"] == "cats-dogs-64" else part_of_idx)(r, data, s)
        rate = s["rate"] * (0.01 if s["optimizer"] == "sgd" else 0.001)
        settings = {
            "data.size": 32,
            "data.val_fraction": s["val"] / (s["train"] + s["val"]),
            "model.hidden": s["hidden"],
            "model.dropout": s["dropout"],
            "model.batch_norm": s["batch_norm"],
            "regularization.weight_decay": s["decay"],
            "train.optimizer": s["optimizer"],
            "train.learning_rate": rate,
            "train.schedule": s["schedule"],
            "train.restarts": s["restarts"] if s["schedule"] == "cosine" else 0,
            "train.epochs": s["epochs"],
            "train.batch_size": s["batch"],
            "train.early_stopping": "false",
        }
        flags = [f"--set={key}={value}" for key, value in settings.items()]
        command = [KLUBOK, "train", data, "-o", run, "--preset", "plain", "--quiet", *flags]
        subprocess.run(command, check=False)
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    note = " ".join(f"{key}={value}" for key, value in s.items())
    with open(OUT / f"klubok-{number:02}.csv", "w") as out:
        out.write(f"# {note}\nepoch,{','.join(KEYS)}\n")
        for line in lines[1:]:
            line["train_loss"] = line["train_eval_loss"]
            line["lr"] = line["learning_rate"]
            out.write(",".join([f"{line['epoch']:.0f}", *(f"{line[key]:.5g}" for key in KEYS)]) + "\n")
    print(number, note, flush=True)


for number in range(FIRST, LAST):
    main(number)
