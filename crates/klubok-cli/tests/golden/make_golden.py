"""Trains linear networks with PyTorch in float64, for `tests/it/values.rs`.

    python make_golden.py FOLDER        (or `cargo xtask golden`, which installs PyTorch for it)

Writes `losses.json`: a table, and for each loss its targets, the loss of epochs 0 to 5 and the weights after
them. A network without hidden layers starts at zero, so its whole training is the loss, its gradient and plain
gradient descent on all rows. Inputs, targets and weights are exact in float32.
"""

import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

ROWS, COLUMNS, EPOCHS, RATE = 24, 3, 5, 0.3


def draw(*shape):
    """Normal numbers with few binary digits."""
    return (torch.randn(*shape) * 64).round() / 64


def losses(z, targets):
    """The loss of each row, by name."""
    return {
        "cross_entropy": lambda: F.cross_entropy(z, targets[:, 0].long(), reduction="none"),
        "binary_cross_entropy": lambda: F.binary_cross_entropy_with_logits(z, targets, reduction="none").mean(1),
        "mse": lambda: F.mse_loss(z, targets, reduction="none").mean(1),
        "huber": lambda: F.huber_loss(z, targets, reduction="none", delta=0.5).mean(1),
    }


def train(loss, x, targets, weight, outputs):
    network = torch.nn.Linear(COLUMNS, outputs)
    for p in network.parameters():
        torch.nn.init.zeros_(p)
    rule, history = torch.optim.SGD(network.parameters(), lr=RATE), []
    for epoch in range(EPOCHS + 1):
        rule.zero_grad()
        value = (losses(network(x), targets)[loss]() * weight).sum() / weight.sum()
        history.append(value.item())
        if epoch < EPOCHS:
            value.backward()
            rule.step()
    return {
        "targets": targets.tolist(),
        "losses": history,
        "weight": network.weight.flatten().tolist(),
        "bias": network.bias.tolist(),
    }


def main():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    x, weight = draw(ROWS, COLUMNS), torch.randint(1, 5, (ROWS,)).double() / 2
    classes = torch.arange(ROWS).remainder(3).double()[torch.randperm(ROWS)][:, None]
    labels, numbers = torch.randint(0, 2, (ROWS, 2)).double(), draw(ROWS, 2) + x[:, :2]
    cases = {
        "cross_entropy": train("cross_entropy", x, classes, weight, 3),
        "binary_cross_entropy": train("binary_cross_entropy", x, labels, weight, 2),
        "mse": train("mse", x, numbers, weight, 2),
        "huber": train("huber", x, numbers, weight, 2),
    }
    table = {"torch": torch.__version__, "rate": RATE, "x": x.tolist(), "weight": weight.tolist(), "cases": cases}
    path = Path(sys.argv[1]) / "losses.json"
    path.write_text(json.dumps(table) + "\n")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
