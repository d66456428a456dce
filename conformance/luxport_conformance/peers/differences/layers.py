"""Differences of dense layers, convolutions, pixel shuffling, embeddings and attention."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

import luxport
from luxport import ops
from luxport.porting.torch.conventions import swap_dense_weight
from luxport_conformance.peers.differences.difference import Difference, Shown

__all__ = ["LAYERS", "W", "X"]

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], np.float32)
W = np.array([[1.0, 2.0], [-1.0, 0.5], [0.25, 3.0]], np.float32)
_KERNEL = np.array([[[1.0, 2.0]]], np.float32)


def _show_dense(torch: Any) -> Shown:
    weight = W.T.copy()
    there = torch.nn.functional.linear(torch.tensor(X), torch.tensor(weight))
    return Shown(X @ weight.reshape(3, 2), there, {"x": X, "weight": weight})


def _show_flipped(torch: Any) -> Shown:
    x = X[None, :1]
    there = torch.nn.functional.conv1d(torch.tensor(x), torch.tensor(_KERNEL))
    return Shown(ops.conv(x, _KERNEL), there, {"x": x, "weight": _KERNEL})


def _show_padding(jax: Any) -> Shown:
    x = X[None, :1]
    there = jax.lax.conv_general_dilated(x, _KERNEL, (1,), "SAME")
    same = luxport.Conv((2,), 1, 1, padding=luxport.SamePad(), cross_correlation=True, use_bias=False)
    return Shown(same(x, {"weight": _KERNEL}, {})[0], there, {"x": x, "weight": _KERNEL, "k": 2})


def _show_last(tensorflow: Any) -> Shown:
    image, kernel = np.stack([X, -X[::-1]])[None], np.arange(4.0, dtype=np.float32).reshape(1, 2, 2, 1)
    weight = kernel.transpose(3, 2, 0, 1)
    there = tensorflow.nn.conv2d(image.transpose(0, 2, 3, 1), kernel, 1, "VALID")
    return Shown(ops.conv(image, weight, flip=False), there, {"x": image, "kernel": kernel})


def _show_blocks(tensorflow: Any) -> Shown:
    x = np.arange(8.0, dtype=np.float32).reshape(1, 8, 1, 1)
    there = tensorflow.transpose(tensorflow.nn.depth_to_space(x.transpose(0, 2, 3, 1), 2), (0, 3, 1, 2))
    return Shown(ops.pixel_shuffle(x, factor=2), there, {"x": x, "factor": 2})


def _show_one_sample(equinox: Any) -> Shown:
    jax = import_module("jax")
    linear = equinox.nn.Linear(3, 3, use_bias=False, key=jax.random.key(0))
    square = np.vstack([X, X[:1] + 1.0])
    # Equinox takes the batch for one sample; a square batch raises no error, but its axes are used in the wrong order.
    here = square @ swap_dense_weight(np.asarray(linear.weight))
    return Shown(here, linear(square), {"x": square, "layer": linear, "vmap": jax.vmap})


def _show_padding_row(torch: Any) -> Shown:
    indices = np.array([0, 1, 2], np.int32)
    there = torch.nn.functional.embedding(torch.tensor(indices), torch.tensor(W), padding_idx=1)
    table = luxport.Embedding(3, 2, padding_idx=1)
    return Shown(table(indices, {"weight": W}, {})[0], there, {"indices": indices, "weight": W})


def _show_masked(jax: Any) -> Shown:
    q, k, v = (np.full((1, 2, 1, 2), fill, np.float32) for fill in (1.0, 2.0, 3.0))
    mask = np.array([[[[True, True], [False, False]]]])
    there = jax.nn.dot_product_attention(q, k, v, mask=mask)[0, :, 0]
    own = luxport.MultiHeadAttention(2, nheads=1, return_scores=False)
    eye = {f"{name}_proj": {"weight": np.eye(2, dtype=np.float32)} for name in ("q", "k", "v", "out")}
    st = luxport.test_mode(luxport.setup(0, own, backend="numpy")[1])
    return Shown(own((q[:, :, 0], k[:, :, 0], v[:, :, 0], mask), eye, st)[0][0], there)


LAYERS: tuple[Difference, ...] = (
    Difference("weights (out, in)", "torch", "Dense", _show_dense, "x @ swap_dense_weight(weight)"),
    Difference("flipped kernel", "torch", "Conv", _show_flipped, "ops.conv(x, weight, flip=False)"),
    Difference(
        "padding high",
        "jax",
        "Conv",
        _show_padding,
        "ops.conv(x, weight, padding=(((k - 1) // 2, k // 2),), flip=False)",
    ),
    Difference(
        "channels last",
        "tensorflow",
        "Conv",
        _show_last,
        "np.moveaxis(ops.conv(x, convert_conv_weight(kernel), flip=False), 1, -1)",
    ),
    Difference(
        "blocks before channels",
        "tensorflow",
        "PixelShuffle",
        _show_blocks,
        "ops.pixel_shuffle(x.reshape(len(x), factor**2, -1).swapaxes(1, 2).reshape(x.shape), factor=factor)",
    ),
    Difference("one sample at a time", "equinox", "Dense", _show_one_sample, "vmap(layer)(x)", gives="here"),
    Difference(
        "no padding row",
        "torch",
        "Embedding",
        _show_padding_row,
        "luxport.Embedding(3, 2)(indices, {'weight': weight}, {})[0]",
    ),
    Difference("masked rows", "jax", "MultiHeadAttention", _show_masked),
)
