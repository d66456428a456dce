"""`GroupNorm`, `InstanceNorm`, `LayerNorm`, `RMSNorm` compared with PyTorch's functions, and their errors."""

# Wrong on purpose, or typed too narrowly by the frameworks' own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import torch
import torch.nn.functional as F

import luxport as lp
from luxport import GroupNorm, InstanceNorm, LayerNorm, RMSNorm, ops
from luxport.backend import dtype_name
from luxport_conformance.compare import EPSILON

X = np.random.default_rng(0).normal(size=(2, 6, 3, 4))
SCALE, BIAS = np.random.default_rng(1).normal(size=(2, 6))
WIDE_SCALE, WIDE_BIAS = np.random.default_rng(2).normal(size=(2, 3, 4))


def to_torch(array):
    return torch.from_numpy(np.array(array))


ORACLES = [  # layer, parameters, PyTorch's result
    (GroupNorm(6, 3, epsilon=1e-3), (SCALE, BIAS), F.group_norm(to_torch(X), 3, to_torch(SCALE), to_torch(BIAS), 1e-3)),
    (GroupNorm(6, 2, lp.tanh, affine=False), (), torch.tanh(F.group_norm(to_torch(X), 2))),
    (
        InstanceNorm(6, affine=True),
        (SCALE, BIAS),
        F.instance_norm(to_torch(X), None, None, to_torch(SCALE), to_torch(BIAS)),
    ),
    (LayerNorm(4, affine=False), (), F.layer_norm(to_torch(X), (4,))),
    (
        LayerNorm((3, 4)),
        (WIDE_SCALE, WIDE_BIAS),
        F.layer_norm(to_torch(X), (3, 4), to_torch(WIDE_SCALE), to_torch(WIDE_BIAS)),
    ),
    (RMSNorm((3, 4)), (WIDE_SCALE,), F.rms_norm(to_torch(X), (3, 4), to_torch(WIDE_SCALE), 1e-5)),
    (RMSNorm(4, affine=False, epsilon=0.1), (), F.rms_norm(to_torch(X), (4,), None, 0.1)),
]


@pytest.mark.parametrize(("layer", "parameters", "wanted"), ORACLES, ids=lambda value: str(value)[:20])
def test_norms_equal_pytorchs(backend, layer, parameters, wanted):
    ps, st = lp.setup(0, layer, backend=backend, dtype="float64")
    given = dict(zip(("scale", "bias"), parameters, strict=False))
    assert set(ps) == set(given)
    ps = {name: backend.asarray(given[name], dtype="float64") for name in ps}
    y, _ = layer(backend.asarray(X, dtype="float64"), ps, st)
    # The tolerance is for sums of at most 36 terms of order 1 in double precision.
    np.testing.assert_allclose(backend.to_numpy(y), wanted.numpy(), rtol=0, atol=1e-13)


