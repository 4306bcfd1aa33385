"""Computes losses, gradients and updates with PyTorch in float64, for `tests/it/golden.rs`.

    python make_golden.py FOLDER        (or `cargo xtask golden`, which installs PyTorch for it)

Writes `losses.safetensors` and `updates.safetensors`. Tensors have the names of klubok's model files
(`hidden1.weight [out, in]`, ...). The metadata of each file holds the versions of PyTorch and NumPy.

Inputs, targets and sample weights are exact in float32, because klubok stores rows in single precision.
So both sides compute from the same numbers, and the comparison is one of the arithmetic in double
precision.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.01),
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "selu": nn.SELU,
    "mish": nn.Mish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
}
LOSSES = ["cross_entropy", "cross_entropy_weighted", "binary_cross_entropy", "mean_squared", "huber"]


def draw(*shape, scale=1.0, shift=0.0):
    """Normal numbers in float64 that are exact in float32."""
    return (torch.randn(*shape) * scale + shift).float().double()


class Network(nn.Module):
    """Hidden layers (linear, optional batch normalisation, activation) and a linear output layer."""

    def __init__(self, widths, activation, norm):
        super().__init__()
        for i, (inputs, units) in enumerate(zip(widths[:-2], widths[1:-1]), start=1):
            layer = nn.Linear(inputs, units, bias=not norm)
            if norm:
                layer.norm = nn.BatchNorm1d(units)
            setattr(self, f"hidden{i}", layer)
        self.output = nn.Linear(widths[-2], widths[-1])
        self.depth = len(widths) - 2
        self.activation = ACTIVATIONS[activation]()
        with torch.no_grad():
            for name, p in self.named_parameters():
                p.copy_(draw(*p.shape, scale=0.5, shift=1.0 if name.endswith("norm.weight") else 0.0))

    def forward(self, x):
        for i in range(1, self.depth + 1):
            layer = getattr(self, f"hidden{i}")
            x = layer(x)
            if hasattr(layer, "norm"):
                x = layer.norm(x)
            x = self.activation(x)
        return self.output(x)

    def tensors(self, prefix):
        """Copies of parameters and running statistics."""
        return {
            prefix + name: t.detach().clone()
            for name, t in self.state_dict().items()
            if not name.endswith("num_batches_tracked")
        }


def loss_of(kind, z, data):
    """Loss of one batch: the mean over its samples, weighted by the sample weights."""
    weights = data["sample_weights"]
    if kind == "cross_entropy":
        each, weights = F.cross_entropy(z, data["classes"].long(), reduction="none"), torch.ones(len(z))
    elif kind == "cross_entropy_weighted":
        # PyTorch's own `weight` weights the smoothed part of the loss by other classes than the
        # sample's. In klubok the class weight is a factor of the whole loss of a sample.
        classes = data["classes"].long()
        each = F.cross_entropy(z, classes, reduction="none", label_smoothing=0.1)
        weights = weights * data["class_weights"][classes]
    elif kind == "binary_cross_entropy":
        each = F.binary_cross_entropy_with_logits(z, data["labels"], reduction="none").mean(dim=1)
    elif kind == "mean_squared":
        each, weights = F.mse_loss(z, data["numbers"], reduction="none").mean(dim=1), torch.ones(len(z))
    else:
        assert kind == "huber"
        each = F.huber_loss(z, data["numbers"], reduction="none", delta=1.0).mean(dim=1)
    return (each * weights).sum() / weights.sum()


def losses():
    """Losses and gradients: each activation with each loss, with and without batch normalisation."""
    batch, widths = 7, [5, 6, 4, 3]
    data = {
        "x": draw(batch, widths[0]),
        "classes": torch.tensor([0, 2, 1, 1, 0, 2, 0], dtype=torch.uint32),
        "labels": torch.randint(0, 2, (batch, widths[-1])).double(),
        # A scale at which both branches of Huber's loss occur.
        "numbers": draw(batch, widths[-1], scale=2.0),
        "class_weights": torch.tensor([0.5, 1.7, 1.1]),
        "sample_weights": torch.tensor([1.0, 0.25, 2.0, 0.75, 1.0, 1.875, 0.125]),
    }
    tensors = {f"data/{name}": t for name, t in data.items()}
    for norm in ["plain", "norm"]:
        start = Network(widths, "identity", norm == "norm")
        tensors |= start.tensors(f"{norm}/")
        for activation in ACTIVATIONS:
            network = Network(widths, activation, norm == "norm")
            network.load_state_dict(start.state_dict())
            for kind in LOSSES:
                network.zero_grad()
                loss = loss_of(kind, network(data["x"]), data)
                loss.backward()
                case = f"{norm}/{activation}/{kind}"
                tensors[f"{case}/loss"] = loss.detach()
                for name, p in network.named_parameters():
                    tensors[f"{case}/d_{name}"] = p.grad.clone()
    return tensors


def sgd(groups, lr, momentum=0.0, nesterov=False):
    return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov)


def rmsprop(groups, lr, momentum=0.0):
    return torch.optim.RMSprop(groups, lr=lr, alpha=0.99, eps=1e-8, momentum=momentum)


def adam(groups, lr):
    return torch.optim.Adam(groups, lr=lr, betas=(0.9, 0.999), eps=1e-8)


def adamw(groups, lr):
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.999), eps=1e-8)


# Each rule with its settings and learning rate. `decay` is PyTorch's weight_decay: decoupled for AdamW,
# an L2 penalty for all others. It acts on weight matrices only. `clip` limits the norm of the gradient
# with penalties.
RULES = {
    "sgd": dict(rule=sgd, lr=0.1),
    "momentum": dict(rule=sgd, momentum=0.9, lr=0.05),
    "nesterov": dict(rule=sgd, momentum=0.9, nesterov=True, lr=0.05),
    "rmsprop": dict(rule=rmsprop, lr=0.01),
    "rmsprop_momentum": dict(rule=rmsprop, momentum=0.9, lr=0.003),
    "adam": dict(rule=adam, lr=0.01),
    "adamw": dict(rule=adamw, lr=0.01, decay=0.1),
    "momentum_l1_l2": dict(rule=sgd, momentum=0.9, lr=0.05, l1=0.003, decay=0.02),
    "adam_l2": dict(rule=adam, lr=0.01, decay=0.02),
    "momentum_clipped": dict(rule=sgd, momentum=0.9, lr=0.05, clip=0.25),
    "adam_l2_clipped": dict(rule=adam, lr=0.01, decay=0.02, clip=0.25),
}


def ten_steps(network, x, classes, batches, rule, lr, l1=0.0, decay=0.0, clip=None, **settings):
    """Trains; returns the losses and all tensors after steps 1, 2 and 10."""
    weights = [p for p in network.parameters() if p.dim() == 2]
    others = [p for p in network.parameters() if p.dim() == 1]
    # Clipping counts the penalties in the norm, so with clipping L2 must be part of the loss.
    l2 = decay if clip else 0.0
    groups = [
        {"params": weights, "weight_decay": decay - l2},
        {"params": others, "weight_decay": 0.0},
    ]
    optimizer = rule(groups, lr, **settings)
    losses, tensors = [], {}
    for step, rows in enumerate(batches, start=1):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(x[rows]), classes[rows])
        losses.append(loss.detach())
        for w in weights:
            loss = loss + l1 * w.abs().sum() + l2 / 2 * (w**2).sum()
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(weights + others, clip)
        optimizer.step()
        if step in (1, 2, 10):
            tensors |= network.tensors(f"step{step}/")
    return tensors | {"losses": torch.stack(losses)}


def updates():
    """Ten steps of each update rule on a network with batch normalisation."""
    rows, batch, widths = 40, 16, [5, 8, 6, 3]
    x = draw(rows, widths[0])
    classes = torch.randint(0, widths[-1], (rows,))
    batches = torch.stack([torch.randperm(rows)[:batch] for _ in range(10)])
    start = Network(widths, "relu", norm=True)
    tensors = {
        "data/x": x,
        "data/classes": classes.to(torch.uint32),
        "data/batches": batches.to(torch.uint32),
    } | start.tensors("start/")
    for name, settings in RULES.items():
        network = Network(widths, "relu", norm=True)
        network.load_state_dict(start.state_dict())
        after = ten_steps(network, x, classes, batches, **settings)
        tensors |= {f"{name}/{key}": t for key, t in after.items()}
    return tensors


def main():
    folder = Path(sys.argv[1])
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    # One key only: the order of several keys would differ between runs.
    versions = {"made_with": f"torch {torch.__version__}, numpy {np.__version__}"}
    for name, tensors in [("losses", losses()), ("updates", updates())]:
        path = folder / f"{name}.safetensors"
        save_file(tensors, path, metadata=versions)
        path.chmod(0o644)
        print(f"{path}: {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
