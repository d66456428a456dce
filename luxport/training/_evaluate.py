"""`evaluate`: means of loss and metrics over a data set in test mode."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from luxport.backend import backend_of, is_array
from luxport.call_arguments import explain_call_errors
from luxport.core.modes import test_mode
from luxport.training._data_loader import DataLoader
from luxport.training._feeding import count_samples, load_batches, prefetch
from luxport.training._in_precision import wrap_in_precision
from luxport.training._means import Means, add_sums, compute_means
from luxport.training._objective_gradients import Objective
from luxport.training._share import Share
from luxport.training._state import TrainState, expect_state
from luxport.transforms._compiling import jit as compile_program
from luxport.tree.static import Static

__all__ = ["evaluate", "expect_batch", "measure"]


@explain_call_errors
def evaluate(
    objective: Objective,
    state: TrainState,
    data: Any,
    *,
    batch_size: int = 32,
    metrics: Mapping[str, Callable[[Any, Any], Any]] | None = None,
    jit: bool = True,
) -> dict[str, Any]:
    """Return means of loss, floating statistics and metrics over all samples, in test mode; the state is unchanged.

    A metric that returns an array is a table of counts, such as `confusion_matrix`, and is summed over all batches to a
    NumPy array. With a `luxport.distributed.DistributedDataContainer`, every process must call this, and the means are
    over the samples of all processes; tables are of the process's own samples.

    Args:
        objective: as for `fit`
        state: the state to evaluate
        data: as for `fit`; pairs ``(x, y)`` if there are metrics
        batch_size: how many samples a batch has, if the data are whole arrays
        metrics: functions ``(y_hat, y)`` by name, which return a scalar or a table, such as `accuracy`
        jit: whether to compile

    >>> import luxport, numpy as np
    >>> from luxport.training import TrainState
    >>> state = TrainState.create(luxport.NoOpLayer(), luxport.optimizers.Adam(), ps={"a": np.ones(1)}, st={})
    >>> evaluate(luxport.losses.MSELoss(), state, (np.ones((3, 1)), np.zeros((3, 1))), batch_size=2)
    {'loss': 1.0}
    """
    expect_state("evaluate(objective, state, data)", state)
    state.expect_available()
    means, tables = measure(objective, state, load_batches(data, batch_size, shuffle=False), metrics, jit=jit)
    share = data.data if isinstance(data, DataLoader) else data
    sums = add_sums(share.exchange(json.dumps(means.sums()))) if isinstance(share, Share) else means.sums()
    expect_batch("evaluate expects data", sums)
    return compute_means(sums) | tables


def expect_batch(wanted: str, found: Mapping[str, Any]) -> None:
    """Expect that something was measured, which is not so if the data had no batch."""
    if not found:
        raise ValueError(f"{wanted} with a batch, got none: an iterator can be used only once")


def measure(
    objective: Objective,
    state: TrainState,
    batches: Iterable[Any],
    metrics: Mapping[str, Callable[[Any, Any], Any]] | None,
    *,
    jit: bool,
) -> tuple[Means, dict[str, Any]]:
    """Return the means and the summed tables of loss, statistics and metrics over batches, in test mode."""
    st, means = test_mode(state.st), Means()
    model = wrap_in_precision(state.model, state.program.value.precision)
    program = _make_program(Static((objective, model, tuple((metrics or {}).items()), jit)))
    tables: dict[str, Any] = {}
    for batch in prefetch(batches, state, []):
        found = program(state.ps, st, batch)
        means.add(found, count_samples(batch))
        for name in metrics or {}:
            if is_array(found[name]) and len(found[name].shape):
                counts = backend_of(found[name]).to_numpy(found[name]).astype(np.float64)
                tables[name] = tables.get(name, 0) + counts
    return means, tables


@lru_cache(maxsize=64)
def _make_program(
    plan: Static[tuple[Objective, Any, tuple[tuple[str, Callable[[Any, Any], Any]], ...], bool]],
) -> Callable[[Any, Any, Any], dict[str, Any]]:
    """Return the function that measures one batch; it is cached, so that all epochs use one compiled program."""
    objective, model, metrics, jit = plan.value

    def measure_batch(ps: Any, st: Any, batch: Any) -> dict[str, Any]:
        loss, _, stats = objective(model, ps, st, batch)
        found = {"loss": loss, **(stats if isinstance(stats, Mapping) else {})}
        if metrics:
            x, y = batch
            y_hat, _ = model(x, ps, st)
            found |= {name: metric(y_hat, y) for name, metric in metrics}
        return found

    return compile_program(measure_batch) if jit else measure_batch
