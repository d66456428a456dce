"""`Dropout` and `ops.dropout`, after Lux's tests."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import jax
import numpy as np
import pytest
import tensorflow as tf
import torch

import luxport
from luxport import Chain, Dropout, NoOpLayer, ops
from luxport.errors import LayerError, LayerTypeError
from luxport.ops._operation import definition_of

BACKENDS = ["numpy", "strict", "jax", "torch", "tf"]
DIFFERENTIABLE = ["jax", "torch", "tf"]
KEY, COUNTER = np.array([11, -12], np.int32), np.array(0, np.int32)


def host(array) -> np.ndarray:
    return luxport.backend.backend_of(array).to_numpy(array)


def run(model, x: np.ndarray, backend: str = "numpy", seed: int = 0):
    ps, st = luxport.setup(seed, model, backend=backend)
    y, new = model(luxport.asarray(x, backend=backend), ps, st)
    return host(y), st, new


# --- Beyond the conformance suite


@pytest.mark.parametrize("dtype", ["complex64", "float32"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_without_a_draw_the_input_itself_is_returned(backend, dtype):
    x = np.array([1, 2 + (1j if dtype == "complex64" else 0), 3]).astype(dtype)
    model = Dropout(0.1)
    ps, st = luxport.setup(0, model, backend=backend)
    array = luxport.asarray(x, backend=backend)
    st = luxport.test_mode(st)
    y, new = model(array, ps, st)
    assert y is array and new["rng"] is st["rng"]
    y, _, new = run(Dropout(1), x, backend)
    assert y.dtype == x.dtype and int(host(new["rng"]["counter"])) == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_mask_varies_along_the_axes(backend):
    x = luxport.rng(7).uniform((50, 100)) + 0.5
    for axis, other in ((0, 1), (1, 0)):
        y, _, _ = run(Dropout(0.5, axes=axis), x, backend)
        counts = np.count_nonzero(y == 0, axis=axis)
        assert counts.min() == counts.max() > 0
        kept = y != 0
        np.testing.assert_array_equal(kept, np.broadcast_to(np.take(kept, [0], axis=other), kept.shape))
        np.testing.assert_array_equal(y[kept], x[kept] * 2)


@pytest.mark.parametrize("axes", [None, (1,), (0, 1), ()])
@pytest.mark.parametrize("backend", BACKENDS)
def test_shape_and_dtype_are_kept(backend, axes):
    x, key, counter = [luxport.asarray(a, backend=backend) for a in (luxport.rng(0).normal((4, 3)), KEY, COUNTER)]
    for dropout in (ops.dropout, definition_of(ops.dropout)):
        y = dropout(x, key, counter, p=0.1, axes=axes)
        assert tuple(y.shape) == (4, 3) and y.dtype == x.dtype
        np.testing.assert_array_equal(host(y), ops.dropout(host(x), KEY, COUNTER, p=0.1, axes=axes))


@pytest.mark.parametrize("backend", DIFFERENTIABLE)
def test_the_gradient_is_the_scaled_mask(backend):
    # Entries that are zero also have a gradient.
    x = np.concatenate([np.ones((1, 1000), np.float32), np.zeros((1, 1000), np.float32)])
    x, key, counter = [luxport.asarray(a, backend=backend) for a in (x, KEY, COUNTER)]

    def total(x, p, axes=None):
        return luxport.namespace(x).sum(ops.dropout(x, key, counter, p=p, axes=axes) * 3.0)

    for axes in (None, (1,)):
        mask = host(ops.dropout(luxport.namespace(x).ones_like(x), key, counter, p=0.45, axes=axes)) != 0
        gradient = host(luxport.grad(lambda x, axes=axes: total(x, 0.45, axes))(x))
        np.testing.assert_allclose(gradient, np.where(mask, 3 / (1 - 0.45), 0), rtol=1e-6)
        assert mask[1].any() and not mask[1].all()


@pytest.mark.parametrize("p", [-1, 2, float("nan"), -1e-9])
def test_probabilities_outside_of_0_to_1_are_errors(p):
    with pytest.raises(ValueError, match=r"^dropout expects p as a number in \[0, 1\], got"):
        ops.dropout(np.ones(3, np.float32), KEY, COUNTER, p=p)
    with pytest.raises(ValueError, match=r"^Dropout expects a probability in \[0, 1\], got"):
        Dropout(p)


# --- Lux test/core_layers/dropout_tests.jl


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_call_advances_the_state_and_a_state_repeats_its_draw(backend):
    # dropout_tests.jl:13-22, :35-36
    model = Dropout(0.5)
    ps, st = luxport.setup(12345, model, backend=backend)
    x = luxport.asarray(luxport.rng(0).normal((2, 5)), backend=backend)
    y, st1 = model(x, ps, st)
    again, st1_again = model(x, ps, st)
    other, _ = model(x, ps, st1)
    assert [int(host(s["rng"]["counter"])) for s in (st, st1, st1_again)] == [0, 1, 1]
    np.testing.assert_array_equal(host(st1["rng"]["key"]), host(st["rng"]["key"]))
    assert host(st1["rng"]["counter"]).dtype == np.int32 and st1["rng"]["counter"].shape == ()
    np.testing.assert_array_equal(host(y), host(again))
    assert (host(y) != host(other)).any()
    assert luxport.tree.structure(st1) == luxport.tree.structure(st)


# --- Promises of luxport's own


def test_masks_are_equal_on_every_backend():
    x = np.ones((7, 31, 5), np.float32)
    for model in (Dropout(0.37), Dropout(0.37, axes=(0, -1))):
        wanted, _, _ = run(model, x, seed=9)
        for backend in BACKENDS[1:]:
            np.testing.assert_array_equal(run(model, x, backend, seed=9)[0], wanted, err_msg=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_probability_is_an_integer_threshold(backend, monkeypatch):
    # Exactly round(p 2^32) of the 2^32 words are dropped, as the words on both sides of the threshold show.
    import importlib

    key, counter = [luxport.asarray(a, backend=backend) for a in (KEY, COUNTER)]
    for p in (0.5, 0.1, 2.0**-32, 1 - 2.0**-32, 0.75):
        threshold = round(p * 2**32) - 2**31
        words = luxport.asarray(np.array([threshold - 1, threshold], np.int64).astype(np.int32), backend=backend)
        monkeypatch.setattr(importlib.import_module("luxport.ops._dropout"), "random_bits", lambda *a, w=words, **k: w)
        mask = host(definition_of(ops.keep_mask)(key, counter, shape=(2,), p=p))
        assert mask.tolist() == [False, True], p
    assert not host(definition_of(ops.keep_mask)(key, counter, shape=(2,), p=1.0)).any()
    assert host(definition_of(ops.keep_mask)(key, counter, shape=(2,), p=0.0)).all()


def test_the_share_of_dropped_entries_is_p():
    # Of a million draws the count is within 4 standard deviations; the draws are fixed, so the result never changes.
    for p in (0.01, 0.3, 0.5, 0.9):
        kept = np.count_nonzero(ops.keep_mask(KEY, COUNTER, shape=(1000, 1000), p=p))
        assert abs(kept - 1e6 * (1 - p)) < 4 * (1e6 * p * (1 - p)) ** 0.5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("backend", ["numpy", "jax", "torch", "tf"])
def test_every_floating_dtype_is_kept(backend, dtype):
    if (backend, dtype) == ("numpy", "bfloat16"):  # NumPy's extension type times a Python float is float32
        assert (np.ones(1, "bfloat16") * 2.0).dtype == np.float32
        return
    if (backend, dtype) == ("jax", "float64"):  # only with 64-bit mode enabled
        with pytest.raises(ValueError, match="64-bit mode"):
            luxport.asarray(np.ones(2, np.float32), backend=backend, dtype=dtype)
        return
    x = luxport.asarray(np.ones((3, 40), np.float32), backend=backend, dtype=dtype)
    model = Dropout(0.5)
    ps, st = luxport.setup(0, model, backend=backend)
    y, _ = model(x, ps, st)
    assert y.dtype == x.dtype
    found = host(luxport.asarray(y, dtype="float32", backend=backend))
    np.testing.assert_array_equal(found, run(model, np.ones((3, 40), np.float32))[0])


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch", "tf"])
def test_a_dropped_nan_is_zero(backend):
    y, _, _ = run(Dropout(0.5), np.full((4, 50), np.nan, np.float32), backend)
    assert np.isnan(y).any() and (y == 0).any() and (np.isnan(y) | (y == 0)).all()
    assert (run(Dropout(1.0), np.full(5, np.inf, np.float32), backend)[0] == 0).all()


def test_vmap_shares_one_mask():
    x = np.ones((3, 10), np.float32)
    wanted, _, _ = run(Dropout(0.5), x[0])
    model = Dropout(0.5)
    for backend, vmap in (("jax", jax.vmap), ("torch", torch.func.vmap)):
        ps, st = luxport.setup(0, model, backend=backend)
        found = vmap(lambda x, ps=ps, st=st: model(x, ps, st)[0])(luxport.asarray(x, backend=backend))
        np.testing.assert_array_equal(host(found), np.stack([wanted] * 3))


def test_the_frameworks_own_transforms_draw_the_same_mask():
    x = np.ones((4, 6), np.float32)
    wanted, _, _ = run(Dropout(0.5), x)
    model = Dropout(0.5)
    ps, st = luxport.setup(0, model, backend="jax")
    np.testing.assert_array_equal(jax.jit(model)(x_jax := jax.numpy.asarray(x), ps, st)[0], wanted)
    np.testing.assert_array_equal(jax.grad(lambda x: model(x, ps, st)[0].sum())(x_jax), wanted)
    ps, st = luxport.setup(0, model, backend="torch")
    found = torch.func.grad(lambda x: model(x, ps, st)[0].sum())(torch.from_numpy(x))
    np.testing.assert_array_equal(found, wanted)
    ps, st = luxport.setup(0, model, backend="tf")
    for options in ({}, {"jit_compile": True}):
        found, new = tf.function(model, **options)(tf.constant(x), ps, st)
        np.testing.assert_array_equal(found, wanted)
        assert int(new["rng"]["counter"]) == 1
    with tf.GradientTape() as tape:
        tape.watch(variable := tf.constant(x))
        y = model(variable, ps, st)[0]
    np.testing.assert_array_equal(tape.gradient(y, variable), wanted)


@pytest.mark.parametrize("backend", BACKENDS)
def test_wrong_axes_and_dtypes_are_errors(backend):
    def error(model, x, kind):
        with pytest.raises(kind) as caught:
            run(Chain(NoOpLayer(), model), x, backend)
        return str(caught.value)

    x = np.ones((2, 3), np.float32)
    wanted = "Dropout at layer_2 expects axes that differ and lie in [-2, 2), got "
    assert error(Dropout(0.5, axes=2), x, LayerError) == wanted + "(2,)"
    assert error(Dropout(0.5, axes=(0, -3)), x, LayerError) == wanted + "(0, -3)"
    assert error(Dropout(0.5, axes=(1, -1)), x, LayerError) == wanted + "(1, -1)"
    assert error(Dropout(1.0, axes=(0, -2)), x, LayerError) == wanted + "(0, -2)"
    message = error(Dropout(0.5), np.ones((2, 3), np.int32), LayerTypeError)
    assert message == "Dropout at layer_2 expects a floating or complex input, got int32"


def test_probabilities_and_axes_are_checked_when_built():
    zero: Any = np.float32(0)
    listed: Any = [np.int64(1)]
    assert Dropout(0) == Dropout(0.0) == Dropout(zero) == NoOpLayer()
    assert Dropout(0.5, axes=1) == Dropout(p=0.5, axes=(1,)) == Dropout(0.5, axes=listed)
    assert hash(Dropout(np.float64(0.5))) == hash(Dropout(0.5)) and type(Dropout(1).p) is float
    wrong: Any
    for wrong in ("0.5", None, True, 1j, "0"):
        with pytest.raises(TypeError, match=r"^Dropout expects a probability in \[0, 1\], got"):
            Dropout(wrong)
    for wrong in (1.5, "0", (0, None), True):
        with pytest.raises(TypeError, match="^Dropout expects an int or a tuple of ints as axes, got"):
            Dropout(0.5, axes=wrong)
    with pytest.raises(ValueError, match="^Dropout expects axes that differ, got"):
        Dropout(0.5, axes=(0, 1, 0))
    model = Dropout(0.25, axes=(0,))
    assert pickle.loads(pickle.dumps(model)) == copy.deepcopy(model) == model
    # As in Lux, a generator counts as one state, training as another.
    assert luxport.state_length(model) == 2 and luxport.parameter_length(model) == 0
    assert luxport.output_shape(model, (4, 5)) == (4, 5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_repetition_of_a_layer_draws_its_own_mask(backend):
    # Two independent masks keep a quarter, .25 ± .007 of 4,000 entries; the same mask twice would keep a half.
    x = np.ones((1, 4000), np.float32)
    model = luxport.RepeatedLayer(Chain(Dropout(0.5)), repeats=2)
    ps, st = luxport.setup(0, model, backend=backend)
    y, st = model(luxport.asarray(x, backend=backend), ps, st)
    assert abs((host(y) != 0).mean() - 0.25) < 0.03
    assert int(st["layer_1"]["rng"]["counter"]) == 2
