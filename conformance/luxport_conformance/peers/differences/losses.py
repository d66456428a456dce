"""Differences of losses: in their arguments, and in the entries over which they are averaged."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import luxport
from luxport import losses
from luxport_conformance.peers.differences.difference import Difference, Shown
from luxport_conformance.peers.differences.layers import X

__all__ = ["LOSSES"]

_P, _Q = (np.exp(a) / np.exp(a).sum(-1, keepdims=True) for a in (X, X[:, ::-1]))
_FLAGS = np.ones(2, np.float32)


def _show_over_entries(torch: Any) -> Shown:
    with warnings.catch_warnings(action="ignore"):  # PyTorch warns about this reduction, its default
        there = torch.nn.functional.kl_div(torch.tensor(np.log(_P)), torch.tensor(_Q), reduction="mean")
    return Shown(losses.kldivergence(_P, _Q), there, {"p": _P, "q": _Q})


def _show_logarithms(torch: Any) -> Shown:
    def kl_div(p: Any) -> Any:
        return torch.nn.functional.kl_div(torch.tensor(p), torch.tensor(_Q), reduction="batchmean")

    return Shown(losses.kldivergence(_P, _Q), kl_div(_P), {"kl_div": kl_div, "p": _P})


def _show_clipped(torch: Any) -> Shown:
    there = torch.nn.functional.binary_cross_entropy(torch.zeros(2), torch.tensor(_FLAGS))
    return Shown(losses.binarycrossentropy(np.zeros(2, np.float32), _FLAGS), there)


def _show_per_entry(optax: Any) -> Shown:
    y = X[::-1].copy()
    return Shown(losses.mse(X, y), optax.losses.squared_error(X, y), {"y_hat": X, "y": y})


def _show_half_sum(tensorflow: Any) -> Shown:
    y = X[::-1].copy()
    return Shown(losses.mse(X, y), tensorflow.nn.l2_loss(X - y), {"y_hat": X, "y": y})


def _show_made_to_add_up(keras: Any) -> Shown:
    p, y = 2.0 * _P, np.eye(3, dtype=np.float32)[:2]
    there = keras.ops.convert_to_numpy(keras.ops.mean(keras.losses.categorical_crossentropy(y, p)))
    return Shown(losses.crossentropy(p, y), there, {"p": p, "y": y})


def _show_one_plus(keras: Any) -> Shown:
    there = keras.ops.convert_to_numpy(keras.ops.mean(keras.losses.mean_squared_logarithmic_error(_Q, _P)))
    return Shown(losses.msle(_P, _Q), there, {"p": _P, "q": _Q})


def _show_dtype(onnxruntime: Any) -> Shown:
    y_hat = np.zeros(2, np.float32)
    layer = luxport.WrappedFunction(lambda pair: losses.binarycrossentropy(*pair))
    specs = tuple(luxport.InputSpec(one.shape, "float32") for one in (y_hat, _FLAGS))
    session = onnxruntime.InferenceSession(luxport.to_onnx(None, layer, {}, {}, specs).SerializeToString())
    names = [one.name for one in session.get_inputs()]
    there = session.run(None, dict(zip(names, (y_hat, _FLAGS), strict=True)))[0]
    wide = (y_hat.astype(np.float64), _FLAGS.astype(np.float64))
    return Shown(losses.binarycrossentropy(*wide), there, {"y_hat": wide[0], "y": wide[1]})


LOSSES: tuple[Difference, ...] = (
    Difference(
        "mean over all entries", "torch", "kldivergence", _show_over_entries, "losses.kldivergence(p, q) / p.shape[-1]"
    ),
    Difference(
        "logarithms for probabilities", "torch", "kldivergence", _show_logarithms, "kl_div(np.log(p))", gives="here"
    ),
    Difference("clipped probabilities", "torch", "binarycrossentropy", _show_clipped),
    Difference("loss per entry", "optax", "mse", _show_per_entry, "losses.mse(y_hat, y, agg=None)"),
    Difference("half a sum of squares", "tensorflow", "mse", _show_half_sum, "losses.mse(y_hat, y) * y.size / 2"),
    Difference(
        "probabilities made to add up",
        "keras",
        "crossentropy",
        _show_made_to_add_up,
        "losses.crossentropy(p / p.sum(-1, keepdims=True), y)",
    ),
    Difference("logarithms of 1 plus", "keras", "msle", _show_one_plus, "losses.msle(p, q, epsilon=1.0)"),
    Difference(
        "epsilon of the dtype",
        "onnxruntime",
        "binarycrossentropy",
        _show_dtype,
        "losses.binarycrossentropy(y_hat, y, epsilon=np.finfo(np.float32).eps)",
    ),
)
