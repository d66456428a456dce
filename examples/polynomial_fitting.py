"""
Fitting a polynomial
====================

Learned here: data, a model, a loss, an optimizer, training and a plot, on one screen. A small network learns the
parabola y = x² - 2x from 128 noisy points.
"""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

import luxport
from luxport import Chain, Dense, losses, optimizers, relu, training

# PyTorch's compiler would take longer than all of the training.
COMPILED = luxport.default_backend().name != "torch"

# %%
# Data: the parabola and a little noise, the same numbers on every backend.
x = np.linspace(-2, 2, 128, dtype=np.float32)[:, None]
y = x**2 - 2 * x + 0.1 * luxport.rng(0).normal((128, 1))

# %%
# A model holds no arrays; it is printed with the numbers of its parameters.
model = Chain(Dense(1, 16, relu), Dense(16, 1))
print(model)


# %%
# `TrainState` has everything that training changes; `train_step` returns the next state.
def train(steps: int = 250) -> tuple[float, training.TrainState]:
    """Return the last loss and the trained state."""
    state = training.TrainState.create(model, optimizers.Adam(0.03))
    data = luxport.asarray(x), luxport.asarray(y)
    for _ in tqdm(range(steps), disable=None):
        loss, _, state = training.train_step(losses.MSELoss(), data, state, jit=COMPILED)
    return float(losses.mse(model(data[0], state.ps, state.st)[0], data[1])), state


def main() -> None:
    """Train, and draw what was learned."""
    import matplotlib.pyplot as plt

    loss, state = train()
    print(f"mean squared error after 250 steps: {loss:.5f}")
    fitted = luxport.to_numpy(model(luxport.asarray(x), state.ps, state.st)[0])
    plt.scatter(x, y, s=8, alpha=0.6, label="noisy points")
    plt.plot(x, x**2 - 2 * x, label="x² - 2x")
    plt.plot(x, fitted, "--", label="the network")
    plt.legend()
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
