"""JAX: one compiled function per step, with donated parameters and moments.

JAX has no setting for the number of threads: its pool has one for each processor that the process may use.
"""

import timing

settings = timing.arguments("jit")
timing.keep_to(settings.threads)

import jax  # Must follow the line above: JAX creates its thread pool on import.
from jax import numpy as jnp

RATE, KEEP, KEEP_SQUARE, EPSILON = 1e-3, 0.9, 0.999, 1e-8


def loss_of(parameters, x, y):
    *hidden, last = parameters
    for w, b in hidden:
        x = jax.nn.relu(x @ w + b)
    w, b = last
    logits = jax.nn.log_softmax(x @ w + b)
    return -jnp.take_along_axis(logits, y[:, None], axis=1).mean()


def adam(w, g, m, s, count):
    m = KEEP * m + (1 - KEEP) * g
    s = KEEP_SQUARE * s + (1 - KEEP_SQUARE) * g * g
    mean, square = m / (1 - KEEP**count), s / (1 - KEEP_SQUARE**count)
    return w - RATE * mean / (jnp.sqrt(square) + EPSILON), m, s


def train(state, x, y):
    count, *trees = state
    count = count + 1
    loss, gradient = jax.value_and_grad(loss_of)(trees[0], x, y)
    parameters, means, squares = (jax.tree.leaves(tree) for tree in trees)
    shape = jax.tree.structure(trees[0])
    gradients = jax.tree.leaves(gradient)
    moved = [adam(w, g, m, s, count) for w, g, m, s in zip(parameters, gradients, means, squares)]
    return (count, *(jax.tree.unflatten(shape, part) for part in zip(*moved))), loss


train = jax.jit(train, donate_argnums=0)
x, y = timing.batches(settings)
x, y = [jax.device_put(batch) for batch in x], [jax.device_put(batch) for batch in y.astype("int32")]
zeros = lambda: [(jnp.zeros(w.shape), jnp.zeros(b.shape)) for w, b in timing.start(settings.layers)]
state = (jnp.zeros(()), jax.device_put(timing.start(settings.layers)), zeros(), zeros())


def step(index):
    global state
    state, loss = train(state, x[index], y[index])
    jax.block_until_ready(state)
    return loss


timing.measure(settings, step)
