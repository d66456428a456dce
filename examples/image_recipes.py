"""
Recipes for images
==================

Learned here: three ways to classify images, a residual network, a ConvMixer and a vision transformer, trained by one
recipe: AdamW, a learning rate that rises and falls, label smoothing, randomly shifted images. The images are
scikit-learn's digits, 8 by 8; CIFAR-10, for which these recipes are known, is in no package.

``python examples/image_recipes.py vision_transformer`` trains one of the three.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from tqdm import tqdm

import luxport
from luxport import BatchNorm, Chain, Conv, Dense, FlattenLayer, GlobalMeanPool, SamePad, SkipConnection, gelu, relu
from luxport.initializers import normal

# PyTorch's compiler would take longer than all of the training.
COMPILED = luxport.default_backend().name != "torch"


# %%
# K. He et al. (2016), with three stages of one block.
def residual_network(width: int = 16) -> luxport.Layer:
    """Return a residual network."""

    def make_block(channels: int, out: int, stride: int) -> list[Any]:
        conv = partial(Conv, (3, 3), padding=SamePad(), use_bias=False)
        body = Chain(conv(channels, out, stride=stride), BatchNorm(out, relu), conv(out, out), BatchNorm(out))
        past = None if stride == 1 else Conv((1, 1), channels, out, stride=stride, use_bias=False)
        added = SkipConnection(body, operator.add) if past is None else luxport.Parallel(operator.add, body, past)
        return [added, luxport.WrappedFunction(relu)]

    stem = [Conv((3, 3), 1, width, padding=SamePad(), use_bias=False), BatchNorm(width, relu)]
    blocks = make_block(width, width, 1) + make_block(width, 2 * width, 2) + make_block(2 * width, 4 * width, 2)
    return Chain(*stem, *blocks, GlobalMeanPool(), FlattenLayer(), Dense(4 * width, 10))


# %%
# A. Trockman, J. Z. Kolter (2022): patches, then depthwise and pointwise convolutions.
def conv_mixer(width: int = 48, depth: int = 4) -> luxport.Layer:
    """Return a ConvMixer."""

    def make_block() -> list[Any]:
        own = Chain(Conv((3, 3), width, width, gelu, padding=SamePad(), groups=width), BatchNorm(width))
        return [SkipConnection(own, operator.add), Conv((1, 1), width, width, gelu), BatchNorm(width)]

    stem = [Conv((2, 2), 1, width, gelu, stride=2), BatchNorm(width)]
    blocks = [part for _ in range(depth) for part in make_block()]
    return Chain(*stem, *blocks, GlobalMeanPool(), FlattenLayer(), Dense(width, 10))


# %%
# A. Dosovitskiy et al. (2021): patches are tokens, and the output of one more token gives the class.
def vision_transformer(width: int = 48, depth: int = 3) -> luxport.Layer:
    """Return a vision transformer."""
    blocks = [luxport.TransformerEncoderLayer(width, 2 * width, gelu, nheads=4, norm_first=True) for _ in range(depth)]

    @luxport.compact(
        "ViT",
        patches=Conv((2, 2), 1, width, stride=2),
        question=luxport.parameter(normal(std=0.02), (1, 1, width)),
        positions=luxport.parameter(normal(std=0.02), (1, 17, width)),
        blocks=Chain(*blocks),
        head=Chain(luxport.LayerNorm(width), Dense(width, 10)),
    )
    def model(x: Any, *, patches: Any, question: Any, positions: Any, blocks: Any, head: Any) -> Any:
        xp = luxport.namespace(x)
        words = xp.permute_dims(xp.reshape(patches(x), (x.shape[0], -1, 16)), (0, 2, 1))
        asked = xp.broadcast_to(question, (words.shape[0], 1, question.shape[2]))
        return head(blocks(xp.concat([asked, words], axis=1) + positions)[:, 0, :])

    return model


# %%
# The same recipe for each. Shifts are drawn with NumPy, so that they are the same on every backend.
def yield_moved(x: np.ndarray, y: np.ndarray, epochs: int) -> Iterator[tuple[Any, Any]]:
    """Yield batches of images, shifted by at most one pixel, and labels smoothed by 0.1."""
    rng = np.random.default_rng(0)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for rows in np.split(order[: len(x) // 64 * 64], len(x) // 64):
            shift = tuple(rng.integers(-1, 2, 2))
            images = np.roll(x[rows], shift, axis=(2, 3))
            yield (
                luxport.asarray(images),
                luxport.asarray(0.9 * np.eye(10, dtype=np.float32)[y[rows]] + np.float32(0.01)),
            )


def train(
    name: str = "conv_mixer", epochs: int = 30, count: int = 1437
) -> tuple[float, float, luxport.training.TrainState]:
    """Return the last loss, the accuracy on other images, and the trained state."""
    pixels, labels = load_digits(return_X_y=True)
    x, y = (np.asarray(pixels) / 8 - 1).astype(np.float32).reshape(-1, 1, 8, 8), np.asarray(labels, np.int32)
    state = luxport.training.TrainState.create(globals()[name](), luxport.optimizers.AdamW(0.003, lambda_=0.05))
    steps, loss = epochs * (count // 64), 0.0
    for step, batch in enumerate(tqdm(yield_moved(x[:count], y[:count], epochs), total=steps, disable=None)):
        state = state.adjust(eta=0.005 * min(1.0, 4 * (step + 1) / steps) * (1 - step / steps))
        loss, _, state = luxport.training.train_step(
            luxport.losses.CrossEntropyLoss(logits=True), batch, state, jit=COMPILED
        )
    logits, _ = state.model(luxport.asarray(x[1437:]), state.ps, luxport.test_mode(state.st))
    return float(loss), float(luxport.training.accuracy(logits, luxport.asarray(y[1437:]))), state


def main() -> None:
    """Train all three, or the one of the command line, and plot misclassified digits."""
    import matplotlib.pyplot as plt

    pixels, labels = load_digits(return_X_y=True)
    names = sys.argv[1:] or ["residual_network", "conv_mixer", "vision_transformer"]
    figure, axes = plt.subplots(len(names), 6, figsize=(6, 1.4 * len(names)), squeeze=False)
    for name, row in zip(names, axes, strict=True):
        loss, right, state = train(name)
        print(f"{name}: {luxport.parameter_length(state.model):,} parameters, loss {loss:.3f}, {right:.1%} correct")
        x = luxport.asarray((np.asarray(pixels)[1437:] / 8 - 1).astype(np.float32).reshape(-1, 1, 8, 8))
        said = luxport.to_numpy(state.model(x, state.ps, luxport.test_mode(state.st))[0]).argmax(axis=1)
        for axis, index in zip(row, np.flatnonzero(said != np.asarray(labels)[1437:]), strict=False):
            axis.imshow(np.asarray(pixels)[1437 + index].reshape(8, 8), cmap="gray_r")
            axis.set_title(f"{said[index]}?")
        for axis in row:
            axis.axis("off")
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
