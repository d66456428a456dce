"""What tests of optimizers share: this folder on the path for `formulas`, and a compiled update that is counted."""

import sys
from pathlib import Path

import jax
import pytest

from luxport import optimizers

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def counted_update():
    """Return `optimizers.update`, compiled by JAX, and a list that grows by one entry with each compilation."""
    traces = []

    @jax.jit
    def update(state, x, dx):
        traces.append(None)
        return optimizers.update(state, x, dx)

    return update, traces
