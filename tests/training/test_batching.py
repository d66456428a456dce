"""`batch` joins samples along a new axis, and `unbatch` splits them again."""

from __future__ import annotations

import numpy as np
import pytest

import luxport as lp


def test_unbatch_inverts_batch(backend):
    samples = [{"x": lp.asarray([i, 2.0 * i], backend=backend), "y": lp.asarray(i, backend=backend)} for i in range(3)]
    batched = lp.training.batch(iter(samples))
    np.testing.assert_array_equal(backend.to_numpy(batched["x"]), [[0, 0], [1, 2], [2, 4]])
    assert backend.to_numpy(batched["y"]).tolist() == [0, 1, 2]
    last = lp.training.unbatch(batched)[2]
    assert (backend.to_numpy(last["x"]).tolist(), int(last["y"])) == ([2.0, 4.0], 2)


def test_wrong_samples_are_errors():
    with pytest.raises(ValueError, match="batch expects samples, got none"):
        lp.training.batch([])
    with pytest.raises(ValueError, match="trees of one structure expected"):
        lp.training.batch([{"a": np.ones(1)}, {"b": np.ones(1)}])
    with pytest.raises(ValueError, match="arrays with one first size, got 2 at 0, 3 at 1"):
        lp.training.unbatch((np.ones(2), np.ones(3)))
    with pytest.raises(ValueError, match="arrays with one first size, got no axis at data"):
        lp.training.unbatch(np.ones(()))
