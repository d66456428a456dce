"""
Other optimizers
================

Learned here: with parameters as one vector, any library can minimize. The same function is fitted by SciPy's L-BFGS,
which takes only NumPy arrays, by luxport's Adam, and by optax on JAX or ``torch.optim`` on PyTorch, which take trees.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize
from tqdm import tqdm

import luxport
from luxport import Chain, Dense, losses, optimizers, tanh, training

# PyTorch's compiler would take longer than all of the training.
COMPILED = luxport.default_backend().name != "torch"

# %%
# Rosenbrock's function on a square, as data to be fitted.
grid = np.stack(np.meshgrid(np.linspace(-1, 1, 12), np.linspace(-1, 1, 12)), axis=-1).reshape(-1, 2)
values = np.log1p((1 - grid[:, :1]) ** 2 + 100 * (grid[:, 1:] - grid[:, :1] ** 2) ** 2)
model = Chain(Dense(2, 16, tanh), Dense(16, 1))


def minimize_by_scipy(steps: int) -> float:
    """Return the loss that SciPy's L-BFGS finds; the backend computes values and gradients."""
    ps, st = luxport.setup(0, model)
    x, y = luxport.asarray(grid, dtype="float32"), luxport.asarray(values, dtype="float32")
    vector, unflatten = luxport.flatten(ps)

    def loss(vector: Any) -> Any:
        return losses.mse(model(x, unflatten(vector), st)[0], y)

    slope = luxport.value_and_grad(loss)
    slope = luxport.jit(slope) if COMPILED else slope

    def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = slope(luxport.asarray(point, dtype="float32"))
        return float(value), luxport.to_numpy(gradient).astype(np.float64)

    start = luxport.to_numpy(vector).astype(np.float64)
    return float(minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": steps}).fun)


def minimize_by_adam(steps: int) -> tuple[float, list[float]]:
    """Return the last loss and all losses of luxport's Adam."""
    state = training.TrainState.create(model, optimizers.Adam(0.02))
    data = luxport.asarray(grid, dtype="float32"), luxport.asarray(values, dtype="float32")
    found = []
    for _ in tqdm(range(steps), disable=None):
        loss, _, state = training.train_step(losses.MSELoss(), data, state, jit=COMPILED)
        found.append(loss)
    return float(found[-1]), [float(value) for value in found]


def train(steps: int = 300) -> tuple[float, list[float], float]:
    """Return Adam's last loss, all its losses, and the loss that SciPy found."""
    last, path = minimize_by_adam(steps)
    return last, path, minimize_by_scipy(steps)


# %%
# The same with the frameworks' own optimizers, which take trees of parameters such as `ps`.
def minimize_by_framework(steps: int) -> float | None:
    """Return the loss that optax (JAX) or torch.optim (PyTorch) finds; None on other backends."""
    ps, st = luxport.setup(0, model)
    x, y = luxport.asarray(grid, dtype="float32"), luxport.asarray(values, dtype="float32")
    slope = luxport.value_and_grad(lambda ps: losses.mse(model(x, ps, st)[0], y))
    loss: Any = None
    if luxport.default_backend().name == "jax":
        import optax

        rule = optax.adam(0.02)
        opt = rule.init(ps)
        slope = luxport.jit(slope)
        for _ in range(steps):
            loss, grads = slope(ps)
            updates, opt = rule.update(grads, opt)
            ps = optax.apply_updates(ps, updates)
    elif luxport.default_backend().name == "torch":
        import torch

        leaves = [leaf.requires_grad_(True) for leaf in luxport.tree.leaves(ps)]
        adam = torch.optim.Adam(leaves, 0.02)
        for _ in range(steps):
            adam.zero_grad()
            loss = losses.mse(model(x, ps, st)[0], y)
            loss.backward()
            adam.step()
            loss = loss.detach()
    return None if loss is None else float(loss)


def main() -> None:
    """Compare them."""
    import matplotlib.pyplot as plt

    last, path, found = train()
    print(f"300 steps: luxport's Adam {last:.5f}, SciPy's L-BFGS {found:.5f}")
    if (own := minimize_by_framework(300)) is not None:
        print(f"the framework's own Adam: {own:.5f}")
    plt.semilogy(path, label="Adam")
    plt.axhline(found, color="tab:orange", label="L-BFGS after as many steps")
    plt.legend()
    plt.show()


# %%
# What changes between backends: nothing. Only `minimize_by_framework` differs.
if __name__ == "__main__":
    main()
