"""
Arrays, gradients, layers
=========================

Learned here: the four basics of luxport, which are arrays of a backend, functions of arrays, their derivatives, and a
layer with its parameters. At the end a `Dense` layer is trained to find the matrix that the data were made with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tqdm import tqdm

import luxport
from luxport import Dense, losses, optimizers, training

# PyTorch's compiler would take longer than all of the training.
COMPILED = luxport.default_backend().name != "torch"


# %%
# The function gets the Array API namespace of its arguments, and so runs on every backend.
def half_square(x: Any) -> Any:
    """Return half of the sum of squares."""
    return luxport.namespace(x).sum(x * x) / 2


def show_derivatives() -> None:
    """Print a gradient, a vector-Jacobian and a Jacobian-vector product, and a Hessian."""
    x = luxport.asarray(np.array([1.0, 2.0, 3.0], np.float32))
    print("gradient of half the square, which is x:", luxport.to_numpy(luxport.grad(half_square)(x)))
    _, pushed = luxport.jvp(lambda x: x**2, (x,), (luxport.namespace(x).ones_like(x),))
    print("derivative of x**2 in the direction (1, 1, 1):", luxport.to_numpy(pushed))
    _, pull = luxport.vjp(lambda x: x**2, x)
    print("(1, 1, 1) times the Jacobian of x**2:", luxport.to_numpy(pull(luxport.namespace(x).ones_like(x))[0]))
    print("Hessian of half the square:\n", luxport.to_numpy(luxport.hessian(half_square)(x)))


# %%
# Random numbers come from a generator with a seed: the same ones on every backend.
def make_data(count: int) -> tuple[Any, Any, np.ndarray]:
    """Return inputs (count, 4), outputs (count, 3), and the matrix (4, 3) that maps inputs to outputs."""
    rng = luxport.rng(0)
    matrix, x = rng.normal((4, 3)), rng.normal((count, 4))
    y = x @ matrix + np.float32(0.01) * rng.normal((count, 3))
    return luxport.asarray(x), luxport.asarray(y), matrix


# %%
# A layer describes a computation, and holds no arrays: parameters and state are separate trees. It never changes; a
# training step returns a new state.
model = Dense(4, 3)


def train(steps: int = 300) -> tuple[float, training.TrainState, np.ndarray]:
    """Return the last loss, the trained state and the true matrix."""
    x, y, matrix = make_data(256)
    state = training.TrainState.create(model, optimizers.Momentum(0.05))
    for _ in tqdm(range(steps), disable=None):
        loss, _, state = training.train_step(losses.MSELoss(), (x, y), state, jit=COMPILED)
    return float(loss), state, matrix


def main() -> None:
    """Show derivatives; train, and draw the found matrix against the true one."""
    import matplotlib.pyplot as plt

    show_derivatives()
    loss, state, matrix = train()
    found = luxport.to_numpy(state.ps["weight"])
    print(f"loss {loss:.2e}, no element of the matrix is off by more than {abs(found - matrix).max():.1e}")
    plt.plot([-2, 2], [-2, 2], color="gray", linewidth=1)
    plt.scatter(matrix.ravel(), found.ravel())
    plt.xlabel("true")
    plt.ylabel("found")
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
