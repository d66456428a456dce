"""`Dense` and `Scale`: values, initial parameters, dtypes, gradients and errors."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import numpy as np
import pytest

import luxport as lp
from luxport.backend import dtype_name


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def set_up(model, backend, x, dtype="float64"):
    ps, st = lp.setup(1, model, backend=backend, dtype=dtype)
    return backend.asarray(np.asarray(x), dtype=dtype), ps, st


class TestDense:
    def test_a_layer_is_built_from_its_weight(self, backend):
        weight, bias = backend.asarray(draw(3, 2)), backend.asarray(draw(2, seed=1))
        x = backend.asarray(draw(4, 3))
        layer, ps = lp.Dense.from_weight(weight, bias, lp.tanh)
        assert layer == lp.Dense(3, 2, lp.tanh)
        np.testing.assert_allclose(
            backend.to_numpy(layer(x, ps, {})[0]), np.tanh(draw(4, 3) @ draw(3, 2) + draw(2, seed=1))
        )
        layer, ps = lp.Dense.from_weight(weight)
        assert layer == lp.Dense(3, 2) and not backend.to_numpy(ps["bias"]).any() and ps["bias"].dtype == weight.dtype
        layer, ps = lp.Dense.from_weight(weight, False)
        assert layer == lp.Dense(3, 2, use_bias=False) and list(ps) == ["weight"]
        with pytest.raises(ValueError, match=r"^Dense expects a bias \(2,\) for its weight \(3, 2\), got \(3,\)$"):
            lp.Dense.from_weight(np.ones((3, 2)), np.ones(3))
        with pytest.raises(ValueError, match=r"^Dense expects a weight \(in_dims, out_dims\), got \(3,\)$"):
            lp.Dense.from_weight(np.ones(3))

    def test_initial_values_are_glorot_uniform(self):
        # As in Flux, glorot_uniform is U(-a, a) with a = sqrt(6 / (in + out)), and the bias is zero.
        ps, _ = lp.setup(0, lp.Dense(300, 100), backend="numpy")
        bound = (6 / 400) ** 0.5
        assert ps["weight"].shape == (300, 100)
        assert ps["weight"].dtype == np.float32
        assert np.abs(ps["weight"]).max() == pytest.approx(bound, rel=1e-3)
        assert np.abs(ps["weight"]).max() <= bound
        assert ps["weight"].std() == pytest.approx(bound / 3**0.5, rel=2e-2)
        assert (ps["bias"] == 0).all()

    @pytest.mark.parametrize("dtype", ["complex64", "complex128"])
    def test_complex_dtypes_are_kept(self, backend, dtype):
        model = lp.Dense(3, 2, lp.tanh)
        x, ps, st = set_up(model, backend, draw(4, 3), dtype)
        assert dtype_name(model(x, ps, st)[0]) == dtype

    def test_complex_gradients_equal_finite_differences(self, differentiating):
        model = lp.Dense(3, 2, lp.tanh)
        x, ps, st = set_up(model, differentiating, draw(4, 3) + 1j * draw(4, 3, seed=1), "complex128")
        xp = differentiating.xp

        def loss(ps):
            y, _ = model(x, ps, st)
            return xp.sum(xp.real(y) ** 2 + xp.imag(y) ** 2)

        gradient = differentiating.to_numpy(lp.grad(loss)(ps)["weight"])
        # d loss / d Re(w) is the real part of the gradient in every convention.
        eps = 1e-6
        step = np.zeros((3, 2))
        step[1, 0] = eps
        weight = differentiating.to_numpy(ps["weight"])
        up, down = (differentiating.asarray(weight + s * step, dtype="complex128") for s in (1, -1))
        change = float(loss({**ps, "weight": up}) - loss({**ps, "weight": down})) / (2 * eps)
        assert gradient[1, 0].real == pytest.approx(change, rel=1e-6)

    @pytest.mark.parametrize("shape", [(1,), (11, 3), (3, 2, 11), ()])
    def test_wrong_shapes_are_errors(self, backend, shape):
        x, ps, st = set_up(lp.Dense(10, 5), backend, draw(*shape))
        with pytest.raises(lp.LayerError, match=r"^Dense expects \(\.\.\., 10\), got \("):
            lp.Dense(10, 5)(x, ps, st)

    @pytest.mark.parametrize("sizes", [(10, 10.5), (-1, 3), (True, 3), ("3", 2), (3, lp.tanh)])
    def test_wrong_sizes_are_errors(self, sizes):
        with pytest.raises(ValueError, match="^Dense expects an int of at least 0 as (in|out)_dims, got "):
            lp.Dense(*sizes)


class TestScale:
    @pytest.mark.parametrize(
        ("dims", "shape", "want"),
        [
            ((10,), (10,), (10,)),
            ((10,), (1,), (10,)),
            ((2,), (4, 3, 2), (4, 3, 2)),
            ((3, 2), (4, 3, 2), (4, 3, 2)),
            ((4, 3, 2), (4, 3, 2), (4, 3, 2)),
            ((3, 2), (4, 1, 2), (4, 3, 2)),
            ((3, 2), (2,), (3, 2)),
        ],
    )
    def test_inputs_broadcast_to_the_weights(self, backend, dims, shape, want):
        model = lp.Scale(*dims, lp.tanh, init_weight=lp.initializers.normal, init_bias=lp.initializers.normal)
        x, ps, st = set_up(model, backend, draw(*shape))
        assert tuple(ps["weight"].shape) == tuple(ps["bias"].shape) == dims
        weight, bias = map(backend.to_numpy, (ps["weight"], ps["bias"]))
        y, _ = model(x, ps, st)
        np.testing.assert_allclose(backend.to_numpy(y), np.tanh(draw(*shape) * weight + bias), rtol=1e-12)
        assert tuple(y.shape) == want

    def test_sizes_are_given_separately_or_as_a_tuple(self):
        want = lp.Scale(2, 3, lp.tanh)
        assert lp.Scale((2, 3), lp.tanh) == lp.Scale([2, 3], activation=lp.tanh) == lp.Diagonal(2, 3, lp.tanh) == want
        assert list(lp.setup(0, lp.Scale(2, use_bias=False))[0]) == ["weight"]

    @pytest.mark.parametrize("arguments", [(1.0,), (1.0, 2.0), (), (lp.tanh,), (-2,)])
    def test_wrong_sizes_are_errors(self, arguments):
        with pytest.raises(ValueError, match="^Scale expects "):
            lp.Scale(*arguments)
