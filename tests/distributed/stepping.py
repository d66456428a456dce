"""What processes do with `data_parallel`: the steps of one process, to 1e-6; the same bits; what goes wrong is said."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from typing import Any

import numpy as np

import luxport
from luxport import distributed, tree
from luxport.optimizers import Descent, Momentum
from luxport.training import TrainState, restore, save_checkpoint, train_step

BATCH, STEPS = 4, 20
INSIDE = ("jax", "tf")
"""Whose compiled steps move arrays themselves."""


def expect(condition: Any, said: Any) -> None:
    if not condition:
        raise AssertionError(said)


def say(line: str) -> None:
    """Print a line by one write: those of several processes may come by one pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def squares(model: Any, ps: Any, st: Any, data: Any) -> Any:
    """Return the mean square error, and how many errors are large, as an integer."""
    x, y = data
    found, st = model(x, ps, st)
    xp = luxport.backend.namespace(found)
    apart = (found - y) ** 2
    return xp.mean(apart), st, {"large": xp.sum(xp.astype(apart > 0.5, xp.int32))}


def model_with(*layers: Any) -> Any:
    return luxport.Chain(luxport.Dense(3, 3, luxport.tanh), *layers, luxport.Dense(3, 3))


def batches(size: int, steps: int) -> Any:
    draws = np.random.default_rng(0)
    x = draws.standard_normal((steps, size * BATCH, 3)).astype(np.float32)
    return x, np.tanh(x[..., ::-1] + x)


def part(data: Any, step: int, backend: str, rank: int | None = None) -> Any:
    rows = slice(None) if rank is None else slice(rank * BATCH, (rank + 1) * BATCH)
    return tuple([luxport.asarray(one[step][rows], backend=backend) for one in data])


def apart(one: Any, other: Any) -> float:
    found = tree.map(lambda a, b: float(np.max(np.abs(luxport.to_numpy(a) - luxport.to_numpy(b)))), one, other)
    return max([*tree.leaves(found), 0.0])


def bits(state: TrainState) -> list[Any]:
    entries = (state.ps, state.st, state.opt_state, state.step)
    return [luxport.to_numpy(leaf).tolist() for leaf in tree.leaves(entries)]


def doubles(backend: str, timeout: float) -> None:
    """Do as `stepping` in float64, where what is no rounding would show."""
    stepping(backend, timeout, dtype="float64", within=1e-13)


def stepping(
    backend: str, timeout: float, jit: bool | None = None, dtype: str = "float32", within: float = 1e-6
) -> None:
    """Train without BatchNorm, with one of each process's and with one of all."""
    rank, size = distributed.rank(), distributed.total_workers()
    jit = backend in INSIDE if jit is None else jit
    data = tuple([one.astype(dtype) for one in batches(size, STEPS)])
    norm = luxport.BatchNorm(3)
    for layers, together, parts in (((), False, 1), ((norm,), False, size), ((norm,), True, 1)):
        model = model_with(*layers)
        if together and jit and backend not in INSIDE:
            continue
        start = TrainState.create(model, Momentum(0.05), 1 + rank, backend=backend, dtype=dtype)  # rank 0's counts
        state = distributed.data_parallel(start, sync_batch_norm=together)
        alone = TrainState.create(model, Momentum(0.05), 1, backend=backend, dtype=dtype)
        for step in range(STEPS):
            loss, stats, state = train_step(squares, part(data, step, backend, rank), state, jit=jit)
            if rank == 0:
                # One process with the same batches; without the others' statistics those of each part are its own.
                whole = part(data, step, backend)
                wanted, counts, alone = train_step(squares, whole, alone, jit=False, accumulate=parts)
                expect(abs(float(loss) - float(wanted)) < within, (float(loss), float(wanted)))
                expect(int(stats["large"]) == int(counts["large"]), stats)
        if rank == 0:
            expect(apart(state.ps, alone.ps) < within, (layers, together, apart(state.ps, alone.ps)))
            expect(together is False or apart(state.st, alone.st) < within, (state.st, alone.st))
        own = bits(state)
        expect(distributed.synchronize(own) == own, "another state in another process")


