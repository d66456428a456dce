"""`MovingAverage`, `DynamicLossScale`, the global norm: values by hand, on every backend, also compiled."""

from __future__ import annotations

import numpy as np
import pytest
from small_training import make_array, to_host

import luxport as lp
from luxport import optimizers
from luxport.backend import get_backend
from luxport_conformance.backends import hold_dtype

BACKENDS = ("numpy", "strict", "jax", "torch", "tf")


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


class TestGlobalNorm:
    def test_is_the_norm_of_one_vector(self, backend):
        grads = {"a": make_array(backend, [[3.0, 0.0]]), "b": (make_array(backend, [4.0]), None, lp.Static(1)), "n": 5}
        assert float(optimizers.global_norm(grads)) == 5.0
        clipped = lp.jit(optimizers.clip_by_global_norm)(grads, 1.0)
        assert clipped.pop("n") == grads.pop("n")
        np.testing.assert_allclose(to_host(clipped["a"]), [[0.6, 0.0]], rtol=1e-6)
        np.testing.assert_allclose(to_host(clipped["b"][0]), [0.8], rtol=1e-6)
        same = to_host(optimizers.clip_by_global_norm(grads, 5.0))
        np.testing.assert_array_equal(same["a"], [[3.0, 0.0]])

    def test_norms_of_very_large_small_and_no_numbers(self, backend):
        for size in (1e30, 1e-30):
            grads = {"a": make_array(backend, [3 * size]), "b": make_array(backend, [4 * size])}
            np.testing.assert_allclose(float(optimizers.global_norm(grads)), 5 * size, rtol=1e-6)
            clipped = to_host(optimizers.clip_by_global_norm(grads, size))
            np.testing.assert_allclose(clipped["a"], [0.6 * size], rtol=1e-6)
        zeros = {"a": make_array(backend, [0.0, 0.0]), "e": make_array(backend, np.zeros((0, 2)))}
        np.testing.assert_array_equal(to_host(optimizers.clip_by_global_norm(zeros, 1.0))["a"], [0.0, 0.0])

    @pytest.mark.parametrize("bad", [np.inf, np.nan])
    def test_clipping_spreads_infinity_and_nan(self, backend, bad):
        grads = {"a": make_array(backend, [bad]), "b": make_array(backend, [1.0])}
        assert np.isnan(to_host(optimizers.clip_by_global_norm(grads, 1.0))["b"]).all()

    def test_half_precision_is_summed_in_single(self):
        grads = {"a": make_array("torch", np.full(10_000, 100.0), "float16")}
        assert float(optimizers.global_norm(grads)) == 10_000.0
        clipped = optimizers.clip_by_global_norm(grads, 1.0)["a"]
        assert str(clipped.dtype) == "torch.float16" and float(clipped[0]) == pytest.approx(0.01, rel=1e-3)

    def test_clipping_equals_pytorchs(self):
        import torch

        rng = np.random.default_rng(0)
        leaves = [rng.normal(size=n).astype(np.float32) for n in (5, 7)]
        tensors = [torch.zeros(n.size, requires_grad=True) for n in leaves]
        for tensor, leaf in zip(tensors, leaves, strict=True):
            tensor.grad = torch.tensor(leaf)
        torch.nn.utils.clip_grad_norm_(tensors, 0.5)
        for got, tensor in zip(optimizers.clip_by_global_norm(leaves, 0.5), tensors, strict=True):
            assert tensor.grad is not None
            np.testing.assert_allclose(got, tensor.grad.numpy(), rtol=1e-5)

    def test_refusals(self):
        with pytest.raises(ValueError, match="a positive norm, got 0"):
            optimizers.clip_by_global_norm({"a": np.ones(1)}, 0)
        with pytest.raises(ValueError, match="a tree with floating arrays, got none"):
            optimizers.global_norm({"a": np.array(1)})