@pytest.mark.parametrize("training", [True, False])
def test_statistics_of_instance_norm_equal_pytorchs(backend, training):
    mean, var = to_torch(np.linspace(-1, 1, 6)), to_torch(np.linspace(0.5, 2, 6))
    layer = InstanceNorm(6, affine=True, track_stats=True, momentum=0.3)
    start = {
        "running_mean": backend.asarray(mean.numpy().copy()),
        "running_var": backend.asarray(var.numpy().copy()),
        "training": lp.Static(training),
    }
    ps = {"scale": backend.asarray(SCALE), "bias": backend.asarray(BIAS)}
    y, st = layer(backend.asarray(X), ps, start)
    wanted = F.instance_norm(
        to_torch(X), mean, var, to_torch(SCALE), to_torch(BIAS), training, 0.3
    )  # changes mean and var in place
    np.testing.assert_allclose(backend.to_numpy(y), wanted.numpy(), rtol=0, atol=1e-13)
    np.testing.assert_allclose(backend.to_numpy(st["running_mean"]), mean.numpy(), rtol=0, atol=1e-14)
    np.testing.assert_allclose(backend.to_numpy(st["running_var"]), var.numpy(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("layer", [GroupNorm(1, 1), InstanceNorm(1), LayerNorm((1, 90_000)), RMSNorm(90_000)])
def test_half_types_have_single_precision_statistics(backend, layer, dtype):
    if (backend.name, dtype) in (("strict", "float16"), ("strict", "bfloat16"), ("numpy", "bfloat16")):
        return  # the Array API has neither; NumPy only stores bfloat16, and computes with it in float32
    # In float16 the sum of 90,000 ones overflows.
    ps, st = lp.setup(0, layer, backend=backend, dtype=dtype)
    y, _ = layer(backend.asarray(np.tile([1.0, 3.0], (1, 1, 45_000)), dtype=dtype), ps, st)
    wanted = np.array([1.0, 3.0]) / np.sqrt(5.0) if isinstance(layer, RMSNorm) else np.array([-1.0, 1.0])
    assert dtype_name(y) == dtype
    found = backend.to_numpy(backend.asarray(y, dtype="float32"))
    np.testing.assert_allclose(found[0, 0, :2], wanted, rtol=EPSILON[dtype])


@pytest.mark.parametrize(
    "layer", [GroupNorm(6, 3), InstanceNorm(6, affine=True, track_stats=True), LayerNorm(4), RMSNorm(4)]
)
def test_sizes_may_be_unknown_in_a_tensorflow_graph(layer):
    ps, st = lp.setup(0, layer, backend="tf")
    x = tf.constant(X, tf.float32)
    signature = tf.TensorSpec([None, 6, None, 4], tf.float32)
    for state in (st, lp.test_mode(st)):
        program = tf.function(lambda x, state=state: layer(x, ps, state), input_signature=[signature], autograph=False)
        for got, wanted in zip(lp.tree.leaves(program(x)), lp.tree.leaves(layer(x, ps, state)), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-6)  # both in float32, with values of order 1


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (GroupNorm(6, 3), (2, 5, 4), r"^GroupNorm expects \(N, 6, \.\.\.\), got \(2, 5, 4\)$"),
        (GroupNorm(6, 3), (6,), r"^GroupNorm expects \(N, 6, \.\.\.\), got \(6,\)$"),
        (InstanceNorm(6), (2, 6), r"^InstanceNorm expects \(N, 6, d1, \.\.\.\), got \(2, 6\)$"),
        (InstanceNorm(6), (2, 6, 1), r"^InstanceNorm expects more than one value per channel and sample in training, "),
        (LayerNorm((3, 4)), (2, 4), r"^LayerNorm expects \(\.\.\., 3, 4\), got \(2, 4\)$"),
        (LayerNorm((3, 4)), (4,), r"^LayerNorm expects \(\.\.\., 3, 4\), got \(4,\)$"),
        (RMSNorm(4), (2, 3), r"^RMSNorm expects \(\.\.\., 4\), got \(2, 3\)$"),
    ],
)
def test_wrong_shapes_are_errors(layer, shape, text):
    ps, st = lp.setup(0, layer)
    with pytest.raises(lp.LayerError, match=text):
        layer(np.zeros(shape, np.float32), ps, st)


@pytest.mark.parametrize("layer", [GroupNorm(6, 3), InstanceNorm(6, affine=True), LayerNorm(6), RMSNorm(6)])
def test_wrong_dtypes_are_errors(layer):
    ps, st = lp.setup(0, layer)
    for dtype, text in (
        ("int32", "a floating input, got int32"),
        ("float64", "float32 as its parameters, got float64"),
    ):
        with pytest.raises(lp.LayerTypeError, match=f"^{type(layer).__name__} expects {text}"):
            layer(np.ones((2, 6, 6), dtype), ps, st)


def test_sizes_are_checked_when_built():
    assert LayerNorm(4) == LayerNorm((4,)) == LayerNorm([4]) and hash(LayerNorm([4])) == hash(LayerNorm(4))
    with pytest.raises(ValueError, match="^GroupNorm expects groups that divide 6 channels, got 4$"):
        GroupNorm(6, 4)
    with pytest.raises(ValueError, match="^GroupNorm expects groups that divide 6 channels, got 0$"):
        GroupNorm(6, 0)
    with pytest.raises(ValueError, match=r"^LayerNorm expects one or more sizes, got \(\)$"):
        LayerNorm(())
    with pytest.raises(ValueError, match=r"^RMSNorm expects an int of at least 0 as shape\[1\], got 2.5$"):
        RMSNorm((3, 2.5))


def test_large_numbers_are_normalized_over_all_axes(backend):
    x = np.random.default_rng(0).normal(size=(3, 4)) * 1e30
    y = ops.normalize(backend.asarray(x, dtype="float32"), axis=None, epsilon=0.0)
    np.testing.assert_allclose(backend.to_numpy(y), (x - x.mean()) / x.std(), rtol=1e-5, atol=1e-6)
