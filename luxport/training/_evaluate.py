"""Means over a data set in test mode: `evaluate`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from luxport.backend import backend_of, is_array
from luxport.call_arguments import says_what_it_takes
from luxport.core.modes import test_mode
from luxport.training._data_loader import DataLoader
from luxport.training._feeding import count_samples, load_batches, move_ahead
from luxport.training._in_precision import wrap_in_precision
from luxport.training._means import Means, add_sums, compute_means
from luxport.training._objective_gradients import Objective
from luxport.training._share import Share
from luxport.training._state import TrainState, expect_state
from luxport.transforms._compiling import jit as compile_program
from luxport.tree.static import Static

__all__ = ["evaluate", "expect_some", "look_at"]


@says_what_it_takes
def evaluate(
    objective: Objective,
    state: TrainState,
    data: Any,
    *,
    batch_size: int = 32,
    metrics: Mapping[str, Callable[[Any, Any], Any]] | None = None,
    jit: bool = True,
) -> dict[str, Any]:
    """Return the means over all samples of loss, floating statistics and metrics, in test mode; the state stays.

    A metric that is no scalar is a table of counts, such as `confusion_matrix`: the sum of all batches, a NumPy array.
    Of a `luxport.distributed.DistributedDataContainer` the means are those of all processes' samples, and each of them
    is to call it; tables are of its own.

    Args:
        objective: as `fit` takes it
        state: the state that is looked at
        data: as `fit` takes them; pairs ``(x, y)`` if there are metrics
        batch_size: how many samples a batch has, if the data are whole arrays
        metrics: functions ``(y_hat, y) -> scalar`` or table by name, such as `accuracy`
        jit: compile

    >>> import luxport, numpy as np
    >>> from luxport.training import TrainState
    >>> state = TrainState.create(luxport.NoOpLayer(), luxport.optimizers.Adam(), ps={"a": np.ones(1)}, st={})
    >>> evaluate(luxport.losses.MSELoss(), state, (np.ones((3, 1)), np.zeros((3, 1))), batch_size=2)
    {'loss': 1.0}
    """
    expect_state("evaluate(objective, state, data)", state)
    state.expect_kept()
    means, tables = look_at(objective, state, load_batches(data, batch_size, shuffle=False), metrics, jit=jit)
    share = data.data if isinstance(data, DataLoader) else data
    sums = add_sums(share.exchange(json.dumps(means.sums()))) if isinstance(share, Share) else means.sums()
    expect_some("evaluate expects data", sums)
    return compute_means(sums) | tables


def expect_some(wanted: str, found: Mapping[str, Any]) -> None:
    """Expect that data had a batch."""
    if not found:
        raise ValueError(f"{wanted} with a batch, got none: an iterator can be gone through only once")


def look_at(
    objective: Objective,
    state: TrainState,
    batches: Iterable[Any],
    metrics: Mapping[str, Callable[[Any, Any], Any]] | None,
    *,
    jit: bool,
) -> tuple[Means, dict[str, Any]]:
    """Return the means, and the tables, of what is found in batches in test mode."""
    st, means = test_mode(state.st), Means()
    model = wrap_in_precision(state.model, state.program.value.precision)
    program = _look(Static((objective, model, tuple((metrics or {}).items()), jit)))
    tables: dict[str, Any] = {}
    for batch in move_ahead(batches, state, []):
        found = program(state.ps, st, batch)
        means.add(found, count_samples(batch))
        for name in metrics or {}:
            if is_array(found[name]) and len(found[name].shape):
                counts = backend_of(found[name]).to_numpy(found[name]).astype(np.float64)
                tables[name] = tables.get(name, 0) + counts
    return means, tables


@lru_cache(maxsize=64)
def _look(
    plan: Static[tuple[Objective, Any, tuple[tuple[str, Callable[[Any, Any], Any]], ...], bool]],
) -> Callable[[Any, Any, Any], dict[str, Any]]:
    """Make the function of a batch whose means `evaluate` tells: one for all epochs, so that it is compiled once."""
    objective, model, metrics, jit = plan.value

    def look(ps: Any, st: Any, batch: Any) -> dict[str, Any]:
        loss, _, stats = objective(model, ps, st, batch)
        found = {"loss": loss, **(stats if isinstance(stats, Mapping) else {})}
        if metrics:
            x, y = batch
            y_hat, _ = model(x, ps, st)
            found |= {name: metric(y_hat, y) for name, metric in metrics}
        return found

    return compile_program(look) if jit else look
