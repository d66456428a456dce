"""TensorFlow's programs: what they leave out for speed is never seen in a number.

Expected values are those of JAX, or of the layer called eagerly.
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


def of(model: luxport.Layer, backend: str) -> Callable[..., Any]:
    ps, st = luxport.setup(0, model, backend=backend)

    def cubed(x: Any) -> Any:
        y = model(x, ps, st)[0]
        return luxport.namespace(y).sum(y * y * y)

    return cubed


def derivatives(model: luxport.Layer, backend: str) -> dict[str, Any]:
    x, v = luxport.asarray(X, backend=backend), luxport.asarray(V, backend=backend)
    f = of(model, backend)
    gradient = luxport.jit(luxport.grad(f))
    found = {"gradient": gradient(x), "forward over gradient": luxport.jvp(gradient, (x,), (v,))[1]}
    if not isinstance(model, Chain):  # of which these two say enough
        found["forward"] = luxport.jvp(luxport.jit(f), (x,), (v,))[1]
        found["gradient of gradient"] = luxport.grad(lambda x: luxport.namespace(x).sum(gradient(x) * v))(x)
    return found


@pytest.mark.parametrize("model", [NETWORK, BatchNorm(3), MaxPool((2, 2))], ids=lambda model: type(model).__name__)
def test_derivatives_around_programs_are_those_of_jax(model: luxport.Layer) -> None:
    ours, theirs = (derivatives(model, backend) for backend in ("tf", "jax"))
    for name, value in theirs.items():
        value = np.asarray(value)
        np.testing.assert_allclose(np.asarray(ours[name]), value, 2e-4, 2e-4 * np.abs(value).max(), err_msg=name)


def test_rows_of_a_jacobian_are_made_side_by_side() -> None:
    f, x = of(BatchNorm(3), "tf"), tf.constant(X)
    compiled = luxport.jit(luxport.jacobian(luxport.grad(f)))(x)
    np.testing.assert_allclose(
        tf.tensordot(compiled, tf.constant(V), 4), luxport.jvp(luxport.grad(f), (x,), (V,))[1], 1e-3, 1e-3
    )


@pytest.mark.parametrize("model", [BatchNorm(3), LayerNorm((3, 6, 6)), MaxPool((2, 2), padding=1)], ids=repr)
def test_unusual_numbers_are_met_by_the_definition(model: luxport.Layer) -> None:
    ps, st = luxport.setup(0, model, backend="tf")
    compiled = luxport.jit(lambda x: model(x, ps, st))
    holes = X.copy()
    holes[0, 0, 0, 0], holes[1] = np.nan, -np.inf
    for given in (X, X * np.float32(1e30), X * np.float32(1e-30), holes, X):
        x = tf.constant(given)
        for mine, eager in zip(tree.leaves(compiled(x)), tree.leaves(model(x, ps, st)), strict=True):
            if hasattr(mine, "shape"):
                np.testing.assert_allclose(np.asarray(mine), np.asarray(eager), rtol=1e-5, atol=1e-6)


def test_somebody_elses_tape_inside_sees_what_it_watches() -> None:
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


def test_what_has_effects_runs_once() -> None:
    pool, seen = MaxPool((2, 2)), []

    def told(x: Any) -> Any:
        tf.py_function(lambda: seen.append(1), [], [])
        return pool(x, {}, {})[0]

    luxport.jit(told)(tf.constant(np.full_like(X, -np.inf)))
    assert seen == [1]


def test_moves_of_channels_cancel() -> None:
    layers = Chain(Conv((3, 3), 3, 6, relu), MaxPool((2, 2)), Conv((2, 2), 6, 4))
    ps, st = luxport.setup(0, layers, backend="tf")

    def loss(ps: Any, x: Any) -> Any:
        return tf.reduce_sum(layers(x, ps, st)[0] ** 2)

    def moves(f: Callable[..., Any]) -> int:
        five = tf.zeros((5, *X.shape[1:]))
        graph = tf.function(f, autograph=False).get_concrete_function(ps, five).graph
        images = [op for op in graph.get_operations() if op.type == "Transpose" and op.inputs[0].shape[0] == 5]
        used = [op for op in images if op.outputs[0].consumers()]
        return len(used)

    # To the back before the first layer, to the front behind the last, and back for the gradient.
    assert moves(luxport.grad(loss)) == 3


def test_what_is_wrong_beside_a_size_that_is_learned_late_is_said() -> None:
    halves = tf.function(luxport.glu, input_signature=[tf.TensorSpec((None, 3))], autograph=False)
    with pytest.raises(ValueError, match="an even size along axis -1"):
        halves(tf.ones((2, 3)))
    turned = tf.function(
        lambda x: luxport.ops.imrotate(x, angle=30.0), input_signature=[tf.TensorSpec((None,) * 4)], autograph=False
    )
    with pytest.raises(luxport.LayerError, match="expects sizes that are known where a program is compiled"):
        turned(tf.ones((1, 1, 5, 5)))
