"""Makes the histories `sklearn-*.csv`: scikit-learn's MLPClassifier, one `partial_fit` per epoch, on subsets of real data.

    python make_sklearn.py DATA FOLDER [FIRST LAST]

DATA has mnist/, fashion-mnist/, adult/ and covertype/. Each number draws a data set, sizes, regularisation, label
noise and an optimiser. `population_loss` is the loss on thousands of further samples.
"""

import csv, gzip, random, sys, warnings
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore")
DATA, OUT = Path(sys.argv[1]), Path(sys.argv[2])
FIRST, LAST = (int(n) for n in sys.argv[3:5]) if len(sys.argv) > 4 else (0, 24)


def data(name):
    if name in ("mnist", "fashion-mnist"):
        x = np.frombuffer(gzip.open(DATA / name / "train-images-idx3-ubyte.gz").read(), np.uint8, offset=16)
        y = np.frombuffer(gzip.open(DATA / name / "train-labels-idx1-ubyte.gz").read(), np.uint8, offset=8)
        return x.reshape(-1, 784)[:30000] / 255.0, y[:30000].astype(int)
    if name == "covertype":
        with open(DATA / "covertype/covtype_16pct.csv") as f:
            rows = np.array(list(csv.reader(f))[1:30001], dtype=float)
        return rows[:, :-1], rows[:, -1].astype(int) - 1
    with open(DATA / "adult/adult-train.csv") as f:
        rows = [[cell.strip() for cell in row] for row in csv.reader(f) if len(row) == 15]
    numbers = np.array([[float(row[i]) for i in (0, 2, 4, 10, 11, 12)] for row in rows])
    words = []
    for i in (1, 3, 5, 6, 7, 8, 9):
        names = sorted({row[i] for row in rows})
        words.append(np.eye(len(names))[[names.index(row[i]) for row in rows]])
    return np.concatenate([numbers, *words], 1), np.array([int(row[14] == ">50K") for row in rows])


def draw(number):
    r = random.Random(3000 + number)
    return dict(
        data=r.choice(["mnist", "fashion-mnist", "covertype", "adult"]),
        train=r.choice([300, 1000, 3000]),
        val=r.choice([200, 500, 2000]),
        hidden=r.choice([(32,), (128,), (256, 64)]),
        alpha=r.choice([1e-4, 1e-4, 0.1, 3.0]),
        noise=r.choice([0, 0, 0.2]),
        solver=r.choice(["sgd", "adam", "adam"]),
        rate=r.choice([0.3, 1, 3]),
        batch=r.choice([32, 128]),
        epochs=r.choice([20, 30, 50]),
    )


def main(number):
    s = draw(number)
    rng = np.random.default_rng(number)
    x, y = data(s["data"])
    order = rng.permutation(len(x))
    need = s["train"] + s["val"]
    y = y.copy()
    noisy = rng.random(len(y)) < s["noise"]
    y[noisy] = rng.integers(0, y.max() + 1, noisy.sum())
    parts = np.split(order[: need + 4000], [s["train"], need])
    mean, std = x[parts[0]].mean(0), x[parts[0]].std(0) + 0.05
    (tx, ty), (vx, vy), (px, py) = (((x[p] - mean) / std, y[p]) for p in parts)
    classes = np.arange(y.max() + 1)
    rate = s["rate"] * {"sgd": 0.01, "adam": 0.001}[s["solver"]]
    net = MLPClassifier(
        s["hidden"], solver=s["solver"], alpha=s["alpha"], batch_size=s["batch"], learning_rate_init=rate, random_state=number
    )
    note = " ".join(f"{key}={str(value).replace(' ', '')}" for key, value in s.items())
    with open(OUT / f"sklearn-{number:02}.csv", "w") as out:
        out.write(f"# {note}\nepoch,loss,val_loss,accuracy,val_accuracy,population_loss\n")
        for epoch in range(s["epochs"]):
            net.partial_fit(tx, ty, classes=classes)
            row = [log_loss(by, net.predict_proba(bx), labels=classes) for bx, by in ((tx, ty), (vx, vy), (px, py))]
            figures = [row[0], row[1], net.score(tx, ty), net.score(vx, vy), row[2]]
            out.write(",".join([str(epoch + 1), *(f"{figure:.5g}" for figure in figures)]) + "\n")
    print(number, note, flush=True)


for number in range(FIRST, LAST):
    main(number)
