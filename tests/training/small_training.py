"""A small model with its data, loss and rule, and helpers that compare states."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport as lp
from luxport import losses, optimizers
from luxport.training import TrainState

MODEL = lp.Chain(lp.Dense(3, 4, lp.tanh), lp.Dropout(0.25), lp.Dense(4, 1))
PLAIN = lp.Chain(lp.Dense(3, 4, lp.tanh), lp.Dense(4, 1))
LOSS = losses.MSELoss()
RULE: Any = optimizers.OptimizerChain(optimizers.ClipNorm(1.0), optimizers.AdamW(0.05, lambda_=0.1))
# Batches have 8 samples, or 4 where a smaller one is needed: JAX compiles every operation again for each shape.
ALL = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
X = ALL[:8]
Y = X[:, :1] * 2


def make_data(backend):
    return lp.asarray(X, backend=backend), lp.asarray(Y, backend=backend)


def make_array(backend, values, dtype="float32"):
    return lp.asarray(np.asarray(values), backend=backend, dtype=dtype)


def to_host(values):
    return lp.to(values, backend="numpy")


def create_state(backend, model=MODEL, rule: Any = RULE, **options):
    return TrainState.create(model, rule, backend=backend, **options)


def list_bytes(values):
    return [np.asarray(leaf).tobytes() for leaf in lp.tree.leaves(lp.to_numpy(values))]


def list_entries(state):
    return state.ps, state.st, state.opt_state, state.step


def assert_close(one, other, tolerance=1e-5):
    for a, b in zip(lp.tree.leaves(lp.to_numpy(one)), lp.tree.leaves(lp.to_numpy(other)), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
