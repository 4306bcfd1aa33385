"""scikit-learn: `MLPClassifier.partial_fit` over all batches, with its checks of settings and data turned off.

A call per batch would be slower: preparation takes longer than training. With two classes scikit-learn has one output
with a logistic loss, slightly less work than the other peers.
"""

import numpy
import sklearn
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

import timing

settings = timing.arguments("adam")
x, y = timing.batches(settings)
x, y = x.reshape(-1, settings.layers[0]), y.reshape(-1)
model = MLPClassifier(
    hidden_layer_sizes=settings.layers[1:-1],
    solver="adam",
    alpha=0,
    batch_size=settings.batch_size,
    learning_rate_init=1e-3,
    shuffle=False,
    random_state=0,
)
classes = numpy.arange(settings.layers[-1])


def pass_over_all(_):
    model.partial_fit(x, y, classes=classes)
    return model.loss_


with threadpool_limits(settings.threads), sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
    timing.measure(settings, pass_over_all, steps=timing.BATCHES)