class TestMovingAverage:
    def test_an_average_is_its_formula(self, backend):
        ema = lp.training.MovingAverage(0.9)
        steps = [
            {"w": make_array(backend, [float(n)]), "n": make_array(backend, [n], "int32"), "s": lp.Static(1)}
            for n in range(30)
        ]
        state, want = ema.setup(steps[0]), 0.0
        update = lp.jit(ema.update)
        for t, ps in enumerate(steps[1:], start=1):
            state = update(state, ps)
            decay = min(0.9, (1 + t) / (10 + t))
            want = decay * want + (1 - decay) * t
        mean = to_host(ema.parameters(state, steps[-1]))
        np.testing.assert_allclose(mean["w"], [want], rtol=1e-6)
        assert mean["n"].tolist() == [29] and mean["s"] == lp.Static(1)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("warm_up", [True, False])
    def test_a_decay_near_one_is_precise(self, backend, dtype, warm_up):
        """The reference is in double precision: 1 - d of a rounded d would be off by 1e-4, or be zero."""
        for decay in (0.9999, 1 - 1e-9):
            ema, want = lp.training.MovingAverage(decay, warm_up=warm_up), 0.0
            with hold_dtype(get_backend(backend), dtype):
                state = ema.setup({"w": make_array(backend, [0.0], dtype)})
                for t in range(1, 4):
                    state = ema.update(state, {"w": make_array(backend, [float(t)], dtype)})
                    share = max(1 - decay, 9 / (10 + t)) if warm_up else 1 - decay
                    want += share * (t - want)
                got = to_host(state["average"])["w"]
            # Averages are in single precision at least, whatever the dtype of the parameters.
            np.testing.assert_allclose(got, [want], rtol=1e-6 if got.dtype == np.float32 else 1e-14)

    def test_half_precision_does_not_stall(self):
        ema = lp.training.MovingAverage(0.999, warm_up=False)
        state = ema.setup({"w": make_array("torch", [0.0], "bfloat16")})
        for _ in range(1000):
            state = ema.update(state, {"w": make_array("torch", [1.0], "bfloat16")})
        assert float(state["average"]["w"][0]) == pytest.approx(1 - 0.999**1000, rel=2e-5)
        assert str(ema.parameters(state, {"w": make_array("torch", [1.0], "bfloat16")})["w"].dtype) == "torch.bfloat16"

    def test_refusals(self):
        with pytest.raises(ValueError, match="decay as a number of at least 0 and below 1, got 1"):
            lp.training.MovingAverage(1.0)
        with pytest.raises(ValueError, match="floating arrays, got none"):
            lp.training.MovingAverage().setup({})

    def test_other_shapes_are_an_error(self, backend):
        ema, old, new = (
            lp.training.MovingAverage(),
            {"w": make_array(backend, [1.0])},
            {"w": make_array(backend, [1.0, 2.0])},
        )
        for call in (ema.update, ema.parameters):
            with pytest.raises(ValueError, match=r"one shape in both trees, got \(2,\) and \(1,\)"):
                call(ema.setup(old), new)


class TestDynamicLossScale:
    @pytest.mark.parametrize("name", ["jax", "torch", "tf"])
    def test_scaling_keeps_a_gradient_that_would_vanish_in_float16(self, name):
        scaling = lp.training.DynamicLossScale(initial=2.0**12)
        ps, small = {"a": make_array(name, [1.0], "float16")}, make_array(name, [2.0**-13], "float16")

        def loss(ps, x):
            return lp.namespace(x).sum(ps["a"] * x * x)

        assert float(to_host(lp.grad(loss)(ps, small))["a"][0]) == 0.0
        state = scaling.setup(ps)

        @lp.jit
        def step(state, ps, x):
            grads = lp.grad(lambda ps: scaling.scale(state, loss(ps, x)))(ps)
            return scaling.unscale(state, grads)

        grads, finite = step(state, ps, small)
        assert bool(finite) and float(to_host(grads)["a"][0]) == 2.0**-26

    def test_the_scale_falls_after_overflow_and_grows_again(self, backend):
        scaling = lp.training.DynamicLossScale(initial=8.0, interval=2, least=2.0)
        state = scaling.setup({"a": make_array(backend, [1.0])})
        update, seen = lp.jit(scaling.update), []
        for good in (True, False, False, False, True, True, True, True):
            state = update(state, lp.namespace(state["scale"]).isfinite(make_array(backend, 1.0 if good else np.inf)))
            seen.append(float(state["scale"]))
        assert seen == [8.0, 4.0, 2.0, 2.0, 2.0, 4.0, 4.0, 8.0]

    def test_a_step_is_skipped(self, backend):
        old, new = (
            {"a": make_array(backend, [1.0]), "s": lp.Static(3)},
            {"a": make_array(backend, [np.nan]), "s": lp.Static(3)},
        )
        assert not bool(lp.training.all_finite(new))
        assert to_host(lp.training.select(lp.training.all_finite(new), new, old))["a"].tolist() == [1.0]
        assert to_host(lp.training.select(lp.training.all_finite(old), old, new))["a"].tolist() == [1.0]

    def test_a_selection_expects_equal_shapes_and_a_boolean(self, backend):
        one, two, yes = make_array(backend, [1.0]), make_array(backend, [1.0, 2.0]), make_array(backend, 1.0) == 1.0
        for condition, new, old, error, message in (
            (yes, two, one, ValueError, r"one shape in both trees, got \(2,\) and \(1,\)"),
            (two == 1.0, two, 2 * two, ValueError, r"a condition without axes, got \(2,\)"),
            (make_array(backend, 1.0), two, 2 * two, TypeError, "a boolean as condition, got float32"),
        ):
            with pytest.raises(error, match=message):
                lp.training.select(condition, {"w": new}, {"w": old})

    def test_arrays_of_two_backends_are_an_error(self):
        numbers = {"w": make_array("numpy", [1.0])}, {"w": make_array("torch", [1.0])}
        scaling, ema = lp.training.DynamicLossScale(), lp.training.MovingAverage()
        for call in (
            lambda: lp.training.select(np.array(True), numbers[1], {"w": make_array("torch", [2.0])}),
            lambda: scaling.unscale(scaling.setup(numbers[0]), numbers[1]),
            lambda: ema.update(ema.setup(numbers[0]), numbers[1]),
            lambda: ema.parameters(ema.setup(numbers[0]), numbers[1]),
        ):
            with pytest.raises(TypeError, match="numpy.*torch|torch.*numpy"):
                call()

    def test_refusals(self):
        with pytest.raises(ValueError, match="backoff as a number between 0 and 1, got 1.0"):
            lp.training.DynamicLossScale(backoff=1.0)
        with pytest.raises(ValueError, match="interval as an int of at least 1, got 0"):
            lp.training.DynamicLossScale(interval=0)
