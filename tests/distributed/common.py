"""A small model, its data and its loss, and the checks that all programs of the processes use."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import luxport
from luxport import tree
from luxport.optimizers import Momentum
from luxport.training import TrainState

BATCH = 4
INSIDE = ("jax", "tf")
"""Backends that exchange arrays inside a compiled step."""


def expect(condition: Any, said: Any) -> None:
    if not condition:
        raise AssertionError(said)


def say(line: str) -> None:
    """Print a line with a single write, because several processes may share one pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def squared_error(model: Any, ps: Any, st: Any, data: Any) -> Any:
    """Return the mean square error, and the number of large errors as an integer."""
    x, y = data
    found, st = model(x, ps, st)
    xp = luxport.backend.namespace(found)
    squares = (found - y) ** 2
    return xp.mean(squares), st, {"large": xp.sum(xp.astype(squares > 0.5, xp.int32))}


def make_model(*layers: Any) -> Any:
    return luxport.Chain(luxport.Dense(3, 3, luxport.tanh), *layers, luxport.Dense(3, 3))


def create_state(backend: str, seed: int, model: Any = None, **options: Any) -> TrainState:
    return TrainState.create(model or make_model(), Momentum(0.05), seed, backend=backend, **options)


def make_batches(size: int, steps: int) -> Any:
    draws = np.random.default_rng(0)
    x = draws.standard_normal((steps, size * BATCH, 3)).astype(np.float32)
    return x, np.tanh(x[..., ::-1] + x)


def take_batch(data: Any, step: int, backend: str, rank: int | None = None) -> Any:
    rows = slice(None) if rank is None else slice(rank * BATCH, (rank + 1) * BATCH)
    return make_arrays([one[step][rows] for one in data], backend)


def make_arrays(arrays: Any, backend: str) -> Any:
    return tuple([luxport.asarray(one, backend=backend) for one in arrays])


def distance(one: Any, other: Any) -> float:
    found = tree.map(lambda a, b: float(np.max(np.abs(luxport.to_numpy(a) - luxport.to_numpy(b)))), one, other)
    return max([*tree.leaves(found), 0.0])


def list_values(state: TrainState) -> list[Any]:
    entries = (state.ps, state.st, state.opt_state, state.step)
    return [luxport.to_numpy(leaf).tolist() for leaf in tree.leaves(entries)]
