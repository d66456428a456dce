"""
A hypernetwork
==============

Learned here: parameters are data. One network outputs the parameters of another as a flat vector, which the inverse of
`luxport.flatten` makes a tree. The input, the number of a task, selects which wave the small network computes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tqdm import tqdm

import luxport
from luxport import Chain, Dense, Embedding, losses, optimizers, tanh, training

# PyTorch's compiler would take longer than all of the training.
COMPILED = luxport.default_backend().name != "torch"
TASKS = 3

# %%
# The small network has no parameters of its own; only their number is needed here.
small = Chain(Dense(1, 12, tanh), Dense(12, 1))
PS, ST = luxport.setup(0, small, backend="numpy")
vector, UNFLATTEN = luxport.flatten(PS)
model = Chain(Embedding(TASKS, 8), Dense(8, 32, tanh), Dense(32, vector.shape[0]))

x = np.linspace(-2, 2, 50, dtype=np.float32)[:, None]
waves = np.stack([np.sin((task + 1) * x) for task in range(TASKS)])


def draw(model: Any, ps: Any, st: Any, tasks: Any, x: Any) -> Any:
    """Return the small network's outputs for each task, of shape (tasks, N, 1)."""
    vectors, _ = model(tasks, ps, st)
    outputs = [small(x, UNFLATTEN(vectors[task]), ST)[0] for task in range(TASKS)]
    return luxport.namespace(x).stack(outputs)


def objective(model: Any, ps: Any, st: Any, data: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Return the mean squared error over all tasks."""
    tasks, x, y = data
    return losses.mse(draw(model, ps, st, tasks, x), y), st, {}


def train(steps: int = 600) -> tuple[float, training.TrainState]:
    """Return the last loss and the trained state."""
    state = training.TrainState.create(model, optimizers.Adam(0.01))
    data = luxport.asarray(np.arange(TASKS, dtype=np.int32)), luxport.asarray(x), luxport.asarray(waves)
    for _ in tqdm(range(steps), disable=None):
        loss, _, state = training.train_step(objective, data, state, jit=COMPILED)
    return float(loss), state


def main() -> None:
    """Train, and draw the waves."""
    import matplotlib.pyplot as plt

    loss, state = train()
    print(f"mean squared error {loss:.5f}")
    tasks = luxport.asarray(np.arange(TASKS, dtype=np.int32))
    found = luxport.to_numpy(draw(model, state.ps, state.st, tasks, luxport.asarray(x)))
    for task in range(TASKS):
        plt.plot(x, waves[task], color=f"C{task}", alpha=0.4)
        plt.plot(x, found[task], "--", color=f"C{task}", label=f"task {task}")
    plt.legend()
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
