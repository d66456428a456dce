"""Models inside `torch.autocast`: products in its dtype, losses in float32, as modules and as plain calls."""

# Layers come on first use: pyright: reportArgumentType=false
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import luxport as lp

FIRST = lp.WrappedFunction(lambda y: y[0])
# Each begins with a product, after which layers receive autocast's dtype instead of float32.
NETS = {
    "dense": (lp.Chain(lp.Dense(4, 8, lp.relu), lp.Dropout(0.5), lp.Scale(8), lp.Dense(8, 2)), (5, 4)),
    "convolutions": (
        lp.Chain(
            *(lp.Conv((3, 3), 2, 4, lp.relu, padding=lp.SamePad()), lp.BatchNorm(4, lp.relu), lp.MaxPool((2, 2))),
            *(lp.Conv((3, 3), 4, 4, padding=1), lp.MeanPool((2, 2)), lp.FlattenLayer(), lp.Dense(16, 3)),
        ),
        (3, 2, 8, 8),
    ),
    "transposed": (
        lp.Chain(
            *(lp.Conv((3, 3), 2, 4, lp.gelu, padding=1), lp.ConvTranspose((2, 2), 4, 3, stride=2), lp.Upsample(2)),
            *(lp.GroupNorm(3, 3), lp.Conv((2, 2), 3, 3), lp.AdaptiveMeanPool((2, 2)), lp.GlobalMeanPool()),
        ),
        (3, 2, 6, 6),
    ),
    "pools": (
        lp.Chain(
            *(lp.Conv((3,), 2, 4), lp.LPPool((2,)), lp.InstanceNorm(4, affine=True, track_stats=True)),
            *(lp.Conv((3,), 4, 4), lp.AdaptiveMaxPool((3,)), lp.FlattenLayer(), lp.Dense(12, 2)),
        ),
        (3, 2, 20),
    ),
    "norms": (
        lp.Chain(lp.Dense(4, 6), lp.LayerNorm((6,)), lp.Dense(6, 6, lp.swish), lp.BatchNorm(6), lp.Dense(6, 4)),
        (5, 4),
    ),
    "LSTM": (lp.Chain(lp.LSTM(4, 6), lp.LSTM(6, 5), lp.Dense(5, 2)), (3, 7, 4)),
    "GRU": (lp.Chain(lp.GRU(4, 6), lp.GRU(6, 5, num_layers=2, bidirectional=True), lp.Dense(10, 2)), (3, 7, 4)),
    "RNN": (lp.Chain(lp.Dense(4, 6), lp.RNN(6, 5), lp.GRUv3(5, 4), lp.Dense(4, 2)), (3, 7, 4)),
    "attention": (
        lp.Chain(lp.Dense(4, 8), lp.MultiHeadAttention(8, nheads=2), FIRST, lp.LayerNorm((8,)), lp.Dense(8, 2)),
        (3, 7, 4),
    ),
    "bilinear": (lp.Chain(lp.Dense(4, 5), lp.Bilinear((5, 5), 3), lp.Dense(3, 3)), (5, 4)),
    "branches": (
        lp.Chain(
            lp.Parallel(lambda a, b: a + b, lp.Dense(4, 3), lp.Dense(4, 3)),
            lp.SkipConnection(lp.Dense(3, 3), lambda a, b: a + b),
            lp.Maxout(lp.Dense(3, 4), lp.Dense(3, 4)),
        ),
        (5, 4),
    ),
    "reparameterized": (
        lp.Chain(
            lp.Dense(4, 6), lp.WeightNorm(lp.Dense(6, 5), ("weight",)), lp.SpectralNorm(lp.Dense(5, 4)), lp.Dense(4, 3)
        ),
        (5, 4),
    ),
    "precision": (
        lp.Chain(
            *(lp.Dense(4, 6, lp.selu), lp.AlphaDropout(0.3)),
            *(lp.AlternatePrecision(lp.Dense(6, 6), "float32"), lp.Dense(6, 3)),
        ),
        (5, 4),
    ),
    "embedding": (lp.Chain(lp.Embedding(10, 6), lp.LayerNorm((6,)), lp.Dense(6, 3)), None),
}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("net", NETS)
def test_a_network_stays_close_to_float32(net, dtype):
    model, shape = NETS[net]
    rng = np.random.default_rng(0)
    values = rng.integers(0, 10, (5, 4)) if shape is None else rng.normal(size=shape).astype(np.float32)
    x = torch.from_numpy(values)
    ps, st = lp.setup(0, model, backend="torch")
    want, want_st = model(x, ps, st)
    target = torch.zeros_like(want)

    def loss(ps):
        y, new_st = model(x, ps, st)
        value = lp.losses.mse(y, target)
        assert value.dtype == torch.float32
        return value, (y, new_st)

    gradient = lp.tree.leaves(lp.grad(loss, has_aux=True)(ps)[0])
    largest = max(float(g.abs().max()) for g in gradient)
    near: Any = {"rtol": 0.0, "atol": (0.03 if dtype == torch.bfloat16 else 0.01)}
    module = lp.to_torch(model, ps, st)
    with torch.autocast("cpu", dtype=dtype):
        plain, (y, new_st) = lp.grad(loss, has_aux=True)(ps)
        lp.losses.mse(module(x), target).backward()
    assert y.dtype == dtype
    torch.testing.assert_close(y.float() / want.abs().max(), want / want.abs().max(), **near)
    for found in (lp.tree.leaves(plain), [p.grad for p in module.parameters()]):
        for one, other in zip(found, gradient, strict=True):
            torch.testing.assert_close(one / largest, other / largest, **near)
    for one, other in zip(lp.tree.leaves(new_st), lp.tree.leaves(want_st), strict=True):
        assert one.dtype == other.dtype


@pytest.mark.parametrize("loss", [lp.losses.mse, lp.losses.crossentropy, lp.losses.logitcrossentropy, lp.losses.mae])
def test_losses_are_computed_in_float32(loss):
    y_hat, y = torch.softmax(torch.randn(4, 3), -1).bfloat16(), torch.eye(3)[[0, 1, 2, 0]]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(y_hat, y), loss(y_hat, y.bfloat16()), loss(y_hat.float(), y.bfloat16())
    for one in found:
        torch.testing.assert_close(one, loss(y_hat.float(), y), rtol=2e-2, atol=0.0)


def test_wrong_dtypes_are_errors_despite_autocast():
    model = lp.Dense(2, 3)
    ps, st = lp.setup(0, model, backend="torch")
    with pytest.raises(lp.LayerTypeError, match="expects float32 as its parameters, got bfloat16"):
        model(torch.ones(1, 2, dtype=torch.bfloat16), ps, st)
    with pytest.raises(TypeError, match="mse expects y in bfloat16 as y_hat, got float32"):
        lp.losses.mse(torch.ones(2, dtype=torch.bfloat16), torch.ones(2))
    with torch.autocast("cpu"), pytest.raises(lp.LayerTypeError, match="got float64"):
        model(torch.ones(1, 2, dtype=torch.float64), ps, st)
