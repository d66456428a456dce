"""The training steps as one writes them in TensorFlow: variables, a tape and Adam inside one `tf.function`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

import luxport
from benchmarks.models import CASES, by_name

__all__ = ["COMPILED", "FORWARDS", "ready", "step"]

COMPILED = True


def ready(values: Any) -> None:
    """Wait for nothing: on the CPU a graph has run when the call returns."""


def dense(x: Any, weight: Any, bias: Any) -> Any:
    return tf.matmul(x, weight) + bias


def batch_norm(x: Any, scale: Any, bias: Any, running_mean: Any, running_var: Any) -> Any:
    mean, var = tf.nn.moments(x, axes=[0])
    n = float(x.shape[0])
    running_mean.assign(0.9 * running_mean + 0.1 * mean)
    running_var.assign(0.9 * running_var + 0.1 * var * (n / (n - 1.0)))
    return tf.nn.batch_normalization(x, mean, var, bias, scale, 1e-5)


def quick_start(ps: Any, st: Any, x: Any) -> Any:
    x = batch_norm(x, *ps[0:2], *st[0:2])
    x = tf.tanh(dense(x, *ps[2:4]))
    x = batch_norm(x, *ps[4:6], *st[2:4])
    x = tf.tanh(dense(x, *ps[6:8]))
    return dense(x, *ps[8:10])


def mlp(ps: Any, st: Any, x: Any) -> Any:
    for i in range(0, len(ps) - 2, 2):
        x = tf.nn.relu(dense(x, *ps[i : i + 2]))
    return dense(x, *ps[-2:])


def deep(ps: Any, st: Any, x: Any) -> Any:
    return tf.nn.relu(mlp(ps, st, x))


def mean_squared_error(y: Any, target: Any) -> Any:
    return tf.reduce_mean(tf.math.squared_difference(y, target))


def cross_entropy(y: Any, target: Any) -> Any:
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, y))


FORWARDS = {"W1": mlp, "W2": mlp, "W3": quick_start, "W8": deep}


def step(case: str) -> Callable[[], Any]:
    """Return a function that takes one step."""
    model, objective, x, target = CASES[case]
    forward = FORWARDS[case[:2]]
    loss = mean_squared_error if isinstance(objective, luxport.losses.MSELoss) else cross_entropy
    ps, st = luxport.setup(0, model, backend="tf")
    ps, st = ([tf.Variable(leaf) for leaf in by_name(values)] for values in (ps, st))
    ms, vs = ([tf.Variable(tf.zeros_like(p)) for p in ps] for _ in range(2))
    t: Any = tf.Variable(tf.zeros(()))
    x, target = tf.constant(x), tf.constant(target)

    @tf.function
    def program(x: Any, target: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(forward(ps, st, x), target)
        t.assign_add(1.0)
        c1, c2 = 1.0 - 0.9**t, 1.0 - 0.999**t
        grads: Any = tape.gradient(value, ps)
        for p, g, m, v in zip(ps, grads, ms, vs, strict=True):
            m.assign(0.9 * m + 0.1 * g)
            v.assign(0.999 * v + 0.001 * g * g)
            p.assign_sub(0.0001 * (m / c1) / (tf.sqrt(v / c2) + 1e-8))
        return value

    return lambda: program(x, target)
