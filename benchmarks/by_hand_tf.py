"""The training steps as one writes them in TensorFlow: variables, a tape and Adam inside one `tf.function`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

import luxport
from benchmarks.models import CASES, list_by_name, name_by_case

__all__ = ["COMPILED", "FORWARDS", "wait_for", "make_step"]

COMPILED = True


def wait_for(values: Any) -> None:
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


def convolve(x: Any, weight: Any, stride: int = 1, padding: Any = "SAME") -> Any:
    return tf.nn.conv2d(x, weight, stride, padding)


def lenet(ps: Any, st: Any, x: Any) -> Any:
    for weight, bias in (ps[0:2], ps[2:4]):
        x = tf.nn.max_pool2d(tf.nn.relu(tf.nn.bias_add(convolve(x, weight, 1, "VALID"), bias)), 2, 2, "VALID")
    return mlp(ps[4:], st, tf.reshape(x, (x.shape[0], -1)))


def image_norm(x: Any, scale: Any, bias: Any, running_mean: Any, running_var: Any) -> Any:
    y, mean, var = tf.compat.v1.nn.fused_batch_norm(x, scale, bias, epsilon=1e-5, is_training=True)
    running_mean.assign(0.9 * running_mean + 0.1 * mean)
    running_var.assign(0.9 * running_var + 0.1 * var)
    return y


def resnet(ps: Any, st: Any, x: Any) -> Any:
    ps, st = iter(ps), iter(st)

    def norm(x: Any) -> Any:
        return image_norm(x, next(ps), next(ps), next(st), next(st))

    def convolve_padded(x: Any, stride: int) -> Any:
        if stride == 1:
            return convolve(x, next(ps))
        return convolve(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), next(ps), 2, "VALID")

    x = tf.nn.relu(norm(convolve(x, next(ps))))
    for stride in (1, 1, 1, 2, 1, 1, 2, 1, 1):
        y = tf.nn.relu(norm(convolve_padded(x, stride)))
        y = norm(convolve(y, next(ps)))
        x = tf.nn.relu(y + (x if stride == 1 else convolve(x, next(ps), 2, "VALID")))
    return dense(tf.reduce_mean(x, (1, 2)), next(ps), next(ps))


def lstm(ps: Any, st: Any, x: Any) -> Any:
    weight_ih, weight_hh, bias, *last = ps
    inputs = tf.TensorArray(tf.float32, x.shape[1]).unstack(tf.matmul(tf.transpose(x, (1, 0, 2)), weight_ih) + bias)
    zeros = tf.zeros((x.shape[0], weight_hh.shape[0]))

    def step(t: Any, h: Any, c: Any) -> Any:
        i, f, g, o = tf.split(inputs.read(t) + tf.matmul(h, weight_hh), 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return t + 1, tf.sigmoid(o) * tf.tanh(c), c

    _, h, _ = tf.while_loop(lambda t, *_: t < x.shape[1], step, (0, zeros, zeros), maximum_iterations=x.shape[1])
    return dense(h, *last)


def layer_norm(x: Any, scale: Any, bias: Any) -> Any:
    mean, var = tf.nn.moments(x, [-1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, var, bias, scale, 1e-5)


def transformer(ps: Any, st: Any, x: Any) -> Any:
    for i in range(0, len(ps), 12):
        scale, bias, *projections = ps[i : i + 6]
        y = layer_norm(x, scale, bias)
        q, k, v = [
            tf.transpose(tf.reshape(tf.matmul(y, weight), (8, 64, 4, 16)), (0, 2, 1, 3)) for weight in projections[:3]
        ]
        y = tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True) / 4.0), v)
        x = x + tf.matmul(tf.reshape(tf.transpose(y, (0, 2, 1, 3)), x.shape), projections[3])
        scale, bias, *two = ps[i + 6 : i + 12]
        y = tf.nn.gelu(dense(layer_norm(x, scale, bias), *two[:2]), approximate=True)
        x = x + dense(y, *two[2:])
    return x


def mean_squared_error(y: Any, target: Any) -> Any:
    return tf.reduce_mean(tf.math.squared_difference(y, target))


def cross_entropy(y: Any, target: Any) -> Any:
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, y))


FORWARDS = name_by_case(mlp, quick_start, lenet, resnet, lstm, transformer, deep)


def convert_layout(leaf: Any) -> Any:
    """Convert a parameter: channels come last in TensorFlow, and luxport's convolutions flip their kernels."""
    if leaf.shape == (256, 120):  # after a convolution
        return tf.reshape(tf.transpose(tf.reshape(leaf, (16, 4, 4, 120)), (1, 2, 0, 3)), leaf.shape)
    return tf.transpose(leaf[:, :, ::-1, ::-1], (2, 3, 1, 0)) if len(leaf.shape) == 4 else leaf


def make_step(case: str, mean: Callable[[Any], Any] = lambda gradients: gradients) -> Callable[[], Any]:
    """Return a function that takes one step; several processes take a mean."""
    model, objective, x, target = CASES[case]
    forward = FORWARDS[case[:2]]
    loss = mean_squared_error if isinstance(objective, luxport.losses.MSELoss) else cross_entropy
    ps, st = luxport.setup(0, model, backend="tf")
    ps, st = ([tf.Variable(convert_layout(leaf)) for leaf in list_by_name(values)] for values in (ps, st))
    ms, vs = ([tf.Variable(tf.zeros_like(p)) for p in ps] for _ in range(2))
    t: Any = tf.Variable(tf.zeros(()))
    x, target = tf.constant(x.transpose(0, 2, 3, 1) if x.ndim == 4 else x), tf.constant(target)

    @tf.function
    def program(x: Any, target: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(forward(ps, st, x), target)
        t.assign_add(1.0)
        c1, c2 = 1.0 - 0.9**t, 1.0 - 0.999**t
        grads: Any = mean(tape.gradient(value, ps))
        for p, g, m, v in zip(ps, grads, ms, vs, strict=True):
            m.assign(0.9 * m + 0.1 * g)
            v.assign(0.999 * v + 0.001 * g * g)
            p.assign_sub(0.0001 * (m / c1) / (tf.sqrt(v / c2) + 1e-8))
        return value

    return lambda: program(x, target)
