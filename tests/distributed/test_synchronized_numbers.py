"""`SyncBatchNorm` of very large and small numbers: the formula of `BatchNorm` over the samples of both processes.

The other process has the same batch, so means of both are those of one, and the number of samples is twice as large.
Expected values are the formula in float64, by NumPy.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import luxport
from luxport.distributed import _batch_norm

X = np.random.default_rng(0).normal(size=(5, 3, 4)) + 0.5


@pytest.fixture(autouse=True)
def pretend_two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    step = SimpleNamespace(has_all_samples=False, weight=1, counts=(5, 5))
    session = SimpleNamespace(step=step, engine=SimpleNamespace(workers=2, mean=lambda x: x))
    monkeypatch.setattr(_batch_norm, "require_session", lambda name: session)


@pytest.mark.parametrize("size", [1.0, 1e30, 2e37, 1e-30])
@pytest.mark.parametrize("backend", ["jax", "torch", "tf"])
def test_squares_that_overflow_or_underflow_keep_their_statistics(backend: str, size: float) -> None:
    model = _batch_norm.SyncBatchNorm(3, epsilon=0.0, affine=False)
    ps, st = luxport.setup(0, model, backend=backend)
    x = luxport.asarray(X * size, backend=backend, dtype="float32")
    xp = luxport.namespace(x)
    weights = luxport.asarray(np.cos(np.arange(60.0)).reshape(5, 3, 4), backend=backend, dtype="float32")

    def total(x: object) -> object:
        y, new = model(x, ps, st)
        return xp.sum(y * weights), (y, new)

    (_, (y, new)), slope = luxport.value_and_grad(total, has_aux=True)(x)
    exact = luxport.to_numpy(x).astype(np.float64)
    mean, var = exact.mean((0, 2), keepdims=True), exact.var((0, 2), keepdims=True)
    wanted, g = (exact - mean) / np.sqrt(var), np.cos(np.arange(60.0)).reshape(5, 3, 4)
    np.testing.assert_allclose(luxport.to_numpy(y), wanted, rtol=0, atol=1e-5)
    pulled = g - g.mean((0, 2), keepdims=True) - wanted * (g * wanted).mean((0, 2), keepdims=True)
    if size < 1e37:  # otherwise gradients are below the smallest normal number, which XLA flushes to 0
        np.testing.assert_allclose(luxport.to_numpy(slope) * np.sqrt(var), pulled, rtol=0, atol=1e-5)
    np.testing.assert_allclose(luxport.to_numpy(new["running_mean"]), 0.1 * mean.ravel(), rtol=1e-5)
    with np.errstate(over="ignore"):
        running = np.float32(0.9 + 0.1 * var.ravel() * 40 / 39)
    np.testing.assert_allclose(luxport.to_numpy(new["running_var"]), running, rtol=1e-5)
