"""A short script that trains on MNIST from IDX files and measures test accuracy: 784-512-512-10, Adam, batches of 128.

The learning rate warms up to 0.001 over a twentieth of the steps and decays to 0 by a cosine, as by klubok's default;
scikit-learn has no such schedule and keeps the rate constant. All pictures are in memory from the start and shuffled in
every epoch; an incomplete last batch is dropped. Prints the accuracy on the test set.
"""

import argparse
import gzip
import json
import pathlib

import numpy

LAYERS, BATCH, RATE = [784, 512, 512, 10], 128, 1e-3

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True, type=pathlib.Path)
parser.add_argument("--epochs", required=True, type=int)
parser.add_argument("--threads", required=True, type=int)
parser.add_argument("--mode", required=True, choices=["eager", "compiled", "eager-bf16", "compiled-bf16", "jit", "adam"])
settings = parser.parse_args()


def idx(name, skip):
    """Reads an IDX file, compressed or not, and returns its bytes after the header."""
    packed = settings.data / f"{name}.gz"
    data = gzip.decompress(packed.read_bytes()) if packed.exists() else (settings.data / name).read_bytes()
    return numpy.frombuffer(data, numpy.uint8, offset=skip)


def part(name):
    pixels = idx(f"{name}-images-idx3-ubyte", 16).reshape(-1, LAYERS[0])
    return (pixels / numpy.float32(255) - numpy.float32(0.1307)) / numpy.float32(0.3081), idx(f"{name}-labels-idx1-ubyte", 8)


def rates(samples):
    """The learning rate of every step."""
    steps = numpy.arange(settings.epochs * (samples // BATCH), dtype=numpy.float32)
    warm = len(steps) / 20
    falling = (1 + numpy.cos(numpy.pi * numpy.clip((steps - warm) / (len(steps) - warm), 0, 1))) / 2
    return RATE * numpy.minimum((steps + 1) / warm, 1) * falling


def with_torch(x, y, test):
    import contextlib

    import torch
    from torch import nn

    torch.set_num_threads(settings.threads)
    torch.manual_seed(0)
    layers = []
    for inputs, outputs in zip(LAYERS, LAYERS[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    precision = contextlib.nullcontext
    if settings.mode.endswith("bf16"):
        precision = lambda: torch.autocast("cpu", dtype=torch.bfloat16)

    def forward(x, y):
        with precision():
            return nn.functional.cross_entropy(model(x), y)

    if settings.mode.startswith("compiled"):
        forward = torch.compile(forward)
    x, y, test = torch.from_numpy(x), torch.from_numpy(y.astype("int64")), torch.from_numpy(test)
    rate = iter(rates(len(x)))
    for _ in range(settings.epochs):
        for rows in torch.randperm(len(x))[: len(x) // BATCH * BATCH].view(-1, BATCH):
            optimizer.param_groups[0]["lr"] = float(next(rate))
            optimizer.zero_grad(set_to_none=True)
            forward(x[rows], y[rows]).backward()
            optimizer.step()
    with torch.inference_mode():
        return model(test).argmax(1).numpy()


def with_jax(x, y, test):
    import timing

    timing.keep_to(settings.threads)
    import jax
    from jax import numpy as jnp

    def answers(parameters, x):
        *hidden, (w, b) = parameters
        for v, c in hidden:
            x = jax.nn.relu(x @ v + c)
        return x @ w + b

    def loss_of(parameters, x, y):
        return -jnp.take_along_axis(jax.nn.log_softmax(answers(parameters, x)), y[:, None], axis=1).mean()

    def step(state, batch):
        (count, w, m, s), (rows, rate) = state, batch
        count = count + 1
        g = jax.grad(loss_of)(w, x[rows], y[rows])
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        s = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, s, g)
        rate, root = rate / (1 - 0.9**count), (1 - 0.999**count) ** -0.5
        w = jax.tree.map(lambda w, m, s: w - rate * m / (root * jnp.sqrt(s) + 1e-8), w, m, s)
        return (count, w, m, s), None

    epoch = jax.jit(lambda state, batches: jax.lax.scan(step, state, batches)[0], donate_argnums=0)
    x, y = jax.device_put(x), jax.device_put(y.astype("int32"))
    start = jax.device_put(timing.start(LAYERS))
    state = (jnp.zeros(()), start, *(jax.tree.map(jnp.zeros_like, start) for _ in range(2)))
    random = numpy.random.default_rng(0)
    for rate in rates(len(x)).reshape(settings.epochs, -1):
        rows = random.permutation(len(x))[: len(x) // BATCH * BATCH].reshape(-1, BATCH)
        state = epoch(state, (rows, rate))
    return numpy.asarray(answers(state[1], test).argmax(axis=1))


def with_sklearn(x, y, test):
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    with threadpool_limits(settings.threads):
        model = MLPClassifier(LAYERS[1:-1], alpha=0, batch_size=BATCH, learning_rate_init=RATE, random_state=0)
        for _ in range(settings.epochs):
            model.partial_fit(x, y, classes=numpy.arange(10))
        return model.predict(test)


train = {"jit": with_jax, "adam": with_sklearn}.get(settings.mode, with_torch)
test, truth = part("t10k")
print(json.dumps({"accuracy": float((train(*part("train"), test) == truth).mean())}))
