"""
A Bayesian network
==================

Learned here: parameters as one vector, the form that samplers need. Hamiltonian Monte Carlo draws networks from their
posterior distribution, and the networks disagree where there were no data. Another sampler needs only the function
``logdensity``: on JAX, ``blackjax.nuts(logdensity, …)`` takes it unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tqdm import tqdm

import luxport
from luxport import Chain, Dense, tanh

# PyTorch's compiler would take longer than all of the drawing.
COMPILED = luxport.default_backend().name != "torch"
NOISE = 0.1
model = Chain(Dense(1, 10, tanh), Dense(10, 1))


def make_data(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy points of a wave, without any between -1/2 and 1/2."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 2, (count, 1)) * rng.choice([-1, 1], (count, 1))
    return x.astype(np.float32), (np.sin(2 * x) + NOISE * rng.normal(size=x.shape)).astype(np.float32)


# %%
# `flatten` makes a vector of the parameters, and `restore` makes parameters for the model from a vector.
def make_density(count: int) -> tuple[Callable[[Any], Any], Callable[[Any], Any], Any]:
    """Return the log-density, the function that makes parameters from a vector, and a vector to start from."""
    ps, st = luxport.setup(0, model)
    start, restore = luxport.flatten(ps)
    x, y = (luxport.asarray(part) for part in make_data(count))

    def logdensity(vector: Any) -> Any:
        xp = luxport.namespace(vector)
        found, _ = model(x, restore(vector), st)
        return -xp.sum(((found - y) / NOISE) ** 2) / 2 - xp.sum(vector**2) / 2

    return logdensity, restore, start


# %%
# A draw gives the vector a random momentum, follows its motion, and accepts the end if energy was conserved.
def compute_energy(value: Any, push: Any) -> float:
    """Return minus the total energy, which an exact path would conserve."""
    return float(value) - float(luxport.namespace(push).sum(push**2)) / 2


def train(draws: int = 400, steps: int = 30, count: int = 60) -> tuple[float, float, np.ndarray, Callable[[Any], Any]]:
    """Return the mean log-density of the second half, the share of accepted draws, the vectors, and `restore`."""
    logdensity, restore, vector = make_density(count)
    slope = luxport.value_and_grad(logdensity)
    slope = luxport.jit(slope) if COMPILED else slope
    rng, size, kept, values, vectors = luxport.rng(1), 0.01, 0, [], []
    value, gradient = slope(vector)
    for draw in tqdm(range(draws), disable=None):
        push = luxport.asarray(rng.normal(tuple(vector.shape)))
        place, moved, there, uphill = vector, push, value, gradient
        for _ in range(steps):
            moved = moved + size / 2 * uphill
            place = place + size * moved
            there, uphill = slope(place)
            moved = moved + size / 2 * uphill
        chance = np.exp(min(0.0, compute_energy(there, moved) - compute_energy(value, push)))
        if float(rng.uniform((1,))[0]) < chance:
            vector, value, gradient, kept = place, there, uphill, kept + 1
        if draw >= draws // 2:
            values.append(float(value))
            vectors.append(luxport.to_numpy(vector))
        else:
            # The step size is adapted until three of four draws are accepted.
            size *= 1.05 if chance > 0.75 else 0.9
    return float(np.mean(values)), kept / draws, np.stack(vectors), restore


def main() -> None:
    """Draw networks, and show their mean and how much they differ."""
    import matplotlib.pyplot as plt

    value, kept, vectors, restore = train()
    print(f"logarithm of the density {value:.2f}, {kept:.0%} of the moves accepted")
    grid = np.linspace(-3, 3, 121, dtype=np.float32)[:, None]
    _, st = luxport.setup(0, model)
    lines = np.stack(
        [
            luxport.to_numpy(model(luxport.asarray(grid), restore(luxport.asarray(vector)), st)[0])[:, 0]
            for vector in vectors[::4]
        ]
    )
    spread = lines.std(axis=0)
    print(f"networks differ by {spread[60]:.3f} in the gap, by {spread[90]:.3f} where there was data")
    mean = lines.mean(axis=0)
    plt.fill_between(grid[:, 0], mean - 2 * spread, mean + 2 * spread, alpha=0.3)
    plt.plot(grid[:, 0], mean)
    plt.scatter(*make_data(60), s=8, color="black")
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
