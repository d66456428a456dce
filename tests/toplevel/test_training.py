"""`train_step`, `train` and `DataLoader`: what the conformance suite does not ask."""

from __future__ import annotations

import numpy as np
import pytest

import luxport as lp
from luxport import optimisers


def line(backend):
    ps = {"a": lp.asarray([3.0], backend=backend), "steps": None}
    return optimisers.setup(optimisers.Descent(0.1), ps), ps


def test_a_compiled_step(differentiating):
    state, ps = line(differentiating)

    def loss(ps, x):
        return lp.namespace(x).sum((ps["a"] * x) ** 2)

    x = lp.asarray([2.0], backend=differentiating)
    step = lp.jit(lp.train_step)
    values = [float(value) for value, *_ in lp.train(loss, state, ps, [x, x], step=step)]
    # d/da (2a)² = 8a: a is 3, and then 3 - 0.1 * 24.
    np.testing.assert_allclose(values, [36.0, (2 * 0.6) ** 2], rtol=1e-6)


def test_what_a_loader_refuses():
    with pytest.raises(ValueError, match="arrays with one first size, got 2 at 0, 3 at 1"):
        lp.DataLoader((np.ones(2), np.ones(3)))
    with pytest.raises(ValueError, match="a positive batch_size, got 0"):
        lp.DataLoader(np.ones(3), 0)


def test_a_loader_of_nothing():
    loader = lp.DataLoader(np.ones((0, 2)), 2)
    assert (len(loader), [*loader]) == (0, [])


def test_an_order_is_of_its_seed():
    x = np.arange(100)
    first, second, other = [np.concatenate([*lp.DataLoader(x, 7, shuffle=True, seed=seed)]) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()
    np.testing.assert_array_equal(np.sort(first), x)
