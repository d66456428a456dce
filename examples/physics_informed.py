"""
A network that obeys an equation
================================

Learned here: gradients nest. The loss of a physics-informed network has second derivatives of the model with
respect to its input, and is itself differentiated with respect to the parameters. The equation is Poisson's on the unit
square, u_xx + u_yy = -2 π² sin(πx) sin(πy), with u = 0 on its edge; its solution is sin(πx) sin(πy).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tqdm import tqdm

import luxport
from luxport import Chain, Dense, grad, namespace, optimizers, tanh, training

# PyTorch's compiler would take longer than all of the training.
COMPILED = luxport.default_backend().name != "torch"

# %%
# The solution is x (1 - x) y (1 - y) times a network, which is 0 on the edge for any parameters.
model = Chain(Dense(2, 16, tanh), Dense(16, 16, tanh), Dense(16, 1))


def compute_solution(points: Any, ps: Any, st: Any) -> Any:
    """Return u at points (N, 2), as (N,)."""
    x, y = points[:, 0], points[:, 1]
    return x * (1 - x) * y * (1 - y) * model(points, ps, st)[0][:, 0]


# %%
# u at a point depends on that point alone, so the gradient of a sum over points has each point's own derivative.
def compute_laplacian(points: Any, ps: Any, st: Any) -> Any:
    """Return u_xx + u_yy at each point."""
    total = namespace(points).sum
    first = grad(lambda points: total(compute_solution(points, ps, st)))
    second_x = grad(lambda points: total(first(points)[:, 0]))(points)[:, 0]
    second_y = grad(lambda points: total(first(points)[:, 1]))(points)[:, 1]
    return second_x + second_y


def objective(model: Any, ps: Any, st: Any, points: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Return the mean squared residual of the equation."""
    xp = namespace(points)
    wanted = -2 * np.pi**2 * xp.sin(np.pi * points[:, 0]) * xp.sin(np.pi * points[:, 1])
    return xp.mean((compute_laplacian(points, ps, st) - wanted) ** 2), st, {}


def train(steps: int = 600, count: int = 256) -> tuple[float, list[float], training.TrainState]:
    """Return the last loss, all losses and the trained state."""
    state = training.TrainState.create(model, optimizers.Adam(0.01))
    points = np.random.default_rng(0).uniform(0, 1, (count, 2)).astype(np.float32)
    data, values = luxport.asarray(points), []
    for _ in tqdm(range(steps), disable=None):
        loss, _, state = training.train_step(objective, data, state, jit=COMPILED)
        values.append(loss)
    return float(values[-1]), [float(value) for value in values], state


def main() -> None:
    """Train, and plot the network beside the exact solution."""
    import matplotlib.pyplot as plt

    last, _, state = train()
    line = np.linspace(0, 1, 41, dtype=np.float32)
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    found = luxport.to_numpy(compute_solution(luxport.asarray(grid), state.ps, state.st)).reshape(41, 41)
    exact = (np.sin(np.pi * grid[:, 0]) * np.sin(np.pi * grid[:, 1])).reshape(41, 41)
    print(f"residual {last:.4f}, largest error {np.abs(found - exact).max():.5f}")
    figure, axes = plt.subplots(1, 2, figsize=(8, 3))
    for axis, values, title in zip(axes, (found, found - exact), ("the network", "its error"), strict=True):
        figure.colorbar(axis.imshow(values, origin="lower", extent=(0, 1, 0, 1)), ax=axis)
        axis.set_title(title)
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
