"""Makes the histories `torch-*.csv`: small networks trained by PyTorch on subsets of real data.

    python make_torch.py DATA FOLDER [FIRST LAST]

DATA has mnist/, fashion-mnist/, covertype/, adult/ and cats-dogs-64/. Each number draws a data set, sizes,
regularisation, label noise, an optimiser and a schedule. `population_loss` is the loss on thousands of further samples,
far more precise than that on a small validation set.
"""

import csv, gzip, math, random, sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

DATA, OUT = Path(sys.argv[1]), Path(sys.argv[2])
FIRST, LAST = (int(n) for n in sys.argv[3:5]) if len(sys.argv) > 4 else (0, 60)
torch.set_num_threads(2)


def idx(path):
    raw = gzip.open(path).read()
    dims = raw[3]
    shape = np.frombuffer(raw, ">u4", dims, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dims).reshape(shape)


def table(name):
    if name == "covertype":
        with open(DATA / "covertype/covtype_16pct.csv") as f:
            rows = list(csv.reader(f))
        rows = np.array(rows[1:40001], dtype=np.float32)
        return rows[:, :-1], rows[:, -1].astype(np.int64) - 1
    with open(DATA / "adult/adult-train.csv") as f:
        rows = [[c.strip() for c in r] for r in csv.reader(f) if len(r) == 15]
    columns = []
    for i in range(14):
        values = [r[i] for r in rows]
        if i in (0, 2, 4, 10, 11, 12):
            columns.append(np.array(values, np.float32)[:, None])
        else:
            names = sorted(set(values))
            columns.append(np.eye(len(names), dtype=np.float32)[[names.index(v) for v in values]])
    return np.concatenate(columns, 1), np.array([r[14] == ">50K" for r in rows], np.int64)


def pictures():
    from PIL import Image

    x, y = [], []
    for label, name in enumerate(("cat", "dog")):
        for path in sorted((DATA / "cats-dogs-64" / name).iterdir())[:5000]:
            x.append(np.asarray(Image.open(path).convert("L").resize((32, 32)), np.float32).ravel())
            y.append(label)
    return np.stack(x), np.array(y, np.int64)


CACHE = {}


def data(name):
    if name not in CACHE:
        if name in ("mnist", "fashion-mnist"):
            x = idx(DATA / name / "train-images-idx3-ubyte.gz").reshape(-1, 784)[:40000].astype(np.float32)
            y = idx(DATA / name / "train-labels-idx1-ubyte.gz")[:40000].astype(np.int64)
        elif name == "cats-dogs":
            x, y = pictures()
        else:
            x, y = table(name)
        CACHE[name] = (x, y)
    return CACHE[name]


def draw(number):
    r = random.Random(1000 + number)
    name = r.choice(["mnist", "fashion-mnist", "covertype", "adult", "cats-dogs"])
    return r, dict(
        data=name,
        train=r.choice([300, 1000, 2000, 5000]),
        val=r.choice([200, 500, 1000, 3000]),
        hidden=r.choice([[32], [128], [256], [128, 64], [256, 128]]),
        dropout=r.choice([0, 0, 0, 0.3, 0.5]),
        batch_norm=r.random() < 0.3,
        decay=r.choice([0, 0, 1e-3, 1e-1]),
        noise=r.choice([0, 0, 0, 0.1, 0.3]),
        optimizer=r.choice(["sgd", "momentum", "adam", "adamw"]),
        rate=r.choice([0.3, 1, 3]),
        schedule=r.choice(["constant", "constant", "cosine", "step", "restarts"]),
        epochs=r.choice([20, 30, 40, 60]),
        batch=r.choice([32, 64, 128]),
    )


def evaluate(net, x, y):
    net.eval()
    with torch.no_grad():
        z = net(x)
        loss = nn.functional.cross_entropy(z, y).item()
        accuracy = (z.argmax(1) == y).float().mean().item()
    net.train()
    return loss, accuracy


