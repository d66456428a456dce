"""What each process runs: `python worker.py ENGINE ROUNDS SIZE`, with the variables of torchrun set.

ROUNDS are names joined by "+"; those after a comma follow a new `initialize`. It prints "done" if all went well.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import batch_statistics
import disturbed_checkpoints
import failures
import fits
import gradient_pieces
import half_types
import mismatches
import misuse
import nonfinite_numbers
import numpy as np
import step_options
import steps
import uneven_batches
from common import BATCH, expect, say

import luxport
from luxport import distributed, optimizers, tree
from luxport.backend import find_owner
from luxport.losses import MSELoss
from luxport.optimizers import Momentum
from luxport.training import TrainState, apply_gradients, compute_gradients, train_step
from luxport_conformance.cases.distributed import CASES
from luxport_conformance.compare import compare

STEPS = 20


def check_float32_collectives(backend: str, timeout: float) -> None:
    """Check collectives of one dtype: JAX compiles a program for each, which takes a tenth of a second."""
    check_collectives(backend, timeout, ("float32",))


def check_collectives(
    backend: str, timeout: float, dtypes: Any = ("float32", "float16", "int32", "bool", "complex64")
) -> None:
    """Compare reductions and broadcasts with formulas, for each dtype, as FluxMPI's tests do."""
    rank, size = distributed.rank(), distributed.total_workers()
    ranks = range(size)

    def make_array(values: Any, dtype: str) -> Any:
        return luxport.asarray(np.asarray(values), backend=backend, dtype=dtype)

    for dtype in [dtype for dtype in dtypes if dtype in ("float32", "float16", "int32")]:
        given = {
            "a": make_array(np.ones((2, 3)) * (rank + 1), dtype),
            "name": "Dense",
            "b": (make_array(rank, dtype), None, 0.5),
        }
        wanted: dict[str, float] = {"sum": sum(ranks), "max": size - 1, "min": 0}
        if dtype != "int32":
            wanted["mean"] = sum(ranks) / size
        for op, value in wanted.items():
            before = luxport.to_numpy(given["a"])
            found = distributed.allreduce(given, op)
            expect(found["name"] == "Dense" and found["b"][1:] == (None, 0.5), found)
            shift = {"sum": size, "mean": 1, "max": 1, "min": 1}[op]
            # A mean over three is rounded once.
            rounding = 2.0**-11 if dtype == "float16" and op == "mean" and size == 3 else 0.0
            rounding = 1e-6 if dtype == "float32" and op == "mean" and size == 3 else rounding
            expect_close(found["a"], np.full((2, 3), value + shift), rounding)
            expect_close(found["b"][0], np.asarray(value), rounding)
            expect(luxport.backend.dtype_name(found["a"]) == dtype, dtype)
            expect(np.array_equal(before, luxport.to_numpy(given["a"])), "the given array was changed")
        on_root = distributed.reduce(given, "sum", root=1)
        expect_close(on_root["b"][0], np.asarray(sum(ranks) if rank == 1 else rank))
        for root in ranks:
            expect_close(distributed.bcast(given, root=root)["b"][0], np.asarray(root))
    if "bool" in dtypes:
        given = {"any": make_array(rank == 1, "bool"), "empty": make_array(np.zeros((0, 2)), "float32")}
        flags = distributed.allreduce(given, "max")
        expect(bool(flags["any"]) and tuple(flags["empty"].shape) == (0, 2), flags)
    if "complex64" in dtypes:
        wave = distributed.allreduce(luxport.asarray(np.asarray([1 + 2j * rank]), backend=backend, dtype="complex64"))
        expect_close(wave, np.asarray([1 + 2j * sum(ranks) / size]))
    # NaN in one process is NaN in all, in any order of comparison.
    for op in ("max", "min"):
        x = make_array([[np.nan if rank == one else 0.0, rank] for one in ranks], "float32")
        found = luxport.to_numpy(distributed.allreduce(x, op))
        last = size - 1 if op == "max" else 0
        expect(np.array_equal(found, [[np.nan, last]] * size, equal_nan=True), (op, found))
    kept = distributed.synchronize(
        {"rate": 0.1 * (rank + 1), "n": rank, "flag": rank == 1, "x": make_array(rank, "float32")}
    )
    expect(kept["rate"] == 0.1 and kept["n"] == 0 and kept["flag"] is False and float(kept["x"]) == 0, kept)
    n = 4 * size - 1
    shares = distributed.DistributedDataContainer(np.arange(float(n)))
    expect(shares.lengths == (4,) * (size - 1) + (3,) and len(shares) == shares.lengths[rank], shares.lengths)
    total = make_array(sum([float(shares[i]) for i in range(len(shares))]), "float32")
    expect_close(distributed.allreduce(total, "sum"), np.asarray(n * (n - 1) / 2))
    x = make_array(rank + 1, "float32")
    state = optimizers.setup(distributed.DistributedOptimizer(optimizers.Descent(1.0)), x)
    expect_close(optimizers.update(state, x, x)[1], np.asarray(rank + 1 - (size + 1) / 2))
    # Each process has its own first device
    moved = luxport.to(total, device=luxport.backend_of(total).device_of(total))
    expect_close(moved, luxport.to_numpy(total))
    distributed.barrier()


