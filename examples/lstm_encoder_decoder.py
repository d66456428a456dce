"""
An encoder and a decoder
========================

Learned here: a recurrent network that reads a sequence and writes another one. The encoder's last carry is
the decoder's first. The decoder gets the true values in training (teacher forcing), and its own in a forecast.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tqdm import tqdm

import luxport
from luxport import Dense, LSTMCell, Recurrence, compact, optimizers, training

# PyTorch's compiler would take longer than all of the training.
COMPILED = luxport.default_backend().name != "torch"
READ, WRITTEN = 40, 10


# %%
# Both are cells run over time. `return_state` returns the carry, and a carry is passed along with the sequence.
@compact(
    "Forecaster",
    encoder=Recurrence(LSTMCell(1, 16), return_state=True),
    decoder=Recurrence(LSTMCell(1, 16), return_sequence=True, return_state=True),
    out=Dense(16, 1),
)
def model(x: Any, *, encoder: Any, decoder: Any, out: Any) -> Any:
    """Return the value after each step that the decoder is given, (N, T, 1); one step forecasts freely."""
    past, given = x
    _, carry = encoder(past)
    if given is not None:
        hidden, _ = decoder((given, carry))
        return out(hidden)
    step, written = past[:, -1:, :], []
    for _ in range(WRITTEN):
        hidden, carry = decoder((step, carry))
        step = out(hidden)
        written.append(step)
    return luxport.namespace(past).concat(written, axis=1)


# %%
# The sum of two waves of different lengths, with noise, in windows of 50 steps.
def make_windows(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sequences to read, (count, 40, 1), and their continuations, (count, 10, 1)."""
    rng = np.random.default_rng(0)
    t = np.arange(READ + WRITTEN) / 5 + rng.uniform(0, 100, (count, 1))
    wave = np.sin(t) + 0.5 * np.sin(2.3 * t) + 0.05 * rng.normal(size=t.shape)
    wave = wave.astype(np.float32)[..., None]
    return wave[:, :READ], wave[:, READ:]


def objective(model: Any, ps: Any, st: Any, data: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Return the mean squared error of a decoder that gets the true values, one step late."""
    past, future = data
    xp = luxport.namespace(past)
    given = xp.concat([past[:, -1:, :], future[:, :-1, :]], axis=1)
    y, st = model((past, given), ps, st)
    return xp.mean((y - future) ** 2), st, {}


def train(epochs: int = 30, count: int = 1024) -> tuple[float, list[float], training.TrainState]:
    """Return the mean loss of the last epoch, that of each, and the trained state."""
    state = training.TrainState.create(model, optimizers.Adam(0.01))
    loader = training.DataLoader(make_windows(count), 64, shuffle=True, seed=0)
    means = []
    for _ in tqdm(range(epochs), disable=None):
        values = []
        for batch in loader:
            data = luxport.tree.map(luxport.asarray, batch)
            loss, _, state = training.train_step(objective, data, state, jit=COMPILED)
            values.append(float(loss))
        means.append(float(np.mean(values)))
    return means[-1], means, state


def main() -> None:
    """Train, forecast three windows and draw them."""
    import matplotlib.pyplot as plt

    _, means, state = train()
    past, future = make_windows(256)
    forecast, _ = model((luxport.asarray(past), None), state.ps, luxport.test_mode(state.st))
    forecast = luxport.to_numpy(forecast)
    error = ((forecast - future) ** 2).mean()
    print(f"mean loss of the last epoch {means[-1]:.4f}, of free forecasts {error:.4f} (the noise alone: 0.0025)")
    figure, axes = plt.subplots(1, 3, figsize=(10, 2.5), sharey=True)
    for index, axis in enumerate(axes):
        axis.plot(range(READ), past[index, :, 0], color="gray")
        axis.plot(range(READ, READ + WRITTEN), future[index, :, 0], color="gray", linestyle=":", label="right")
        axis.plot(range(READ, READ + WRITTEN), forecast[index, :, 0], color="tab:orange", label="forecast")
    axes[-1].legend()
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
