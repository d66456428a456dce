"""
A diffusion model
=================

Learned here: a network that takes two inputs and is called in a loop after training. It learns to predict the noise
in noisy digits; sampling removes noise in twenty steps (J. Song et al., Denoising Diffusion Implicit Models, 2021).
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from tqdm import tqdm

import luxport
from luxport import BatchNorm, Chain, Conv, Dense, SamePad, SkipConnection, compact, optimizers, swish, training

# PyTorch's compiler would take longer than all of the training.
COMPILED = luxport.default_backend().name != "torch"
FREQUENCIES = [float(np.pi * 2.0**power) for power in range(6)]


def make_block(channels: int) -> Any:
    """Return a residual block."""
    conv = Conv((3, 3), channels, channels, padding=SamePad(), use_bias=False)
    return SkipConnection(Chain(BatchNorm(channels, swish), conv, BatchNorm(channels, swish), conv), operator.add)


# %%
# The share of noise is encoded by sines and cosines, like positions in a transformer.
@compact(
    "Denoiser",
    enter=Conv((3, 3), 1, 32, padding=SamePad()),
    embed=Chain(Dense(12, 32, swish), Dense(32, 32)),
    blocks=Chain(make_block(32), make_block(32)),
    leave=Conv((3, 3), 32, 1, padding=SamePad()),
)
def model(x: Any, *, enter: Any, embed: Any, blocks: Any, leave: Any) -> Any:
    """Return the noise that the model finds in images (N, 1, 8, 8) with shares of noise (N, 1)."""
    images, part = x
    xp = luxport.namespace(images)
    angles = xp.concat([frequency * part for frequency in FREQUENCIES], axis=-1)
    level = embed(xp.concat([xp.sin(angles), xp.cos(angles)], axis=-1))
    return leave(blocks(enter(images) + level[:, :, None, None]))


def objective(model: Any, ps: Any, st: Any, data: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Return the mean squared error of the predicted noise."""
    images, noise, part = data
    xp = luxport.namespace(images)
    angle = (part * (np.pi / 2))[:, :, None, None]
    seen, st = model((xp.cos(angle) * images + xp.sin(angle) * noise, part), ps, st)
    return xp.mean((seen - noise) ** 2), st, {}


def read_digits(count: int) -> np.ndarray:
    """Return images (count, 1, 8, 8) with pixels from -1 to 1."""
    pixels, _ = load_digits(return_X_y=True)
    return (np.asarray(pixels)[:count] / 8 - 1).astype(np.float32).reshape(-1, 1, 8, 8)


def train(epochs: int = 60, count: int = 1792) -> tuple[float, training.TrainState]:
    """Return the mean loss of the last epoch and the trained state."""
    loader = training.DataLoader(read_digits(count), 64, shuffle=True, seed=0)
    state = training.TrainState.create(model, optimizers.Adam(0.002))
    rng, values = luxport.rng(1), [0.0]
    for _ in tqdm(range(epochs), disable=None):
        values = []
        for images in loader:
            noise, part = rng.normal(images.shape), rng.uniform((images.shape[0], 1))
            data = luxport.tree.map(luxport.asarray, (images, noise, part))
            loss, _, state = training.train_step(objective, data, state, jit=COMPILED)
            values.append(float(loss))
    return float(np.mean(values)), state


# %%
# From noise to an image: predict the noise, remove it, and add a smaller share of it again.
def sample(state: training.TrainState, count: int, steps: int = 20) -> np.ndarray:
    """Return `count` images that the model generates from noise."""
    images, st = luxport.asarray(luxport.rng(2).normal((count, 1, 8, 8))), luxport.test_mode(state.st)
    parts = np.linspace(0.99, 0, steps + 1)
    for now, later in zip(parts[:-1], parts[1:], strict=True):
        part = luxport.asarray(np.full((count, 1), now, np.float32))
        noise, _ = model((images, part), state.ps, st)
        clean = (images - float(np.sin(now * np.pi / 2)) * noise) / float(np.cos(now * np.pi / 2))
        clean = luxport.namespace(images).clip(clean, -1, 1)
        images = float(np.cos(later * np.pi / 2)) * clean + float(np.sin(later * np.pi / 2)) * noise
    return luxport.to_numpy(images)


def main() -> None:
    """Train, and plot digits that the model has generated."""
    import matplotlib.pyplot as plt

    loss, state = train()
    print(f"mean square of the error in the noise {loss:.4f} (1 for a model that predicts 0)")
    figure, axes = plt.subplots(2, 8, figsize=(8, 2.2))
    for axis, image in zip(axes.ravel(), sample(state, 16), strict=True):
        axis.imshow(image[0], cmap="gray_r", vmin=-1, vmax=1)
        axis.axis("off")
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
