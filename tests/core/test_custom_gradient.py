"""`custom_vjp`: the gradient follows the given rule, not the function's own derivative, on every framework."""

# Some calls are wrong on purpose: pyright: reportArgumentType=false, reportCallIssue=false
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import luxport as lp

DIFFERENTIATING = ("jax", "torch", "tf")
X = np.array([0.3, 0.7], np.float32)


def total(x):
    return lp.namespace(x).sum(x)


def sin(x):
    return lp.namespace(x).sin(x)


def cos(x):
    return lp.namespace(x).cos(x)


# The rule is twice the derivative of the sine, which shows whether a framework differentiates the function itself.
twice = lp.custom_vjp(sin, forward=lambda x: (sin(x), cos(x)), backward=lambda kept, ct: (2.0 * kept * ct,))


@pytest.fixture(params=DIFFERENTIATING)
def backend(request):
    return request.param


def make_array(backend, values: Any = X, dtype="float32"):
    return lp.asarray(values, backend=backend, dtype=dtype)


def assert_close(got, want):
    np.testing.assert_allclose(lp.to(got, backend="numpy"), want, rtol=1e-5)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_first_and_second_gradients_follow_the_rule(backend, compiled):
    prepared = lp.jit if compiled else lambda f: f
    first = lp.grad(lambda x: total(twice(x)))
    assert_close(prepared(lambda x: twice(x))(make_array(backend)), np.sin(X))
    assert_close(prepared(first)(make_array(backend)), 2 * np.cos(X))
    assert_close(prepared(lp.grad(lambda x: total(first(x))))(make_array(backend)), -2 * np.sin(X))


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_forward_mode_follows_the_rule(backend, compiled):
    prepared = lp.jit if compiled else lambda f: f
    y, tangent = prepared(lambda x, t: lp.jvp(lambda x: 3.0 * twice(x), (x,), (t,)))(
        make_array(backend), make_array(backend, X + 1)
    )
    assert_close(y, 3 * np.sin(X))
    assert_close(tangent, 6 * np.cos(X) * (X + 1))


def test_arguments_may_be_trees_and_constants(backend):
    def f(ps, n, name):
        return {"a": ps["w"] * n, "b": (ps["v"] ** 2, name)}

    def forward(ps, n, name):
        return f(ps, n, name), {"v": ps["v"], "n": n}

    def backward(kept, ct):
        return {"w": None, "v": 3.0 * kept["v"] * ct["b"][0], "s": lp.Static(1)}, None, None

    custom = lp.custom_vjp(f, forward=forward, backward=backward)
    ps = {"w": make_array(backend), "v": make_array(backend) + 1.0, "s": lp.Static(1)}

    def loss(ps):
        y = custom(ps, 5, "name")
        assert y["b"][1] == "name"
        return total(y["a"]) + total(y["b"][0])

    value, gradient = lp.value_and_grad(loss)(ps)
    assert_close(value, (5 * X + (X + 1) ** 2).sum())
    assert_close(gradient["w"], np.zeros(2))
    assert_close(gradient["v"], 3 * (X + 1))


def test_integers_have_no_gradient(backend):
    def pick(x, i):
        return lp.namespace(x).take(x, i, axis=0)

    custom = lp.custom_vjp(
        pick, forward=lambda x, i: (pick(x, i), (x, i)), backward=lambda kept, ct: (kept[0] * 7.0, None)
    )
    indices = make_array(backend, [1, 1, 0], "int32")
    assert_close(lp.grad(lambda x: total(custom(x, indices)))(make_array(backend)), 7 * X)


def test_complex_gradients_point_downhill_everywhere(backend):
    double = lp.custom_vjp(lambda z: z, forward=lambda z: (z, ()), backward=lambda kept, ct: (2.0 * ct,))
    z = make_array(backend, np.array([1 + 2j], np.complex64), "complex64")

    def loss(f):
        return lambda z: total(lp.namespace(z).abs(f(z)) ** 2)

    plain = lp.to(lp.grad(loss(lambda z: z))(z), backend="numpy")
    assert_close(lp.grad(loss(double))(z), 2 * plain)


def test_the_frameworks_own_transforms_follow_it():
    import jax
    import tensorflow as tf
    import torch

    x = make_array("jax")
    assert_close(jax.jit(jax.grad(lambda x: twice(x).sum()))(x), 2 * np.cos(X))
    assert_close(jax.vmap(jax.grad(twice))(x), 2 * np.cos(X))
    t = torch.tensor(X, requires_grad=True)
    assert_close(torch.autograd.grad(twice(t).sum(), t)[0], 2 * np.cos(X))
    assert not twice(t.detach()).requires_grad
    assert_close(torch.func.vmap(torch.func.grad(twice))(t.detach()), 2 * np.cos(X))
    compiled = torch.compile(lambda x: twice(x).sum(), fullgraph=True, backend="aot_eager")
    assert_close(torch.autograd.grad(compiled(t), t)[0], 2 * np.cos(X))
    variable = tf.Variable(tf.constant(X))
    with tf.GradientTape() as tape:
        y = tf.function(twice, autograph=False)(tf.convert_to_tensor(variable))
    assert_close(tape.gradient(y, variable), 2 * np.cos(X))


@pytest.mark.parametrize("name", ["numpy", "strict"])
def test_without_gradients_the_function_runs(name):
    assert_close(twice(make_array(name)), np.sin(X))
    assert twice.__name__ == "sin"


def test_shapes_are_known_without_values():
    layer = lp.WrappedFunction(twice)
    assert lp.output_shape(lp.Chain(lp.Dense(3, 4), layer), (5, 3)) == (5, 4)


@pytest.mark.parametrize(
    ("forward", "backward", "text"),
    [
        (sin, None, "a pair (value, what backward needs) from forward, got"),
        (None, lambda kept, ct: ct, "a tuple of 1 gradients from backward, got"),
        (None, lambda kept, ct: (ct, ct), "a tuple of 1 gradients from backward, got 2"),
        (None, lambda kept, ct: (1.0,), "arrays as gradients from backward, got float"),
        (
            None,
            lambda kept, ct: (ct[:1],),
            "like the arguments from backward, float32 (2,), got float32 (1,)",
        ),
    ],
)
def test_wrong_rules_are_errors(backend, forward, backward, text):
    custom = lp.custom_vjp(
        sin, forward=forward or (lambda x: (sin(x), ())), backward=backward or (lambda kept, ct: (ct,))
    )
    with pytest.raises(TypeError) as caught:
        lp.grad(lambda x: total(custom(x)))(make_array(backend))
    assert text in str(caught.value) and "\n" not in str(caught.value)
