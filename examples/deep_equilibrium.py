"""
A deep equilibrium model
========================

Learned here: a custom gradient. The output is a fixed point z = f(z, x), found by iterating f until z no longer
changes. Its gradient is computed from the point alone, by a second iteration, without the steps that led there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from tqdm import tqdm

import luxport
from luxport import Chain, Dense, losses, optimizers, tanh, training

# PyTorch's compiler would take longer than all of the training.
COMPILED = luxport.default_backend().name != "torch"
ROUNDS = 20

# %%
# One iteration. The factor 0.5 keeps f a contraction, so that iterations converge.
cell = Dense(32, 32)


def iterate(ps: Any, z: Any, x: Any) -> Any:
    """Return f(z, x)."""
    return tanh(0.5 * cell(z, ps, {})[0] + x)


def find_point(ps: Any, x: Any) -> Any:
    """Return the fixed point, by iterating until it no longer changes."""
    z = 0 * x
    for _ in range(ROUNDS):
        z = iterate(ps, z, x)
    return z


# %%
# At z = f(z, x), a cotangent c becomes u = c + (df/dz)ᵀ u, again a fixed point. The gradients are the vjp of u by f.
def find_point_and_keep(ps: Any, x: Any) -> tuple[Any, Any]:
    """Return the fixed point, and the values that `pull_back` needs."""
    z = find_point(ps, x)
    return z, (ps, z, x)


def pull_back(kept: Any, cotangent: Any) -> tuple[Any, Any]:
    """Return the gradients with respect to ps and x."""
    ps, z, x = kept
    _, pull = luxport.vjp(iterate, ps, z, x)
    u = cotangent
    for _ in range(ROUNDS):
        u = cotangent + pull(u)[1]
    by_ps, _, by_x = pull(u)
    return by_ps, by_x


equilibrium = luxport.custom_vjp(find_point, forward=find_point_and_keep, backward=pull_back)


class Equilibrium(luxport.WrapperLayer):
    """The fixed point as a layer."""

    cell: luxport.Layer

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        """Return the fixed point for x, and the state."""
        return equilibrium(ps, x), st


model = Chain(Dense(64, 32), Equilibrium(cell), Dense(32, 10))


def read_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images of digits, their labels one-hot, and their labels as numbers."""
    pixels, labels = load_digits(return_X_y=True)
    return (np.asarray(pixels) / 16).astype(np.float32), np.eye(10, dtype=np.float32)[labels], np.asarray(labels)


def train(epochs: int = 4, count: int = 1500) -> tuple[float, training.TrainState]:
    """Return the last loss and the trained state."""
    x, y, _ = read_digits()
    loader = training.DataLoader((x[:count], y[:count]), 50, shuffle=True, seed=0)
    state = training.TrainState.create(model, optimizers.Adam(0.003))
    objective = losses.CrossEntropyLoss(logits=True)
    for _ in tqdm(range(epochs), disable=None):
        for batch in loader:
            data = luxport.tree.map(luxport.asarray, batch)
            loss, _, state = training.train_step(objective, data, state, jit=COMPILED)
    return float(loss), state


def main() -> None:
    """Train, and draw how the iteration converges."""
    import matplotlib.pyplot as plt

    loss, state = train()
    x, _, labels = read_digits()
    test = luxport.asarray(x[1500:])
    logits, _ = model(test, state.ps, state.st)
    right = (luxport.to_numpy(logits).argmax(axis=1) == labels[1500:]).mean()
    print(f"last loss {loss:.4f}, {right:.1%} of the test images classified correctly")
    into, _ = model.layers["layer_1"](test, state.ps["layer_1"], {})
    z, moves = 0 * into, []
    for _ in range(ROUNDS):
        new = iterate(state.ps["layer_2"], z, into)
        moves.append(np.abs(luxport.to_numpy(new - z)).max())
        z = new
    plt.semilogy(moves)
    plt.xlabel("iteration")
    plt.ylabel("largest change")
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