def check_gradients(backend: str, timeout: float) -> None:
    """Differentiate through means and sums, as one process does with all arrays; other operations have no gradient.

    The gradient is that of the sum of all losses, as in `torch.distributed.nn.functional.all_reduce`.
    """
    rank, size = distributed.rank(), distributed.total_workers()
    x = luxport.asarray(np.array([1.0, 2.0]) + rank, backend=backend, dtype="float32")
    xp = luxport.backend.namespace(x)
    total = luxport.to_numpy(distributed.allreduce(x, "sum"))

    def loss(x: Any, op: str) -> Any:
        return xp.sum(distributed.allreduce({"x": x, "n": 3}, op)["x"] ** 2)

    for op, scale in (("sum", size), ("mean", 1 / size)):
        expect_close(luxport.grad(lambda x, op=op: loss(x, op))(x), 2 * scale * total, 1e-4)
    for name, call in {
        "allreduce": lambda x: distributed.allreduce(x, "max"),
        "bcast": distributed.bcast,
        "synchronize": distributed.synchronize,
    }.items():
        try:
            luxport.grad(lambda x, call=call: xp.sum(call(x)))(x)
        except distributed.DistributedError as error:
            expect(f"{name} has no gradient, which allreduce of a mean or sum has" in str(error), error)
        else:
            expect(False, f"{name} has a gradient")


def check_upstream_cases(backend: str, timeout: float) -> None:
    """Run the conformance cases that come from Flux's ext_distributed tests."""
    for case in CASES:
        given = [luxport.asarray(x, backend=backend, dtype="float32") for x in case.inputs.values()]
        found = tree.map(lambda leaf: luxport.to_numpy(leaf) if find_owner(type(leaf)) else leaf, case.program(*given))
        wanted = case.expected(*case.inputs.values()) if callable(case.expected) else case.expected
        compare(found, wanted, dtype="float32", tolerance=case.tolerance, path=case.id)


def check_training(backend: str, timeout: float) -> None:
    """Train on shares, and on whole batches in one process: the same parameters, and equal bits in all processes."""
    rank, size = distributed.rank(), distributed.total_workers()
    draws = np.random.default_rng(0)
    n = BATCH * STEPS
    x = draws.standard_normal((n * size, 3)).astype(np.float32)
    y = np.tanh(x[:, ::-1] + x)
    # Few shapes, because each one is compiled
    model = luxport.Chain(luxport.Dense(3, 3, luxport.tanh), luxport.Dense(3, 3))
    mine = distributed.DistributedDataContainer((x, y)).data
    # Each process draws its own parameters; those of rank 0 are used by all.
    rule = Momentum(0.05)
    compiled = backend == "jax"  # there both halves of a step are compiled, and gradients are averaged between them
    one = rule if compiled else distributed.DistributedOptimizer(rule)
    state = distributed.synchronize(TrainState.create(model, one, 1 + rank, backend=backend))
    alone = TrainState.create(model, rule, 1, backend=backend)
    losses = []
    objective: Any = MSELoss()
    gradients: Any = luxport.jit(compute_gradients) if compiled else compute_gradients
    apply: Any = luxport.jit(apply_gradients) if compiled else apply_gradients
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        data = luxport.to(tree.map(lambda one, rows=rows: one[rows], mine), backend=backend)
        if step % 2 and not compiled:
            loss, _, state = train_step(objective, data, state, jit=False)
        else:
            grads, loss, _, state = gradients(objective, data, state)
            state = apply(state, distributed.allreduce(grads) if compiled else grads)
        losses.append(float(loss))
        if rank == 0:
            everyone = [np.concatenate([one[r * n :][rows] for r in range(size)]) for one in (x, y)]
            grads, _, _, alone = gradients(objective, luxport.to(tuple(everyone), backend=backend), alone)
            alone = apply(alone, grads)
    expect(sum(losses[-5:]) < sum(losses[:5]) and int(state.step) == STEPS, losses)
    if rank == 0:
        tree.map(lambda a, b: expect_close(a, luxport.to_numpy(b), 1e-6), state.ps, alone.ps)
    values = [luxport.to_numpy(leaf).tolist() for leaf in tree.leaves(state.ps)]
    expect(distributed.synchronize(values) == values, values)


