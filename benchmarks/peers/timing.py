"""Shared by all Python peers: arguments, batches, timing and the printed result.

A step is timed from its start until its result is available. The result is the median time of all steps in the window,
as in `klubok bench`.
"""

import argparse
import json
import os
import time

import numpy

BATCHES = 16
WARM_UP = 5


def arguments(*modes):
    """Parses the command line: network, batch, threads, window and one of the peer's `modes`, the first by default."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", required=True, type=lambda text: [int(size) for size in text.split("-")])
    parser.add_argument("--batch-size", required=True, type=int)
    parser.add_argument("--threads", required=True, type=int)
    parser.add_argument("--seconds", required=True, type=float)
    parser.add_argument("--mode", choices=modes, default=modes[0])
    return parser.parse_args()


def keep_to(threads):
    """Limits the process to `threads` processors, for libraries that size their thread pool by processors."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def batches(settings):
    """Returns random inputs of mean 0 and variance 1, `[BATCHES, batch, features]` in f32, and random classes."""
    random = numpy.random.default_rng(0)
    shape = (BATCHES, settings.batch_size)
    x = random.standard_normal((*shape, settings.layers[0]), dtype=numpy.float32)
    return x, random.integers(0, settings.layers[-1], shape)


def start(layers):
    """Returns weights `[inputs, outputs]` with He initialisation, and biases of 0."""
    random = numpy.random.default_rng(1)
    parameters = []
    for inputs, outputs in zip(layers, layers[1:]):
        w = random.standard_normal((inputs, outputs), dtype=numpy.float32) * numpy.float32((2 / inputs) ** 0.5)
        parameters.append((w, numpy.zeros(outputs, numpy.float32)))
    return parameters


def uniform_loss(logits):
    """Returns the mean cross-entropy of a uniform target against these logits: the loss of a timed prediction."""
    logits = numpy.asarray(logits, numpy.float64)
    largest = logits.max(axis=1)
    return (largest + numpy.log(numpy.exp(logits - largest[:, None]).sum(axis=1)) - logits.mean(axis=1)).mean()


def measure(settings, step, steps=1, loss_of=float):
    """Calls `step(index)`, which returns once the step is done, until the window is full; prints the timing.

    `loss_of` turns the last result into a loss. For a peer that does `steps` steps a call, the time is their mean.
    """
    for index in range(0, WARM_UP, steps):
        step(index)
    times = []
    begin = time.perf_counter()
    while not times or time.perf_counter() - begin < settings.seconds:
        started = time.perf_counter()
        result = step((WARM_UP + len(times)) % BATCHES)
        times.append((time.perf_counter() - started) / steps)
    median = sorted(times)[len(times) // 2]
    measured = {
        "samples_per_second": settings.batch_size / median,
        "ms_per_step": 1000 * median,
        "steps": steps * len(times),
        "loss": float(loss_of(result)),
    }
    print(json.dumps(measured))
