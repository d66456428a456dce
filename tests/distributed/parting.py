"""Gradients that go in many pieces, of several dtypes, and such as one process alone has: the steps of one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
from stepping import BATCH, INSIDE, apart, batches, expect, model_with, part, squares

import luxport
from luxport import distributed, tree
from luxport.optimizers import Descent
from luxport.training import TrainState, train_step

KINDS = ("float32", "float64", "float16", "float32", "float32", "float64", "float16")
"""Of parameters, one after the other; JAX has float64 only where it is asked for it."""

_BUCKETS = {"torch": "luxport_torch.gradient_buckets", "tf": "luxport_tf.buckets"}
_FEW_BYTES = 40


@contextmanager
def _small_buckets(backend: str) -> Iterator[None]:
    """Let a message have some few numbers, where small arrays are joined to messages."""
    if backend not in _BUCKETS:
        yield
        return
    module: Any = import_module(_BUCKETS[backend])
    before, module.BUCKET = module.BUCKET, _FEW_BYTES
    try:
        yield
    finally:
        module.BUCKET = before


def penalized(model: Any, ps: Any, st: Any, data: Any) -> Any:
    """Return the loss and the squares of its own gradient, half of them as constants, as PyTorch's users take it."""
    loss, st, stats = squares(model, ps, st, data)
    if luxport.backend.backend_of(loss).name != "torch":
        return loss, st, stats
    import torch

    for keeps in (False, True):
        found = torch.autograd.grad(loss, tree.leaves(ps), retain_graph=True, create_graph=keeps)
        loss = loss + 0.3 * torch.stack([torch.sum(one * one) for one in found]).sum()
    return loss, st, stats


def penalizing(backend: str, timeout: float) -> None:
    """Let the objective differentiate by the parameters itself: the steps of one process, part by part."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    data = batches(size, 3)
    state = distributed.data_parallel(TrainState.create(model_with(), Descent(0.05), rank, backend=backend))
    alone = TrainState.create(model_with(), Descent(0.05), 0, backend=backend)
    for step in range(3):
        loss, _, state = train_step(penalized, part(data, step, backend, rank), state, jit=jit)
        if rank == 0:
            whole = part(data, step, backend)
            wanted, _, alone = train_step(penalized, whole, alone, jit=False, accumulate=size)
            expect(abs(float(loss) - float(wanted)) < 1e-6, (step, float(loss), float(wanted)))
            expect(apart(state.ps, alone.ps) < 1e-6, (step, state.ps, alone.ps))


def parting(backend: str, timeout: float) -> None:
    """Take a step whose gradients are means of small numbers, which every dtype holds to the bit."""
    rank, size = distributed.rank(), distributed.total_workers()
    kinds = [kind for kind in KINDS if kind != "float64" or backend != "jax"]
    draws = np.random.default_rng(0)
    # Of the third and later parameters there are more numbers than a small message has.
    sizes = [4 if place < 2 else 16 for place in range(len(kinds))]
    x = [draws.integers(-4, 5, (size * BATCH, n)) / 4 for n in sizes]
    own = slice(rank * BATCH, (rank + 1) * BATCH)
    batch = tuple([luxport.asarray(one[own], backend=backend, dtype="float32") for one in x])
    ps = {
        f"layer_{1 + i}": {"weight": luxport.asarray(np.zeros(n), backend=backend, dtype=kind)}
        for i, (n, kind) in enumerate(zip(sizes, kinds, strict=True))
    }
    # A program is one for all processes: elsewhere the first parameter is none of rank 1's, the last one of it alone.
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