def main(number):
    r, s = draw(number)
    torch.manual_seed(number)
    rng = np.random.default_rng(number)
    x, y = data(s["data"])
    order = rng.permutation(len(x))
    need = s["train"] + s["val"]
    beside = min(4000, len(x) - need)
    parts = np.split(order[: need + beside], [s["train"], need])
    mean, std = x[parts[0]].mean(0), x[parts[0]].std(0) + 1e-3
    if s["data"] in ("mnist", "fashion-mnist", "cats-dogs"):
        mean, std = x[parts[0]].mean(), x[parts[0]].std()
    classes = int(y.max()) + 1
    y = y.copy()
    flip = order[:need + beside][rng.random(need + beside) < s["noise"]]
    y[flip] = rng.integers(0, classes, len(flip))
    tensors = [(torch.tensor((x[p] - mean) / std), torch.tensor(y[p])) for p in parts]
    (tx, ty), val, population = tensors
    layers, width = [], tx.shape[1]
    for units in s["hidden"]:
        layers.append(nn.Linear(width, units))
        if s["batch_norm"]:
            layers.append(nn.BatchNorm1d(units))
        layers.append(nn.ReLU())
        if s["dropout"]:
            layers.append(nn.Dropout(s["dropout"]))
        width = units
    net = nn.Sequential(*layers, nn.Linear(width, classes))
    rate = s["rate"] * {"sgd": 0.03, "momentum": 0.01, "adam": 1e-3, "adamw": 1e-3}[s["optimizer"]]
    p, d = net.parameters(), s["decay"]
    opt = {
        "sgd": lambda: torch.optim.SGD(p, rate, weight_decay=min(d, 1e-3)),
        "momentum": lambda: torch.optim.SGD(p, rate, momentum=0.9, weight_decay=min(d, 1e-3)),
        "adam": lambda: torch.optim.Adam(p, rate, weight_decay=min(d, 1e-3)),
        "adamw": lambda: torch.optim.AdamW(p, rate, weight_decay=d),
    }[s["optimizer"]]()
    epochs = s["epochs"]
    cut = max(4, epochs // 3)
    factor = {
        "constant": lambda e: 1.0,
        "cosine": lambda e: 0.5 + 0.5 * math.cos(math.pi * e / epochs),
        "step": lambda e: 0.2 ** (e // cut),
        "restarts": lambda e: 0.5 + 0.5 * math.cos(math.pi * (e % cut) / cut),
    }[s["schedule"]]
    note = " ".join(f"{k}={v}" for k, v in s.items()).replace("[", "").replace("]", "").replace(", ", "-")
    with open(OUT / f"torch-{number:02}.csv", "w") as out:
        out.write(f"# {note}\n")
        out.write("epoch,train_loss,val_loss,train_accuracy,val_accuracy,grad_norm,lr,population_loss\n")
        for epoch in range(epochs):
            for group in opt.param_groups:
                group["lr"] = rate * factor(epoch)
            total = correct = norm = steps = 0
            for rows in torch.randperm(len(tx)).split(s["batch"]):
                if len(rows) < 2:
                    continue
                opt.zero_grad()
                z = net(tx[rows])
                loss = nn.functional.cross_entropy(z, ty[rows])
                loss.backward()
                norm += torch.nn.utils.clip_grad_norm_(net.parameters(), math.inf).item()
                opt.step()
                steps += 1
                total += loss.item() * len(rows)
                correct += (z.argmax(1) == ty[rows]).sum().item()
            vl, va = evaluate(net, *val)
            pl, _ = evaluate(net, *population)
            figures = [total / len(tx), vl, correct / len(tx), va, norm / steps, rate * factor(epoch), pl]
            out.write(",".join([str(epoch + 1), *(f"{f:.5g}" for f in figures)]) + "\n")
    print(number, note, flush=True)


for number in range(FIRST, LAST):
    main(number)
