"""
A gravitational waveform
========================

Learned here: a network as a part of known physics. Two distant black holes orbit each other nearly by Newton's
equations. A small network corrects these until the gravitational waves are those of relativity (B. Keith, A. Khadse,
S. Field, 2021). The correction is nearly 0 at first, and is learned from the waves alone, not from the orbit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from neural_ode import step_by_runge_kutta
from scipy.optimize import minimize
from tqdm import tqdm

import luxport
from luxport import Chain, Dense, tanh
from luxport.initializers import truncated_normal

# PyTorch's compiler would take longer than all of the training.
COMPILED = luxport.default_backend().name != "torch"
P, E = 100.0, 0.5  # the orbit's semi-latus rectum, in total masses, and its eccentricity
STEP = 240.0  # the time step, in total masses

# %%
# The rates depend only on the cosine of the anomaly. Weights are small, so that the correction is small at first.
small = truncated_normal(std=1e-3)
model = Chain(Dense(1, 32, tanh), Dense(32, 32, tanh), Dense(32, 2, init_weight=small))


def compute_newtonian_rate(angles: Any) -> Any:
    """Return the rate of the anomaly, and of the orbit's angle, which is the same: angles (N, 2) -> (N, 1)."""
    return (1 + E * luxport.namespace(angles).cos(angles[:, :1])) ** 2 / P**1.5


def compute_relativistic_rates(angles: np.ndarray) -> np.ndarray:
    """Return both rates for a light body around a black hole by general relativity: (N, 2) -> (N, 2)."""
    cos = np.cos(angles[:, :1])
    common = (P - 2 - 2 * E * cos) * (1 + E * cos) ** 2 / np.sqrt((P - 2) ** 2 - 4 * E**2)
    return np.concatenate([common * np.sqrt(P - 6 - 2 * E * cos) / P**2, common / P**1.5], axis=1)


# %%
# The wave is the second time derivative of the orbit's quadrupole, by finite differences, scaled to about 1.
def compute_wave(path: Any) -> Any:
    """Return the wave of angles at equal times, (T, 2) -> (T - 2,)."""
    xp = luxport.namespace(path)
    radius = P / (1 + E * xp.cos(path[:, 0]))
    moment = radius**2 * xp.cos(2 * path[:, 1])
    return (moment[2:] - 2 * moment[1:-1] + moment[:-2]) * (P / STEP**2)


def solve(field: Any, start: Any, length: int) -> Any:
    """Return the angles from start (1, 2), of shape (length, 2)."""
    return luxport.scan(lambda y, _: (step_by_runge_kutta(field, y, STEP), y[0, :]), start, None, length=length)[1]


def compute_true_wave(length: int) -> np.ndarray:
    """Return the wave by general relativity, (length - 2,)."""
    path = [np.array([[np.pi, 0.0]])]
    for _ in range(length - 1):
        path.append(step_by_runge_kutta(compute_relativistic_rates, path[-1], STEP))
    return compute_wave(np.concatenate(path)).astype(np.float32)


def correct(ps: Any, st: Any, length: int) -> Any:
    """Return the wave with Newton's equations corrected by the network."""
    start = luxport.asarray(np.array([[np.pi, 0.0]], np.float32))

    def field(angles: Any) -> Any:
        return compute_newtonian_rate(angles) * (1 + model(luxport.namespace(angles).cos(angles[:, :1]), ps, st)[0])

    return compute_wave(solve(field, start, length))


# %%
# With few parameters and a loss without noise, L-BFGS takes larger steps than Adam. It optimizes one vector.
def train(steps: int = 120, length: int = 250) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Return the last loss, and the waves by relativity, by Newton, and by Newton with the correction."""
    ps, st = luxport.setup(0, model)
    vector, restore = luxport.flatten(ps)
    right = luxport.asarray(compute_true_wave(length))

    def loss(vector: Any) -> Any:
        return luxport.namespace(vector).mean((correct(restore(vector), st, length) - right) ** 2)

    slope = luxport.value_and_grad(loss)
    slope = luxport.jit(slope) if COMPILED else slope
    bar = tqdm(total=steps, disable=None)

    def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = slope(luxport.asarray(point, dtype="float32"))
        return float(value), luxport.to_numpy(gradient).astype(np.float64)

    begin = luxport.to_numpy(vector).astype(np.float64)
    options = {"maxiter": steps}
    found = minimize(
        objective, begin, jac=True, method="L-BFGS-B", options=options, callback=lambda _: bar.update() and None
    )
    bar.close()
    corrected = correct(restore(luxport.asarray(found.x, dtype="float32")), st, length)
    return (
        float(found.fun),
        compute_true_wave(length),
        luxport.to_numpy(correct(ps, st, length)),
        luxport.to_numpy(corrected),
    )


def main() -> None:
    """Train, and draw the waves."""
    import matplotlib.pyplot as plt

    loss, right, before, after = train()
    print(f"mean square of the error {np.mean((before - right) ** 2):.2e} before, {loss:.2e} after")
    plt.figure(figsize=(8, 3))
    plt.plot(right, color="gray", linewidth=3, label="relativity")
    plt.plot(before, ":", label="Newton")
    plt.plot(after, "--", color="tab:orange", label="Newton, corrected")
    plt.legend()
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