def accumulating(backend: str, timeout: float) -> None:
    """Accumulate two halves of each process's batch: a step of one process with everything."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    data = batches(size, 5)
    state = distributed.data_parallel(TrainState.create(model_with(), Momentum(0.05), 0, backend=backend))
    alone = TrainState.create(model_with(), Momentum(0.05), 0, backend=backend)
    for step in range(5):
        loss, _, state = train_step(squares, part(data, step, backend, rank), state, jit=jit, accumulate=2)
        if rank == 0:
            wanted, _, alone = train_step(squares, part(data, step, backend), alone, jit=False)
            expect(abs(float(loss) - float(wanted)) < 1e-6, (float(loss), float(wanted)))
    expect(rank > 0 or apart(state.ps, alone.ps) < 1e-6, "another step than that of one process")


def unusual(backend: str, timeout: float) -> None:
    """Give one process numbers whose squares overflow, which no other has: the steps of one process with everything."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    x, y = batches(size, 4)
    x[2, BATCH : 2 * BATCH] *= 1e25
    model = luxport.Chain(luxport.BatchNorm(3), luxport.Dense(3, 3))
    state = distributed.data_parallel(TrainState.create(model, Momentum(0.05), 0, backend=backend))
    alone = TrainState.create(model, Momentum(0.05), 0, backend=backend)
    for step in range(4):
        loss, _, state = train_step(squares, part((x, y), step, backend, rank), state, jit=jit)
        if rank == 0:
            wanted, _, alone = train_step(squares, part((x, y), step, backend), alone, jit=False, accumulate=size)
            expect(abs(float(loss) - float(wanted)) < 1e-6, (step, float(loss), float(wanted)))
            expect(apart(state.ps, alone.ps) < 1e-6, (step, state.ps, alone.ps))


def resuming(backend: str, timeout: float) -> None:
    """Go on from a checkpoint to the bit; draw of dropout's own streams; skip a step in all processes at once."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    data = batches(size, 6)
    model = model_with(luxport.Dropout(0.5))
    folder = os.path.join(tempfile.gettempdir(), f"luxport_{os.environ['MASTER_PORT']}_{backend}")
    if rank == 0:  # what a run that met at the same port may have left
        shutil.rmtree(folder, ignore_errors=True)
    distributed.barrier()

    def created() -> Any:
        return distributed.data_parallel(TrainState.create(model, Momentum(0.05), 0, backend=backend))

    def go(state: Any, begin: int, end: int) -> Any:
        for step in range(begin, end):
            x, y = part(data, step, backend, rank)
            if step == 2 and rank == 1:
                x = x * np.float32(np.inf)
            _, _, state = train_step(squares, (x, y), state, jit=jit, nonfinite="skip")
        return state

    state = go(created(), 0, 3)
    expect(int(state.skipped) == 1 and int(state.step) == 2, (state.skipped, state.step))
    name = save_checkpoint(folder, state)
    distributed.barrier()
    expect(os.path.exists(name), name)
    wanted = bits(go(state, 3, 6))
    found = bits(go(restore(folder, created()), 3, 6))
    expect(found == wanted, "not to the bit")
    expect(bits(go(go(created(), 0, 3), 3, 6)) == wanted, "another time, other bits")
    # Each rank's masks are of its own stream: with the same batch everywhere the gradients differ.
    same = part(data, 0, backend, 0)
    one = train_step(squares, same, created(), jit=jit)[2]
    alone = TrainState.create(model, Momentum(0.05), 0, backend=backend)
    keys = [
        luxport.random.fold_in(
            {"key": alone.st["layer_2"]["rng"]["key"], "counter": alone.st["layer_2"]["rng"]["counter"]}, r
        )
        for r in range(size)
    ]
    steps = []
    for key in keys:
        st = {**alone.st, "layer_2": {**alone.st["layer_2"], "rng": {**alone.st["layer_2"]["rng"], "key": key["key"]}}}
        steps.append(train_step(squares, same, alone.replace(st=st), jit=False, donate=False)[2].ps)
    means = tree.map(lambda *leaves: sum(leaves[1:], leaves[0]) / size, *steps)
    expect(apart(one.ps, means) < 1e-6 and apart(steps[0], steps[1]) > 1e-4, apart(one.ps, means))
    distributed.barrier()
    if rank == 0:
        shutil.rmtree(folder)


def stepping_out(backend: str, timeout: float) -> None:
    """Call with another batch, another option, another tree: each process names the rank and the difference."""
    rank, jit = distributed.rank(), backend in INSIDE
    data = batches(distributed.total_workers(), 1)
    x, y = part(data, 0, backend, rank)
    state = distributed.data_parallel(TrainState.create(model_with(), Momentum(0.05), 0, backend=backend))
    rule = Momentum(0.05) if rank == 1 else Descent(0.05)
    try:
        distributed.data_parallel(TrainState.create(model_with(), rule, 0, backend=backend))
    except distributed.DistributedError as error:
        expect("rank 0 has the rule Descent, rank 1 has the rule Momentum" in str(error), error)
    else:
        expect(False, "nothing was said of other rules")
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
            train_step(squares, batch, state, jit=jit, donate=False, **options)
        except distributed.DistributedError as error:
            expect(said in str(error), error)
        else:
            expect(False, f"nothing was said where {said}")
