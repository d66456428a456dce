"""`batched_jacobian`, `hessian`, and gradients of expressions that contain derivatives of a layer."""

# Wrong on purpose:
# pyright: reportArgumentType=false
from __future__ import annotations

import numpy as np
import pytest

import luxport as lp
from luxport.backend import get_backend

# The model is tanh(x W + b) V; the expected derivatives are written in NumPy in float64.
MODEL = lp.Chain(lp.Dense(3, 4, lp.tanh), lp.Dense(4, 2, use_bias=False))


@pytest.fixture(params=["jax", "torch", "tf"])
def problem(request, draw, host):
    """A backend, the model's parameters there, an input, and both on the host in float64."""
    backend = get_backend(request.param)
    ps, st = lp.setup(0, MODEL, backend=backend)
    x = draw(backend, 5, 3)
    weight, bias, last = (np.asarray(leaf, "f8") for leaf in lp.tree.leaves(host(ps)))
    return backend, ps, st, x, (np.asarray(host(x), "f8"), weight, bias, last)


def compute_jacobians(x, weight, bias, last):
    slope = 1 - np.tanh(x @ weight + bias) ** 2
    return np.einsum("ik,nk,ko->noi", weight, slope, last)


def test_batched_jacobian_by_reverse_mode(problem):
    backend, ps, st, x, host = problem
    got = lp.batched_jacobian(lambda x: MODEL(x, ps, st)[0])(x)
    assert tuple(got.shape) == (5, 2, 3)
    np.testing.assert_allclose(backend.to_numpy(got), compute_jacobians(*host), rtol=1e-4, atol=1e-5)


def test_batched_jacobian_by_forward_mode(problem):
    backend, ps, st, x, (x64, weight, bias, last) = problem
    xp = backend.xp

    def wide(ps, x):  # more outputs than inputs selects forward mode
        y = MODEL(x, ps, st)[0]
        return xp.stack([y, 2.0 * y], axis=1)

    got = lp.batched_jacobian(wide, 1)(ps, x)
    want = compute_jacobians(x64, weight, bias, last)
    assert tuple(got.shape) == (5, 4, 3)
    np.testing.assert_allclose(backend.to_numpy(got), np.concatenate([want, 2 * want], axis=1), rtol=1e-4, atol=1e-5)


def test_batched_jacobian_of_images(problem):
    backend, _, _, _, _ = problem
    x = lp.asarray(np.arange(8.0).reshape(2, 2, 2), backend=backend, dtype="float32")
    got = backend.to_numpy(lp.batched_jacobian(lambda x: x * x)(x))
    np.testing.assert_array_equal(got, [2 * np.diag(np.arange(4.0)), 2 * np.diag(np.arange(4.0, 8.0))])


def test_a_changed_batch_size_is_an_error(problem):
    _, _, _, x, _ = problem
    with pytest.raises(ValueError, match=r"one batch size in and out, got \(5, 3\) and \(4, 3\)"):
        lp.batched_jacobian(lambda x: x[1:, ...])(x)


def test_gradient_of_a_batched_jacobian(problem):  # lux:test/autodiff/nested_batched_jacobian_tests.jl
    backend, ps, st, x, (x64, weight, bias, last) = problem
    xp = backend.xp

    def loss(ps):
        return xp.sum(lp.batched_jacobian(lambda x: MODEL(x, ps, st)[0])(x) ** 2)

    got = backend.to_numpy(lp.grad(loss)(ps)["layer_2"]["weight"])
    eps = np.zeros_like(last)
    eps[1, 0] = 1e-6
    up, down = (np.sum(compute_jacobians(x64, weight, bias, last + s * eps) ** 2) for s in (1, -1))
    assert got[1, 0] == pytest.approx((up - down) / 2e-6, rel=1e-3)


def test_gradient_of_a_gradient_of_the_input(problem):
    """As in a physics-informed network: the outer gradient is by the parameters, the inner one by the input."""
    backend, ps, st, x, (x64, weight, bias, last) = problem
    xp = backend.xp

    def loss(ps):
        m = lp.StatefulLayer(MODEL, ps, st)
        slope = lp.grad(lambda x: xp.sum(m(x)))(x)
        return xp.mean(slope**2)

    def by_hand(weight):
        return np.mean(compute_jacobians(x64, weight, bias, last).sum(axis=1) ** 2)

    value, gradient = lp.value_and_grad(loss)(ps)
    assert float(value) == pytest.approx(by_hand(weight), rel=1e-4)
    eps = np.zeros_like(weight)
    eps[2, 1] = 1e-6
    slope = (by_hand(weight + eps) - by_hand(weight - eps)) / 2e-6
    assert float(backend.to_numpy(gradient["layer_1"]["weight"])[2, 1]) == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("inner", ["vjp", "jvp", "jacobian"])
def test_gradient_of_other_derivatives(problem, inner):
    backend, ps, st, x, (x64, weight, bias, last) = problem
    xp = backend.xp

    def loss(ps):
        def f(x):
            return MODEL(x, ps, st)[0]

        if inner == "vjp":
            return xp.sum(lp.vjp(f, x)[1](xp.ones_like(f(x)))[0] ** 2)
        if inner == "jvp":
            return xp.sum(lp.jvp(f, (x,), (xp.ones_like(x),))[1] ** 2)
        return xp.sum(lp.jacobian(f)(x) ** 2)

    def by_hand(last):
        full = compute_jacobians(x64, weight, bias, last)
        return np.sum({"vjp": full.sum(axis=1), "jvp": full.sum(axis=2), "jacobian": full}[inner] ** 2)

    eps = np.zeros_like(last)
    eps[3, 1] = 1e-6
    slope = (by_hand(last + eps) - by_hand(last - eps)) / 2e-6
    got = backend.to_numpy(lp.grad(loss)(ps)["layer_2"]["weight"])
    assert got[3, 1] == pytest.approx(slope, rel=1e-3)


def test_hessian(problem):
    backend, ps, st, x, (x64, weight, bias, last) = problem
    xp = backend.xp
    got = lp.hessian(lambda x: xp.sum(MODEL(x, ps, st)[0]))(x[0, ...])
    # d²/dx² of sum_k last_k tanh(z_k) is sum_k last_k (-2 tanh(z_k) (1 - tanh(z_k)²)) w_ik w_jk.
    z = np.tanh(x64[0] @ weight + bias)
    want = np.einsum("k,ik,jk->ij", last.sum(axis=1) * -2 * z * (1 - z**2), weight, weight)
    np.testing.assert_allclose(backend.to_numpy(got), want, rtol=1e-3, atol=1e-5)


def test_hessian_of_a_tree(differentiating):
    x = {name: lp.asarray(values, backend=differentiating) for name, values in (("a", [2.0]), ("b", [3.0]))}
    xp = differentiating.xp
    got = lp.hessian(lambda x: xp.sum(x["a"] ** 2 * x["b"]))(x)
    numbers = {(i, j): float(differentiating.to_numpy(got[i][j])[0, 0]) for i in "ab" for j in "ab"}
    assert numbers == {("a", "a"): 6.0, ("a", "b"): 4.0, ("b", "a"): 4.0, ("b", "b"): 0.0}


def test_third_derivative(differentiating):
    def cube(x):
        return x * x * x

    x = lp.asarray(2.0, backend=differentiating)
    assert float(lp.grad(lp.grad(lp.grad(cube)))(x)) == 6.0


def test_numpy_has_no_gradients():
    with pytest.raises(TypeError, match="numpy differentiates nothing"):
        lp.batched_jacobian(lambda x: x)(np.ones((1, 1)))
