"""
Digits by a neural ODE
======================

Learned here: a custom layer that calls a solver, and solvers of other packages. Between the first and the last layer, a
differential equation is solved: by diffrax on JAX, by torchdiffeq on PyTorch, and by a few lines of our own elsewhere.
All use the midpoint method with equal steps, so that the losses are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from tqdm import tqdm

import luxport
from luxport import Chain, Dense, losses, optimizers, tanh, training

# PyTorch's compiler would take longer than all of the training.
COMPILED = luxport.default_backend().name != "torch"
STEPS = 8


# %%
# Three solvers of y' = field(y) from time 0 to 1.
def solve_by_diffrax(field: Callable[[Any], Any], y: Any) -> Any:
    """Solve in JAX."""
    import diffrax

    terms = diffrax.ODETerm(lambda time, y, args: field(y))
    path: Any = diffrax.diffeqsolve(terms, diffrax.Midpoint(), 0.0, 1.0, 1 / STEPS, y).ys
    return path[-1]


def solve_by_torchdiffeq(field: Callable[[Any], Any], y: Any) -> Any:
    """Solve in PyTorch."""
    import torch
    from torchdiffeq import odeint

    path: Any = odeint(lambda time, y: field(y), y, torch.linspace(0, 1, STEPS + 1), method="midpoint")
    return path[-1]


def solve(field: Callable[[Any], Any], y: Any) -> Any:
    """Solve in any framework."""
    for _ in range(STEPS):
        y = y + field(y + field(y) / (2 * STEPS)) / STEPS
    return y


SOLVERS = {"jax": solve_by_diffrax, "torch": solve_by_torchdiffeq}


# %%
# The layer has the parameters of the field. The field has no state, so that solvers may call it any number of times.
class NeuralODE(luxport.WrapperLayer):
    """Returns the solution at time 1 that starts at x: x (N, features) -> like x."""

    field: luxport.Layer

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        """Solve with the package for the framework of x."""
        solver = SOLVERS.get(luxport.backend_of(x).name, solve)
        return solver(lambda y: self.field(y, ps, st)[0], x), st


model = Chain(Dense(64, 20, tanh), NeuralODE(Chain(Dense(20, 20, tanh), Dense(20, 20))), Dense(20, 10))


def train(epochs: int = 10, count: int = 1437) -> tuple[float, float, training.TrainState]:
    """Return the mean loss of the last epoch, the accuracy on other digits, and the trained state."""
    pixels, labels = load_digits(return_X_y=True)
    x, y = (np.asarray(pixels) / 16).astype(np.float32), np.asarray(labels, np.int32)
    loader = training.DataLoader((x[:count], y[:count]), 32, shuffle=True, partial=False, seed=0)
    state = training.TrainState.create(model, optimizers.Adam(0.005))
    values = [0.0]
    for _ in tqdm(range(epochs), disable=None):
        values = []
        for batch in loader:
            data = luxport.tree.map(luxport.asarray, batch)
            loss, _, state = training.train_step(losses.SparseCrossEntropyLoss(logits=True), data, state, jit=COMPILED)
            values.append(float(loss))
    logits, _ = model(luxport.asarray(x[1437:]), state.ps, luxport.test_mode(state.st))
    return float(np.mean(values)), float(training.accuracy(logits, luxport.asarray(y[1437:]))), state


def main() -> None:
    """Train, and plot the paths of some digits along the equation's solution."""
    import matplotlib.pyplot as plt

    loss, right, state = train()
    print(f"mean loss of the last epoch {loss:.4f}, {right:.1%} of other digits classified correctly")
    pixels, labels = load_digits(return_X_y=True)
    x = luxport.asarray((np.asarray(pixels)[1437:] / 16).astype(np.float32))
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.5))
    for axis, parts, title in zip(axes, (1, 2), ("before", "after"), strict=True):
        names = [f"layer_{number}" for number in range(1, parts + 1)]
        seen = x
        for name in names:
            seen, _ = model.layers[name](seen, state.ps[name], state.st[name])
        points = luxport.to_numpy(seen) - luxport.to_numpy(seen).mean(axis=0)
        # Project on the first two principal components.
        points = points @ np.linalg.svd(points, full_matrices=False)[2][:2].T
        axis.scatter(*points.T, c=np.asarray(labels)[1437:], cmap="tab10", s=6)
        axis.set_title(title)
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
