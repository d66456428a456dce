"""Gradients sent in many pieces, of several dtypes, some of which one process lacks: the steps of one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
from common import BATCH, INSIDE, distance, expect, make_batches, make_model, squared_error, take_batch

import luxport
from luxport import distributed, tree
from luxport.optimizers import Descent
from luxport.training import TrainState, train_step

KINDS = ("float32", "float64", "float16", "float32", "float32", "float64", "float16")
"""Dtypes of the parameters, in order; JAX has float64 only if it is enabled."""

_BUCKETS = {"torch": "luxport_torch.gradient_buckets", "tf": "luxport_tf.buckets"}
_FEW_BYTES = 40


@contextmanager
def _small_buckets(backend: str) -> Iterator[None]:
    """Reduce the size of messages to a few numbers, on backends that join small arrays."""
    if backend not in _BUCKETS:
        yield
        return
    module: Any = import_module(_BUCKETS[backend])
    before, module.BUCKET = module.BUCKET, _FEW_BYTES
    try:
        yield
    finally:
        module.BUCKET = before


def penalized_error(model: Any, ps: Any, st: Any, data: Any) -> Any:
    """Return the loss plus squares of its own gradient, computed with and without a graph, as users of PyTorch do."""
    loss, st, stats = squared_error(model, ps, st, data)
    if luxport.backend.backend_of(loss).name != "torch":
        return loss, st, stats
    import torch

    for keeps in (False, True):
        found = torch.autograd.grad(loss, tree.leaves(ps), retain_graph=True, create_graph=keeps)
        loss = loss + 0.3 * torch.stack([torch.sum(one * one) for one in found]).sum()
    return loss, st, stats


def check_gradient_penalty(backend: str, timeout: float) -> None:
    """Use an objective that differentiates by the parameters itself: the steps of one process."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    data = make_batches(size, 3)
    state = distributed.data_parallel(TrainState.create(make_model(), Descent(0.05), rank, backend=backend))
    alone = TrainState.create(make_model(), Descent(0.05), 0, backend=backend)
    for step in range(3):
        loss, _, state = train_step(penalized_error, take_batch(data, step, backend, rank), state, jit=jit)
        if rank == 0:
            whole = take_batch(data, step, backend)
            wanted, _, alone = train_step(penalized_error, whole, alone, jit=False, accumulate=size)
            expect(abs(float(loss) - float(wanted)) < 1e-6, (step, float(loss), float(wanted)))
            expect(distance(state.ps, alone.ps) < 1e-6, (step, state.ps, alone.ps))


def check_gradient_pieces(backend: str, timeout: float) -> None:
    """Take steps whose gradients are means of small numbers, which every dtype represents exactly."""
    rank, size = distributed.rank(), distributed.total_workers()
    kinds = [kind for kind in KINDS if kind != "float64" or backend != "jax"]
    draws = np.random.default_rng(0)
    # The third and later parameters have more numbers than a small message holds.
    sizes = [4 if place < 2 else 16 for place in range(len(kinds))]
    x = [draws.integers(-4, 5, (size * BATCH, n)) / 4 for n in sizes]
    own = slice(rank * BATCH, (rank + 1) * BATCH)
    batch = tuple([luxport.asarray(one[own], backend=backend, dtype="float32") for one in x])
    ps = {
        f"layer_{1 + i}": {"weight": luxport.asarray(np.zeros(n), backend=backend, dtype=kind)}
        for i, (n, kind) in enumerate(zip(sizes, kinds, strict=True))
    }
    # A compiled program is the same in all processes. Elsewhere rank 1 does not use the first parameter, and rank 0 not
    # the last.
    skipped = {0: len(kinds) - 1, 1: 0}.get(rank, -1) if backend not in INSIDE else -1

    def products(model: Any, ps: Any, st: Any, data: Any) -> Any:
        xp = luxport.backend.namespace(data[0])
        leaves = tree.leaves(ps)
        used = [i for i in range(len(leaves)) if i != skipped]
        terms = [xp.sum(data[i] * xp.astype(leaves[i], data[i].dtype)) / BATCH for i in used]
        return sum(terms[1:], terms[0]), st, {}

    wanted = [-one.mean(0) for one in x]
    if backend not in INSIDE:
        without_one = np.arange(size * BATCH) // BATCH
        wanted[0] = -np.where(without_one[:, None] == 1, 0, x[0]).mean(0)
        wanted[-1] = -np.where(without_one[:, None] == 0, 0, x[-1]).mean(0)
    model = luxport.Chain(*[luxport.Scale(n, use_bias=False) for n in sizes])
    with _small_buckets(backend):
        for jit in (False, True) if backend in INSIDE else (False,):
            state = distributed.data_parallel(TrainState.create(model, Descent(1.0), ps=ps, st={}))
            for _ in range(2):
                state = train_step(products, batch, state, jit=jit)[2]
            for leaf, kind, one in zip(tree.leaves(state.ps), kinds, wanted, strict=True):
                expect(luxport.backend.dtype_name(leaf) == kind, (kind, leaf))
                expect(np.array_equal(luxport.to_numpy(leaf), 2 * one), (jit, kind, leaf, 2 * one))
