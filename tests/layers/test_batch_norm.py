"""`BatchNorm`: values, running statistics, gradients, half types and errors."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import numpy as np
import pytest

import luxport as lp
from luxport import initializers, ops
from luxport.backend import dtype_name
from luxport_conformance.compare import EPSILON

SMALL = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])


def set_up(model, backend, x, dtype="float64"):
    ps, st = lp.setup(0, model, backend=backend, dtype=dtype)
    return backend.asarray(np.asarray(x), dtype=dtype), ps, st


def normalize_by_hand(x, epsilon=1e-5):
    over = tuple(axis for axis in range(x.ndim) if axis != 1)
    # A value equal to the mean gives zero or a rounding error of about 1e-16: compare with an absolute 1e-12.
    return (x - x.mean(over, keepdims=True)) / np.sqrt(x.var(over, keepdims=True) + epsilon)


@pytest.mark.parametrize("shape", [(6, 2), (5, 2, 3), (4, 2, 3, 2), (2, 2, 3, 2, 2)])
def test_inputs_of_every_rank_are_normalized(backend, shape):
    values = np.random.default_rng(0).normal(size=shape)
    model = lp.BatchNorm(2, init_scale=initializers.normal, init_bias=initializers.normal, momentum=0.25, epsilon=1e-2)
    x, ps, st = set_up(model, backend, values)
    wide = (1, 2) + (1,) * (len(shape) - 2)
    scale, bias = (backend.to_numpy(ps[name]).reshape(wide) for name in ("scale", "bias"))
    y, new = model(x, ps, st)
    np.testing.assert_allclose(
        backend.to_numpy(y), normalize_by_hand(values, 1e-2) * scale + bias, rtol=1e-10, atol=1e-12
    )
    over = tuple(axis for axis in range(len(shape)) if axis != 1)
    np.testing.assert_allclose(backend.to_numpy(new["running_mean"]), 0.25 * values.mean(over))
    np.testing.assert_allclose(backend.to_numpy(new["running_var"]), 0.75 + 0.25 * values.var(over, ddof=1))


def test_a_single_sample_is_normalized_in_test_mode(backend):
    model = lp.BatchNorm(2)
    x, ps, st = set_up(model, backend, [3.0, 4.0])
    y, _ = model(x, ps, lp.test_mode(st))
    np.testing.assert_allclose(backend.to_numpy(y), np.array([3.0, 4.0]) / np.sqrt(1 + 1e-5))


def test_affine_parameters_may_be_left_out(backend):
    model = lp.BatchNorm(2, affine=False)
    x, ps, st = set_up(model, backend, SMALL)
    assert ps == {}
    np.testing.assert_allclose(backend.to_numpy(model(x, ps, st)[0]), normalize_by_hand(SMALL), atol=1e-12)


def test_without_tracking_batch_statistics_are_used_in_test_mode(backend):
    model = lp.BatchNorm(2, track_stats=False)
    x, ps, st = set_up(model, backend, SMALL)
    assert st == {"training": lp.Static(True)}
    for state in (st, lp.test_mode(st)):
        y, new = model(x, ps, state)
        np.testing.assert_allclose(backend.to_numpy(y), normalize_by_hand(SMALL), atol=1e-12)
        assert new == state


@pytest.mark.parametrize("shape", [(1, 1), (1,), (1, 1, 1), (0, 1)])
def test_a_single_value_per_channel_is_an_error_in_training(backend, shape):
    model = lp.BatchNorm(1)
    x, ps, st = set_up(model, backend, np.zeros(shape))
    with pytest.raises(lp.LayerError, match="^BatchNorm expects more than one value per channel in training, got "):
        model(x, ps, st)
    np.testing.assert_array_equal(backend.to_numpy(model(x, ps, lp.test_mode(st))[0]), np.zeros(shape))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_have_single_precision_statistics(backend, dtype):
    if (backend.name, dtype) in (("strict", "float16"), ("strict", "bfloat16")):
        return  # the Array API has no half types
    # In float16 the sum of 90,000 ones overflows.
    model = lp.BatchNorm(1)
    x, ps, st = set_up(model, backend, np.tile([[[1.0, 3.0]]], (45_000, 1, 1)), dtype)
    y, new = model(x, ps, st)
    assert dtype_name(y) == dtype and dtype_name(new["running_mean"]) == "float32"
    # Only the output is rounded from float32; the running mean stays in float32.
    np.testing.assert_allclose(backend.to_numpy(y).astype(np.float32)[0, 0], [-1.0, 1.0], rtol=EPSILON[dtype])
    np.testing.assert_allclose(backend.to_numpy(new["running_mean"]), [0.2], rtol=1e-6)


def test_updates_of_running_statistics_have_no_gradient(differentiating):
    model = lp.BatchNorm(2)
    x, ps, st = set_up(model, differentiating, SMALL)
    xp = differentiating.xp
    gradient = lp.grad(lambda x: xp.sum(model(x, ps, st)[1]["running_var"]))(x)
    np.testing.assert_array_equal(differentiating.to_numpy(gradient), np.zeros((3, 2)))


@pytest.mark.parametrize("norm", [ops.batch_norm, ops.instance_norm])
def test_gradients_by_running_statistics_are_exact(norm, differentiating):
    """Expected values are derivatives of ``(x - mean) / sqrt(var + epsilon)``; in training y is independent of them."""
    x, mean, var = np.asarray([[[1.0, 2.0], [3.0, 5.0]]]), np.asarray([0.5, 1.0]), np.asarray([2.0, 4.0])
    arrays = [differentiating.asarray(host.astype(np.float32)) for host in (x, mean, var)]
    xp = differentiating.xp

    def gradients(training):
        options = {"training": training, "momentum": 0.1, "epsilon": 0.5}
        for place in (1, 2):

            def total(statistic, place=place):
                x, *statistics = [*arrays[:place], statistic, *arrays[place + 1 :]]
                return xp.sum(norm(x, None, None, *statistics, **options)[0])

            yield differentiating.to_numpy(lp.grad(total)(arrays[place]))

    over = var + 0.5
    by_mean, by_var = -2 / np.sqrt(over), -(x - mean[:, None]).sum((0, 2)) / (2 * over**1.5)
    np.testing.assert_allclose(list(gradients(False)), [by_mean, by_var], rtol=1e-6)
    np.testing.assert_array_equal(list(gradients(True)), np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("shape", "dtype", "text"),
    [
        ((4, 3), "float64", r"^BatchNorm expects \(N, 2, \.\.\.\), got \(4, 3\)$"),
        ((3,), "float64", r"^BatchNorm expects \(N, 2, \.\.\.\), got \(3,\)$"),
        ((), "float64", r"^BatchNorm expects \(N, 2, \.\.\.\), got \(\)$"),
        ((4, 2), "int32", "^BatchNorm expects a floating input, got int32$"),
        ((4, 2), "float32", "^BatchNorm expects float64 as its parameters, got float32: "),
    ],
)
def test_wrong_inputs_are_errors(backend, shape, dtype, text):
    _, ps, st = set_up(lp.BatchNorm(2), backend, SMALL)
    for mode in (st, lp.test_mode(st)):
        with pytest.raises(lp.LayerError, match=text):
            lp.BatchNorm(2)(backend.asarray(np.ones(shape), dtype=dtype), ps, mode)


def test_wrong_sizes_are_errors():
    with pytest.raises(ValueError, match="^BatchNorm expects an int of at least 0 as channels, got 2.5$"):
        lp.BatchNorm(2.5)


@pytest.mark.parametrize("dtype", ["int32", "bool", "complex64"])
def test_statistics_that_are_not_floating_are_errors(backend, dtype):
    layer = lp.BatchNorm(3)
    ps, st = lp.setup(0, layer, backend=backend)
    x = backend.asarray(np.ones((4, 3)), dtype="float32")
    wrong = {**st, "running_var": backend.asarray(np.ones(3), dtype=dtype)}
    with pytest.raises(lp.LayerError, match=f"BatchNorm expects real floating numbers as running_var, got {dtype}"):
        layer(x, ps, wrong)
