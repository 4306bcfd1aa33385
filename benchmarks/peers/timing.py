"""What every peer in Python shares: its arguments, its batches, the clock and the line that it prints.

A step is timed from its start to the point where its result is there. All steps of the window count, and the median of
their times is what is told: the same as `klubok bench` does.
"""

import argparse
import json
import os
import time

import numpy

BATCHES = 16
WARM_UP = 5


def arguments(*modes):
    """The command line: network, batch, threads and window; `modes` are what the peer can do, the first by default."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", required=True, type=lambda text: [int(size) for size in text.split("-")])
    parser.add_argument("--batch-size", required=True, type=int)
    parser.add_argument("--threads", required=True, type=int)
    parser.add_argument("--seconds", required=True, type=float)
    parser.add_argument("--mode", choices=modes, default=modes[0])
    return parser.parse_args()


def keep_to(threads):
    """Leaves this process as many processors as it may have threads: for libraries that size their pool by that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def batches(settings):
    """Batches of numbers of mean 0 and variance 1, `[BATCHES, batch, features]` in f32, and their random classes."""
    random = numpy.random.default_rng(0)
    shape = (BATCHES, settings.batch_size)
    x = random.standard_normal((*shape, settings.layers[0]), dtype=numpy.float32)
    return x, random.integers(0, settings.layers[-1], shape)


def start(layers):
    """Weights `[inputs, outputs]` as He drew them, and biases of 0."""
    random = numpy.random.default_rng(1)
    parameters = []
    for inputs, outputs in zip(layers, layers[1:]):
        w = random.standard_normal((inputs, outputs), dtype=numpy.float32) * numpy.float32((2 / inputs) ** 0.5)
        parameters.append((w, numpy.zeros(outputs, numpy.float32)))
    return parameters


def even_chances(logits):
    """Mean cross-entropy of even chances for every class against these answers: what a measured prediction tells as loss."""
    logits = numpy.asarray(logits, numpy.float64)
    most = logits.max(axis=1)
    return (most + numpy.log(numpy.exp(logits - most[:, None]).sum(axis=1)) - logits.mean(axis=1)).mean()


def measure(settings, step, steps=1, loss_of=float):
    """Calls `step(index)`, which returns once the step is done, until the window is full; prints what was measured.

    The loss is made of the last step's result. A peer that only does many `steps` a call is measured by their mean time.
    """
    for index in range(0, WARM_UP, steps):
        step(index)
    times = []
    begun = time.perf_counter()
    while not times or time.perf_counter() - begun < settings.seconds:
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
