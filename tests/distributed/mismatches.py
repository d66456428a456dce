"""Processes that call with different shapes, options, models or data: each names the ranks and the difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from common import INSIDE, create_state, expect, make_batches, make_model, squared_error, take_batch

import luxport
from luxport import distributed, optimizers
from luxport.optimizers import Descent, Momentum
from luxport.training import TrainState, fit, train_step


def check_collective_mismatches(backend: str, timeout: float) -> None:
    """Call collectives with different shapes, keys and functions: each process names the difference."""
    x = luxport.asarray(np.zeros(2 + distributed.rank()), backend=backend, dtype="float32")
    calls: list[Any] = [
        lambda: distributed.allreduce({"weight": x}),
        lambda: distributed.allreduce({f"w{distributed.rank()}": x[:2]}),
        lambda: distributed.barrier() if distributed.rank() else distributed.bcast(x),
    ]
    words = [
        "weight float32 (2,), rank 1 has weight float32 (3,)",
        "w0 float32 (2,), rank 1 has w1",
        "bcast root=0, rank",
    ]
    for call, said in zip(calls, words, strict=False):
        try:
            call()
        except distributed.DistributedError as error:
            expect(said in str(error), error)
        else:
            expect(False, f"no error where {said!r} was expected")


def check_step_mismatches(backend: str, timeout: float) -> None:
    """Step with different batches, options and trees: each process names the rank and the difference."""
    rank, jit = distributed.rank(), backend in INSIDE
    data = make_batches(distributed.total_workers(), 1)
    x, y = take_batch(data, 0, backend, rank)
    state = distributed.data_parallel(TrainState.create(make_model(), Momentum(0.05), 0, backend=backend))
    rule = Momentum(0.05) if rank == 1 else Descent(0.05)
    try:
        distributed.data_parallel(TrainState.create(make_model(), rule, 0, backend=backend))
    except distributed.DistributedError as error:
        expect("rank 0 has the rule Descent, rank 1 has the rule Momentum" in str(error), error)
    else:
        expect(False, "different rules raised no error")
    less = (x[:, 1:], y[1:]) if rank == 1 else (x, y)
    named = (x, {"y": y}) if rank == 1 else (x, y)
    calls = {
        "rank 0 has data 0 float32 (n, 3), rank 1 has data 0 float32 (4, 2)": (less, {}),
        "rank 0 has accumulate=1, rank 1 has accumulate=2": ((x, y), {"accumulate": 1 + (rank == 1)}),
        "nonfinite=ignore, rank 1 has train_step steps_per_call=1 nonfinite=skip": (
            (x, y),
            {"nonfinite": "skip" if rank == 1 else "ignore"},
        ),
        "rank 0 has data 1 float32 (n, 3), rank 1 has data 1.y float32": (named, {}),
    }
    for said, (batch, options) in calls.items():
        try:
            train_step(squared_error, batch, state, jit=jit, donate=False, **options)
        except distributed.DistributedError as error:
            expect(said in str(error), error)
        else:
            expect(False, f"no error where {said!r} was expected")


def check_setup_mismatches(backend: str, timeout: float) -> None:
    """Differ in things other than arrays: each process names the ranks and the difference, before anything is sent."""
    rank, jit = distributed.rank(), backend in INSIDE
    other = rank == 1
    activation = luxport.relu if other else luxport.tanh
    batch = take_batch(make_batches(distributed.total_workers(), 1), 0, backend, rank)
    state = distributed.data_parallel(create_state(backend, 0))

    def parallel(model: Any = None, mode: Callable[[Any], Any] = luxport.train_mode, **options: Any) -> Any:
        created = create_state(backend, 0, model or make_model(luxport.Dropout(0.5)), **options)
        return distributed.data_parallel(created.replace(st=mode(created.st)))

    def take_step(change: Callable[[Any], Any]) -> Any:
        return train_step(squared_error, batch, change(state) if other else state, jit=jit, donate=False)

    def train(count: int, **options: Any) -> Any:
        new = distributed.data_parallel(create_state(backend, 0))
        return fit(squared_error, new, [batch] * count, jit=jit, show=None, **options)

    frozen = optimizers.freeze(state.opt_state, "layer_1")
    calls: dict[str, Callable[[], object]] = {
        "precision=None scaling=None, rank 1 has precision=bfloat16": lambda: parallel(
            precision="bfloat16" if other else None
        ),
        "Dense(3, 3, tanh), rank 1 has the model Dense(3, 3, relu)": lambda: parallel(
            luxport.Dense(3, 3, activation),
        ),
        "st.layer_2.training True, rank 1 has st.layer_2.training False": lambda: parallel(
            mode=luxport.test_mode if other else luxport.train_mode
        ),
        "the state of the step before, rank 1 has a state with another opt_state": lambda: take_step(
            lambda state: state.replace(opt_state=frozen)
        ),
        "rank 0 has opt_state.eta 0.01, rank 1 has opt_state.eta 0.02": lambda: train(
            1, schedules={"eta": lambda number: 0.01 * (1 + other)}
        ),
        "an epoch that ends after 1 batches, rank 1 has train_step": lambda: train(1 + other),
    }
    for said, call in calls.items():
        try:
            call()
        except distributed.DistributedError as error:
            expect(said in str(error) and "\n" not in str(error), error)
        else:
            expect(False, f"no error where {said!r} was expected")
    take_step(lambda state: state)
