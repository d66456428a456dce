"""TensorFlow's compiled programs: their optimizations never change a number.

Expected values come from JAX, or from an eager call of the layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import luxport
from luxport import BatchNorm, Chain, Conv, FlattenLayer, LayerNorm, MaxPool, MeanPool, SkipConnection, relu, tree

X, V = np.random.default_rng(0).standard_normal((2, 2, 3, 6, 6), np.float32)


def _add(y: Any, x: Any) -> Any:
    return y + x


NETWORK = Chain(
    *(Conv((3, 3), 3, 6, relu, padding=1), BatchNorm(6, relu)),
    SkipConnection(Chain(Conv((3, 3), 6, 6, padding=1), BatchNorm(6)), _add),
    *(MaxPool((2, 2), padding=1), Conv((3, 3), 6, 4), MeanPool((2, 2)), FlattenLayer(), LayerNorm((4,))),
)


def make_function(model: luxport.Layer, backend: str) -> Callable[..., Any]:
    ps, st = luxport.setup(0, model, backend=backend)

    def sum_cubes(x: Any) -> Any:
        y = model(x, ps, st)[0]
        return luxport.namespace(y).sum(y * y * y)

    return sum_cubes


def compute_derivatives(model: luxport.Layer, backend: str) -> dict[str, Any]:
    x, v = luxport.asarray(X, backend=backend), luxport.asarray(V, backend=backend)
    f = make_function(model, backend)
    gradient = luxport.jit(luxport.grad(f))
    found = {"gradient": gradient(x), "forward over gradient": luxport.jvp(gradient, (x,), (v,))[1]}
    if not isinstance(model, Chain):  # these two are enough for a whole network
        found["forward"] = luxport.jvp(luxport.jit(f), (x,), (v,))[1]
        found["gradient of gradient"] = luxport.grad(lambda x: luxport.namespace(x).sum(gradient(x) * v))(x)
    return found


@pytest.mark.parametrize("model", [NETWORK, BatchNorm(3), MaxPool((2, 2))], ids=lambda model: type(model).__name__)
def test_derivatives_of_programs_equal_jax(model: luxport.Layer) -> None:
    ours, theirs = (compute_derivatives(model, backend) for backend in ("tf", "jax"))
    for name, value in theirs.items():
        value = np.asarray(value)
        np.testing.assert_allclose(np.asarray(ours[name]), value, 2e-4, 2e-4 * np.abs(value).max(), err_msg=name)


def test_a_compiled_jacobian_equals_forward_mode() -> None:
    f, x = make_function(BatchNorm(3), "tf"), tf.constant(X)
    compiled = luxport.jit(luxport.jacobian(luxport.grad(f)))(x)
    np.testing.assert_allclose(
        tf.tensordot(compiled, tf.constant(V), 4), luxport.jvp(luxport.grad(f), (x,), (V,))[1], 1e-3, 1e-3
    )


@pytest.mark.parametrize("model", [BatchNorm(3), LayerNorm((3, 6, 6)), MaxPool((2, 2), padding=1)], ids=repr)
def test_unusual_numbers_give_the_results_of_an_eager_call(model: luxport.Layer) -> None:
    ps, st = luxport.setup(0, model, backend="tf")
    compiled = luxport.jit(lambda x: model(x, ps, st))
    holes = X.copy()
    holes[0, 0, 0, 0], holes[1] = np.nan, -np.inf
    for given in (X, X * np.float32(1e30), X * np.float32(1e-30), holes, X):
        x = tf.constant(given)
        for mine, eager in zip(tree.leaves(compiled(x)), tree.leaves(model(x, ps, st)), strict=True):
            if hasattr(mine, "shape"):
                np.testing.assert_allclose(np.asarray(mine), np.asarray(eager), rtol=1e-5, atol=1e-6)


def test_a_users_tape_inside_a_program_watches_its_tensors() -> None:
    conv, pool = Conv((3, 3), 3, 6, relu), MaxPool((2, 2))
    ps, st = luxport.setup(0, conv, backend="tf")

    def steepness(factor: Any) -> Any:
        h, _ = conv(tf.constant(X), tree.map(lambda p: p * factor, ps), st)
        with tf.GradientTape() as tape:
            tape.watch(h)
            y = tf.reduce_sum(pool(h, {}, {})[0] ** 2)
        return tf.reduce_sum(tape.gradient(y, h) ** 2)

    one = tf.constant(1.0)
    assert float(luxport.jit(luxport.grad(steepness))(one)) == pytest.approx(float(luxport.grad(steepness)(one)))


def test_a_side_effect_runs_once() -> None:
    pool, seen = MaxPool((2, 2)), []

    def record_and_pool(x: Any) -> Any:
        tf.py_function(lambda: seen.append(1), [], [])
        return pool(x, {}, {})[0]

    luxport.jit(record_and_pool)(tf.constant(np.full_like(X, -np.inf)))
    assert seen == [1]


def test_transpositions_between_layers_cancel() -> None:
    layers = Chain(Conv((3, 3), 3, 6, relu), MaxPool((2, 2)), Conv((2, 2), 6, 4))
    ps, st = luxport.setup(0, layers, backend="tf")

    def loss(ps: Any, x: Any) -> Any:
        return tf.reduce_sum(layers(x, ps, st)[0] ** 2)

    def count_transpositions(f: Callable[..., Any]) -> int:
        five = tf.zeros((5, *X.shape[1:]))
        graph = tf.function(f, autograph=False).get_concrete_function(ps, five).graph
        images = [op for op in graph.get_operations() if op.type == "Transpose" and op.inputs[0].shape[0] == 5]
        used = [op for op in images if op.outputs[0].consumers()]
        return len(used)

    # One to channels-last before the first layer, one back after the last, and one for the gradient.
    assert count_transpositions(luxport.grad(loss)) == 3


def test_errors_are_raised_despite_unknown_sizes() -> None:
    halves = tf.function(luxport.glu, input_signature=[tf.TensorSpec((None, 3))], autograph=False)
    with pytest.raises(ValueError, match="an even size along axis -1"):
        halves(tf.ones((2, 3)))
    turned = tf.function(
        lambda x: luxport.ops.imrotate(x, angle=30.0), input_signature=[tf.TensorSpec((None,) * 4)], autograph=False
    )
    with pytest.raises(luxport.LayerError, match="expects sizes that are known during compilation"):
        turned(tf.ones((1, 1, 5, 5)))
