"""
A normalizing flow
==================

Learned here: a custom layer that returns more than an array. RealNVP's coupling layers map two moons to a
normal distribution and back, and each adds the logarithm of its Jacobian's determinant.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import make_moons
from tqdm import tqdm

import luxport
from luxport import Chain, Dense, namespace, optimizers, tanh, training

# PyTorch's compiler would take longer than all of the training.
COMPILED = luxport.default_backend().name != "torch"


# %%
# One coordinate is kept, and determines scale and shift of the other, so that the layer is invertible.
class Coupling(luxport.WrapperLayer):
    """Takes and returns ``(x, logdet)``: points (N, 2), and the Jacobian's log-determinants (N,)."""

    net: luxport.Layer
    kept: int = 0

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        """Map data to noise."""
        points, logdet = x
        (scale, shift), st = self.find_scale_and_shift(points, ps, st)
        moved = self.join(points, points[:, 1 - self.kept] * namespace(points).exp(scale) + shift)
        return (moved, logdet + scale), st

    def invert(self, points: Any, ps: Any, st: Any) -> Any:
        """Map noise to data."""
        (scale, shift), _ = self.find_scale_and_shift(points, ps, st)
        return self.join(points, (points[:, 1 - self.kept] - shift) * namespace(points).exp(-scale))

    def find_scale_and_shift(self, points: Any, ps: Any, st: Any) -> tuple[tuple[Any, Any], Any]:
        """Return scale and shift, both (N,)."""
        y, st = self.net(points[:, self.kept : self.kept + 1], ps, st)
        return (luxport.tanh(y[:, 0]), y[:, 1]), st

    def join(self, points: Any, other: Any) -> Any:
        """Return points (N, 2) with the other coordinate replaced."""
        pair = [points[:, self.kept], other] if self.kept == 0 else [other, points[:, self.kept]]
        return namespace(points).stack(pair, axis=-1)


model = Chain(*[Coupling(Chain(Dense(1, 32, tanh), Dense(32, 2)), kept=i % 2) for i in range(6)])


def objective(model: Any, ps: Any, st: Any, points: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Return the mean negative log-density."""
    xp = namespace(points)
    (noise, logdet), st = model((points, 0 * points[:, 0]), ps, st)
    return xp.mean(xp.sum(noise**2, axis=-1) / 2 + np.log(2 * np.pi) - logdet), st, {}


def draw_moons(count: int) -> np.ndarray:
    """Return points of two moons around 0."""
    points = np.asarray(make_moons(count, noise=0.05, random_state=0)[0])
    return (points - points.mean(axis=0)).astype(np.float32)


def train(steps: int = 600, count: int = 512) -> tuple[float, training.TrainState]:
    """Return the last loss and the trained state."""
    state = training.TrainState.create(model, optimizers.Adam(0.005))
    data = luxport.asarray(draw_moons(count))
    for _ in tqdm(range(steps), disable=None):
        loss, _, state = training.train_step(objective, data, state, jit=COMPILED)
    return float(loss), state


def main() -> None:
    """Train, and draw points from the flow."""
    import matplotlib.pyplot as plt

    loss, state = train()
    print(f"minus log-likelihood {loss:.4f} (a normal distribution: 2.2)")
    points = luxport.asarray(luxport.rng(1).normal((512, 2)))
    for name, layer in reversed(list(model.layers.items())):
        points = layer.invert(points, state.ps[name], state.st[name])
    data, drawn = draw_moons(512), luxport.to_numpy(points)
    plt.scatter(*data.T, s=6, label="moons")
    plt.scatter(*drawn.T, s=6, label="drawn from the flow")
    plt.legend()
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