def expect_close(found: Any, wanted: np.ndarray, tolerance: float = 0.0) -> None:
    host = luxport.to_numpy(found)
    expect(host.shape == wanted.shape and np.allclose(host, wanted, rtol=0, atol=tolerance), (host, wanted))


def main() -> None:
    engine, sessions, size = sys.argv[1], sys.argv[2].split(","), int(sys.argv[3])
    if sessions == ["float64_steps"]:
        os.environ["JAX_ENABLE_X64"] = "1"
    # MPI sends arrays of every backend, but NumPy has no gradients.
    backend = engine if engine != "mpi" else "numpy" if sys.argv[2].startswith("collectives") else "torch"
    luxport.backend.get_backend(backend)  # imports the framework
    wait_for_others(size)
    port = int(os.environ.get("MASTER_PORT", 0))
    for i, rounds in enumerate(sessions):
        timeout = failures.TIMEOUT if rounds in FAILURES else 60.0
        os.environ["MASTER_PORT"] = str(port + i)
        distributed.initialize(engine, timeout=timeout)
        expect(distributed.total_workers() == size, distributed.total_workers())
        for name in rounds.split("+"):
            ROUNDS[name](backend, timeout)
        distributed.shutdown()
    say("done")
    # MPI's own end stops processes that still wait. But for a process that comes too late it has no such end, unless
    # mpiexec ends all.
    if engine != "mpi" or sessions[-1] == "come_too_late":
        os._exit(0)  # without waiting for processes that left


def wait_for_others(size: int) -> None:
    """Wait until all have imported their framework: on a busy machine one may take longer than the timeout."""
    if "THERE" not in os.environ:
        return
    folder, deadline = Path(os.environ["THERE"]), time.monotonic() + 300
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < size:
        expect(time.monotonic() < deadline, "the others did not come in 5 minutes")
        time.sleep(0.01)


def check_torch_wrappers(backend: str, timeout: float) -> None:
    """Train under PyTorch's own wrappers; imported here because only PyTorch's processes need them."""
    from torch_wrappers import check_torch_wrappers

    check_torch_wrappers(backend, timeout)


FAILURES = {**failures.KINDS, **failures.OTHERS, **disturbed_checkpoints.KINDS}
ROUNDS: dict[str, Any] = {
    "collectives": check_collectives,
    "float32_collectives": check_float32_collectives,
    "gradients": check_gradients,
    "upstream_cases": check_upstream_cases,
    "collective_mismatches": mismatches.check_collective_mismatches,
    "step_mismatches": mismatches.check_step_mismatches,
    "setup_mismatches": mismatches.check_setup_mismatches,
    "misuse": misuse.check_misuse,
    "training": check_training,
    "steps": steps.check_steps,
    "float64_steps": steps.check_float64_steps,
    "compiled_steps": lambda backend, timeout: steps.check_steps(backend, timeout, jit=True),
    "accumulation": steps.check_accumulation,
    "overflow": steps.check_overflow,
    "resumed_steps": steps.check_resumed_steps,
    "step_options": step_options.check_step_options,
    "resized_checkpoint": step_options.check_resized_checkpoint,
    "half_types": half_types.check_half_types,
    "gradient_pieces": gradient_pieces.check_gradient_pieces,
    "gradient_penalty": gradient_pieces.check_gradient_penalty,
    "uneven_batches": uneven_batches.check_uneven_batches,
    "fit": fits.check_fit,
    "interruption": fits.check_interruption,
    "resized_fit": fits.check_resized_fit,
    "nonfinite_numbers": nonfinite_numbers.check_nonfinite_numbers,
    "integer_statistics": batch_statistics.check_integer_statistics,
    "batch_norm": batch_statistics.check_batch_norm,
    "torch_wrappers": check_torch_wrappers,
    "freeze": failures.freeze,
    **FAILURES,
}


if __name__ == "__main__":
    main()
