"""
A convolutional variational autoencoder
=======================================

Learned here: a model of several parts by `compact`, convolutions and their transposes, and random numbers that are the
same on every backend. Digits of 8 by 8 pixels are encoded in four numbers, and decoded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from tqdm import tqdm

import luxport
from luxport import Chain, Conv, ConvTranspose, Dense, FlattenLayer, ReshapeLayer, compact, optimizers, relu, training

# PyTorch's compiler would take longer than all of the training.
COMPILED = luxport.default_backend().name != "torch"
CODE = 4

encoder = Chain(
    Conv((3, 3), 1, 8, relu, stride=2, padding=1),
    Conv((3, 3), 8, 16, relu, stride=2, padding=1),
    FlattenLayer(),
    Dense(64, 2 * CODE),
)
decoder = Chain(
    Dense(CODE, 64, relu),
    ReshapeLayer((16, 2, 2)),
    ConvTranspose((4, 4), 16, 8, relu, stride=2, padding=1),
    ConvTranspose((4, 4), 8, 1, stride=2, padding=1),
)


# %%
# The noise is an input, so that the model is a deterministic function.
@compact("VAE", encoder=encoder, decoder=decoder)
def model(x: Any, *, encoder: Any, decoder: Any) -> Any:
    """Return the logits of pixels, and the mean and log-variance of the code."""
    images, noise = x
    code = encoder(images)
    mean, logvar = code[:, :CODE], code[:, CODE:]
    return decoder(mean + luxport.namespace(code).exp(logvar / 2) * noise), mean, logvar


def objective(model: Any, ps: Any, st: Any, data: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Return the bound on the negative log-likelihood (minus ELBO), averaged over samples."""
    images, _ = data
    xp = luxport.namespace(images)
    (logits, mean, logvar), st = model(data, ps, st)
    pixels = xp.sum(luxport.ops.softplus(logits) - images * logits)
    divergence = xp.sum(xp.exp(logvar) + mean**2 - 1 - logvar) / 2
    return (pixels + divergence) / images.shape[0], st, {}


def read_digits(count: int) -> np.ndarray:
    """Return images (count, 1, 8, 8) with pixels from 0 to 1."""
    pixels, _ = load_digits(return_X_y=True)
    return (np.asarray(pixels)[:count] / 16).astype(np.float32).reshape(-1, 1, 8, 8)


def train(epochs: int = 30, count: int = 1792) -> tuple[float, training.TrainState]:
    """Return the mean loss of the last epoch and the trained state."""
    loader = training.DataLoader(read_digits(count), 64, shuffle=True, seed=0)
    state = training.TrainState.create(model, optimizers.Adam(0.003))
    rng, values = luxport.rng(1), [0.0]
    for _ in tqdm(range(epochs), disable=None):
        values = []
        for images in loader:
            data = luxport.asarray(images), luxport.asarray(rng.normal((images.shape[0], CODE)))
            loss, _, state = training.train_step(objective, data, state, jit=COMPILED)
            values.append(float(loss))
    return float(np.mean(values)), state


def main() -> None:
    """Train, and draw digits beside their reconstructions."""
    import matplotlib.pyplot as plt

    loss, state = train()
    print(f"minus the bound: {loss:.3f} a digit")
    images = read_digits(8)
    still = luxport.asarray(np.zeros((8, CODE), np.float32))
    (logits, _, _), _ = model((luxport.asarray(images), still), state.ps, luxport.test_mode(state.st))
    back = 1 / (1 + np.exp(-luxport.to_numpy(logits)))
    figure, axes = plt.subplots(2, 8, figsize=(8, 2.2))
    for column in range(8):
        for row, shown in zip(axes, (images, back), strict=True):
            row[column].imshow(shown[column, 0], cmap="gray_r")
            row[column].axis("off")
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
