"""Train one classifier of handwritten digits by several processes: one file for every engine, and for one process.

    torchrun --nproc-per-node 2 examples/distributed.py --backend torch
    torchrun --nproc-per-node 2 examples/distributed.py --backend jax
    mpiexec -n 2 python examples/distributed.py --engine mpi --backend torch
    python examples/distributed.py

Each process takes a share of scikit-learn's 1,797 images. Afterwards rank 0 has trained alone, on all of the same
batches, and prints how far the parameters are from each other.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import luxport
from luxport import distributed, optimizers, tree
from luxport.losses import logitcrossentropy
from luxport.training import DataLoader, TrainState, accuracy, apply_gradients, compute_gradients

TEST, SEED = 297, 0

model = luxport.Chain(luxport.Dense(64, 64, luxport.tanh), luxport.Dense(64, 10))


def objective(model: Any, ps: Any, st: Any, data: Any) -> tuple[Any, Any, Any]:
    """Return the loss of a batch, the new state, and no statistics."""
    x, one_hot = data
    logits, st = model(x, ps, st)
    return logitcrossentropy(logits, one_hot), st, {}


def images() -> tuple[np.ndarray, np.ndarray]:
    """Return images in one order everywhere, and their labels, one-hot."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(SEED).permutation(len(pixels))
    return (pixels[order] / 16).astype(np.float32), np.eye(10, dtype=np.float32)[labels[order]]


class Step:
    """One step on a batch: a gradient, compiled on JAX, and the optimizer."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        # PyTorch's compiler would take longer than all of the training.
        self.gradients: Any = luxport.jit(compute_gradients) if backend == "jax" else compute_gradients

    def __call__(self, state: TrainState, batch: Any) -> tuple[float, TrainState]:
        """Take it."""
        grads, loss, _, state = self.gradients(objective, luxport.to(batch, backend=self.backend), state)
        return float(loss), apply_gradients(state, grads)


def batches(data: Any, shortest: int, size: int, epochs: int) -> Any:
    """Yield whole batches in order: as many from every share as the shortest has."""
    loader = DataLoader(tree.map(lambda leaf: leaf[:shortest], data), size, partial=False)
    for _ in range(epochs):
        yield from loader


def alone(step: Step, data: Any, rule: Any, lengths: tuple[int, ...], arguments: Any) -> TrainState:
    """Train in one process, each batch made of those that the processes have together."""
    begins = [sum(lengths[:i]) for i in range(len(lengths))]
    shares = [tree.map(lambda leaf, i=i: leaf[i:], data) for i in begins]
    state = TrainState.create(model, rule, SEED, backend=arguments.backend)
    together = zip(*[batches(share, min(lengths), arguments.batch, arguments.epochs) for share in shares], strict=True)
    for parts in together:
        _, state = step(state, tree.map(lambda *leaves: np.concatenate(leaves), *parts))
    return state


def main() -> None:
    """Train, and let rank 0 tell about it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="auto", help="auto, torch, jax, mpi or local")
    parser.add_argument("--backend", default="torch", help="whose arrays: torch, jax, tf or mlx")
    parser.add_argument("--batch", type=int, default=32, help="samples of each process in each step")
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    luxport.set_backend(arguments.backend)
    distributed.initialize(arguments.engine, timeout=60)
    rank, workers = distributed.rank(), distributed.total_workers()

    x, y = images()
    data = (x[TEST:], y[TEST:])
    share = distributed.DistributedDataContainer(data)
    rule = optimizers.Momentum(0.05)
    # Each process draws other parameters: rank 0's become those of all.
    state = TrainState.create(model, distributed.DistributedOptimizer(rule), SEED + rank, backend=arguments.backend)
    state = distributed.synchronize(state)
    step = Step(arguments.backend)
    losses, begin = [], time.perf_counter()
    for batch in batches(share.data, min(share.lengths), arguments.batch, arguments.epochs):
        loss, state = step(state, batch)
        losses.append(loss)
    seconds = time.perf_counter() - begin

    # Rank 0 tests for all: it has the same parameters as everyone.
    last = distributed.allreduce(luxport.asarray(np.float32(np.mean(losses[-10:]))))
    if rank == 0:
        logits, _ = model(luxport.asarray(x[:TEST]), state.ps, luxport.test_mode(state.st))
        right = float(accuracy(logits, luxport.asarray(y[:TEST])))
        one = alone(step, data, rule, share.lengths, arguments)
        apart = tree.map(lambda a, b: np.max(np.abs(a - b)), luxport.to_numpy(state.ps), luxport.to_numpy(one.ps))
        print(
            f"{workers} processes on {arguments.backend}, {len(losses)} steps of {workers} x {arguments.batch} in "
            f"{seconds:.1f} s: loss {float(last):.4f}, accuracy {right:.1%}, "
            f"{max(tree.leaves(apart)):.1e} from one process"
        )
    distributed.barrier()
    distributed.shutdown()


if __name__ == "__main__":
    main()
