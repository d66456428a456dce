"""
A neural ODE
============

Learned here: an ODE solver is a loop over a model. `luxport.scan` compiles the loop's body once where the framework
can, and gradients flow through the loop. The right-hand side of an ODE is learned from a damped spiral.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tqdm import tqdm

import luxport
from luxport import Chain, Dense, losses, optimizers, tanh, training

# PyTorch's compiler would take longer than all of the training.
COMPILED = luxport.default_backend().name != "torch"
STEP = 0.1

# %%
# The true equation: y' = A y³, from one starting point.
MATRIX = np.array([[-0.1, 2.0], [-2.0, -0.1]])


def step_by_runge_kutta(field: Any, y: Any, step: float = STEP) -> Any:
    """Return y one step later, by the classical method of fourth order."""
    k1 = field(y)
    k2 = field(y + step / 2 * k1)
    k3 = field(y + step / 2 * k2)
    k4 = field(y + step * k3)
    return y + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def compute_spiral(length: int) -> np.ndarray:
    """Return the true path, of shape (length, 1, 2)."""
    path = [np.array([[1.5, 0.0]])]
    for _ in range(length - 1):
        path.append(step_by_runge_kutta(lambda y: y**3 @ MATRIX.T, path[-1]))
    return np.stack(path).astype(np.float32)


# %%
# The model is the right-hand side. It gets the cubes of its input, as the true equation has them.
model = Chain(lambda y: y**3, Dense(2, 32, tanh), Dense(32, 2))


def solve(model: Any, ps: Any, st: Any, starts: Any, length: int) -> Any:
    """Return the paths from starts (N, 2), of shape (length, N, 2) with these as the first entry."""

    def advance(y: Any, _: Any) -> tuple[Any, Any]:
        return step_by_runge_kutta(lambda y: model(y, ps, st)[0], y), y

    return luxport.scan(advance, starts, None, length=length)[1]


def objective(model: Any, ps: Any, st: Any, data: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Return the error of short pieces of the path, each from its true start: over a long path errors add up."""
    pieces = data
    return losses.mse(solve(model, ps, st, pieces[0], pieces.shape[0]), pieces), st, {}


def train(steps: int = 400, length: int = 60) -> tuple[float, np.ndarray, training.TrainState]:
    """Return the last loss, the true path and the trained state."""
    path = compute_spiral(length)
    pieces = np.concatenate([path[start : start + 6] for start in range(length - 6)], axis=1)
    data = luxport.asarray(pieces)
    state = training.TrainState.create(model, optimizers.Adam(0.01))
    for _ in tqdm(range(steps), disable=None):
        loss, _, state = training.train_step(objective, data, state, jit=COMPILED)
    return float(loss), path, state


def main() -> None:
    """Train, and draw the path from its beginning."""
    import matplotlib.pyplot as plt

    loss, path, state = train()
    found = luxport.to_numpy(solve(model, state.ps, state.st, luxport.asarray(path[0]), len(path)))
    print(f"loss {loss:.2e}, error of the whole path {np.abs(found - path).mean():.4f}")
    plt.plot(*path[:, 0].T, label="the spiral")
    plt.plot(*found[:, 0].T, "--", label="solved with the learned field")
    plt.legend()
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
