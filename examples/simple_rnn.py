"""
A simple recurrent network
==========================

Learned here: sequences are arrays (N, T, F), `LSTM` runs over them, and selecting a step is a layer of the
chain. The network tells spirals that turn left from spirals that turn right.
"""

from __future__ import annotations

import numpy as np

import luxport
from luxport import LSTM, Chain, Dense, SelectDim, losses, optimizers, training

# PyTorch's compiler would take longer than all of the training.
COMPILED = luxport.default_backend().name != "torch"


# %%
# Spirals of 20 points in the plane, half of them mirrored, as sequences (N, T, F) = (N, 20, 2).
def draw_spirals(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return spirals, and 1 for those that turn left."""
    rng = np.random.default_rng(0)
    t = np.linspace(0, 2 * np.pi, 20) + rng.uniform(0, 2 * np.pi, (count, 1))
    left = rng.integers(0, 2, count)
    radius = np.linspace(0.2, 1, 20)
    x = np.stack([radius * np.cos(t), radius * np.sin(t) * np.where(left, 1, -1)[:, None]], axis=-1)
    return (x + 0.05 * rng.normal(size=x.shape)).astype(np.float32), left[:, None].astype(np.float32)


# %%
# The spiral is classified by the last output of the LSTM.
model = Chain(LSTM(2, 8), SelectDim(1, -1), Dense(8, 1))
objective = losses.BinaryCrossEntropyLoss(logits=True)


def train(epochs: int = 20, count: int = 512) -> tuple[float, list[float], training.TrainState]:
    """Return the mean loss of the last epoch, that of each epoch, and the trained state."""
    state = training.TrainState.create(model, optimizers.Adam(0.02))
    loader = training.DataLoader(draw_spirals(count), 64, shuffle=True, seed=0)
    state, history = training.fit(objective, state, loader, epochs=epochs, jit=COMPILED)
    means = [epoch["loss"] for epoch in history]
    return means[-1], means, state


def main() -> None:
    """Train, and draw the losses."""
    import matplotlib.pyplot as plt

    _, means, state = train()
    x, y = draw_spirals(512)
    logits, _ = model(luxport.asarray(x), state.ps, state.st)
    right = ((luxport.to_numpy(logits) > 0) == (y > 0.5)).mean()
    print(f"mean loss of the last epoch {means[-1]:.4f}, {right:.1%} of the spirals classified correctly")
    figure, (spiral, curve) = plt.subplots(1, 2, figsize=(8, 3))
    for index in range(4):
        spiral.plot(*x[index].T, marker=".", color="tab:orange" if y[index] else "tab:blue")
    curve.semilogy(means)
    curve.set_xlabel("epoch")
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
