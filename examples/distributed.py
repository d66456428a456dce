"""
Several processes
=================

Learned here: one training loop for one process and for many. Each process trains on a share of scikit-learn's 1,797
images of digits, and gradients are averaged. Afterward rank 0 trains alone on the same batches, and prints by how much
the parameters differ. The same file runs with every engine::

    torchrun --nproc-per-node 2 examples/distributed.py --backend torch
    torchrun --nproc-per-node 2 examples/distributed.py --backend jax
    mpiexec -n 2 python examples/distributed.py --engine mpi --backend torch
    python examples/distributed.py
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from tqdm import tqdm

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


def read_images() -> tuple[np.ndarray, np.ndarray]:
    """Return images, in the same order in all processes, and their labels one-hot."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(SEED).permutation(len(pixels))
    return (pixels[order] / 16).astype(np.float32), np.eye(10, dtype=np.float32)[labels[order]]


class Step:
    """A training step: gradients, compiled on JAX, and the optimizer."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        # PyTorch's compiler would take longer than all of the training.
        self.gradients: Any = luxport.jit(compute_gradients) if backend == "jax" else compute_gradients

    def __call__(self, state: TrainState, batch: Any) -> tuple[float, TrainState]:
        """Take one step."""
        grads, loss, _, state = self.gradients(objective, luxport.to(batch, backend=self.backend), state)
        return float(loss), apply_gradients(state, grads)


def yield_batches(data: Any, shortest: int, size: int, epochs: int) -> Any:
    """Yield full batches in order, from every share as many as the shortest share has."""
    loader = DataLoader(tree.map(lambda leaf: leaf[:shortest], data), size, partial=False)
    for _ in range(epochs):
        yield from loader


# %%
# Training in each process: the optimizer is wrapped, and all begin with rank 0's parameters. The rest is as for one.
def train(epochs: int = 8, batch: int = 32, backend: str | None = None) -> tuple[float, list[float], TrainState, Any]:
    """Return the mean of the last ten losses over processes, this process's losses, the state, and the shares."""
    x, y = read_images()
    share = distributed.DistributedDataContainer((x[TEST:], y[TEST:]))
    rule = distributed.DistributedOptimizer(optimizers.Momentum(0.05))
    # Each process draws different parameters, which `synchronize` replaces by those of rank 0.
    state = TrainState.create(model, rule, SEED + distributed.rank(), backend=backend)
    state = distributed.synchronize(state)
    step, losses = Step(backend or luxport.default_backend().name), []
    quiet = None if distributed.rank() == 0 else True
    for part in tqdm(list(yield_batches(share.data, min(share.lengths), batch, epochs)), disable=quiet):
        loss, state = step(state, part)
        losses.append(loss)
    last = distributed.allreduce(luxport.asarray(np.float32(np.mean(losses[-10:])), backend=backend))
    return float(last), losses, state, share.lengths


def train_alone(data: Any, lengths: tuple[int, ...], arguments: Any) -> TrainState:
    """Train in one process; each batch joins the batches of all processes."""
    step = Step(arguments.backend)
    begins = [sum(lengths[:i]) for i in range(len(lengths))]
    shares = [tree.map(lambda leaf, i=i: leaf[i:], data) for i in begins]
    state = TrainState.create(model, optimizers.Momentum(0.05), SEED, backend=arguments.backend)
    together = zip(
        *[yield_batches(share, min(lengths), arguments.batch, arguments.epochs) for share in shares], strict=True
    )
    for parts in together:
        _, state = step(state, tree.map(lambda *leaves: np.concatenate(leaves), *parts))
    return state


def main() -> None:
    """Train; rank 0 prints the results, and if there is one process, the losses are plotted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="auto", help="auto, torch, jax, mpi or local")
    parser.add_argument(
        "--backend", default=os.environ.get("LUXPORT_BACKEND", "torch"), help="whose arrays: torch, jax, tf or mlx"
    )
    parser.add_argument("--batch", type=int, default=32, help="samples of each process in each step")
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    luxport.set_backend(arguments.backend)
    distributed.initialize(arguments.engine, timeout=60)
    rank, workers = distributed.rank(), distributed.total_workers()

    begin = time.perf_counter()
    last, losses, state, lengths = train(arguments.epochs, arguments.batch)
    seconds = time.perf_counter() - begin

    # Only rank 0 tests: parameters are the same in all processes.
    if rank == 0:
        x, y = read_images()
        logits, _ = model(luxport.asarray(x[:TEST]), state.ps, luxport.test_mode(state.st))
        right = float(accuracy(logits, luxport.asarray(y[:TEST])))
        one = train_alone((x[TEST:], y[TEST:]), lengths, arguments)
        apart = tree.map(lambda a, b: np.max(np.abs(a - b)), luxport.to_numpy(state.ps), luxport.to_numpy(one.ps))
        print(
            f"{workers} processes on {arguments.backend}, {len(losses)} steps of {workers} x {arguments.batch} in "
            f"{seconds:.1f} s: loss {last:.4f}, accuracy {right:.1%}, "
            f"{max(tree.leaves(apart)):.1e} from one process"
        )
    distributed.barrier()
    distributed.shutdown()
    if workers == 1:
        import matplotlib.pyplot as plt

        plt.semilogy(losses)
        plt.xlabel("step")
        plt.ylabel("loss")
        plt.show()


# %%
# What changes between backends: nothing. Between engines: nothing, either.
if __name__ == "__main__":
    main()
