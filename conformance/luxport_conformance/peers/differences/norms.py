"""Differences of norms: in running statistics, in rounding errors of numbers far from 0, and in the groups."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

import luxport
from luxport_conformance.peers.differences.difference import Difference, Shown
from luxport_conformance.peers.differences.layers import X

__all__ = ["NORMS"]

_FAR = X + np.float32(3e5)


def _keep_by_equinox(equinox: Any, momentum: float) -> tuple[Any, Any]:
    """Return Equinox's running mean and variance, which start from 0 and 1, after one training batch."""
    jax = import_module("jax")
    norm, state = equinox.nn.make_with_state(equinox.nn.BatchNorm)(
        3, "batch", channelwise_affine=False, momentum=momentum, mode="batch"
    )
    begun = state.set(norm.batch_state_index, (jax.numpy.zeros(3), jax.numpy.ones(3)))
    run = jax.vmap(norm, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
    return run(X, begun)[1].get(norm.batch_state_index)


def _keep_here(momentum: float) -> Any:
    layer = luxport.BatchNorm(3, affine=False, momentum=momentum)
    ps, st = luxport.setup(0, layer, backend="numpy")
    return layer(X, ps, luxport.train_mode(st))[1]


def _show_share(equinox: Any) -> Shown:
    here, there = _keep_here(0.9)["running_mean"], _keep_by_equinox(equinox, 0.9)[0]
    return Shown(here, there, {"kept_mean": lambda m: _keep_here(m)["running_mean"], "share": 0.9})


def _show_biased(equinox: Any) -> Shown:
    here, there = _keep_here(0.1)["running_var"], _keep_by_equinox(equinox, 0.9)[1]
    return Shown(here, there, {"kept": here, "start": 0.9, "n": len(X)})


def _show_one_pass(linen: Any) -> Shown:
    layer = luxport.LayerNorm(3, affine=False, epsilon=1e-6)
    here = layer(_FAR, *luxport.setup(0, layer, backend="numpy"))[0]
    options = {"use_scale": False, "use_bias": False}
    there = linen.LayerNorm(**options).apply({}, _FAR)
    return Shown(here, there, {"x": _FAR, "linen": linen, "options": options})


def _show_scaled_first(tensorflow: Any) -> Shown:
    layer = luxport.LayerNorm(3, affine=False)
    here = layer(_FAR, *luxport.setup(0, layer, backend="numpy"))[0]
    mean, variance = tensorflow.nn.moments(_FAR, [-1], keepdims=True)
    there = tensorflow.nn.batch_normalization(_FAR, mean, variance, None, None, 1e-5)
    # The float32 rounding error of a mean of 300,000 is a hundredth of the standard deviation, so the converter
    # subtracts a mean computed in float64.
    wide = _FAR.astype(np.float64)
    mean, variance = wide.mean(-1, keepdims=True), wide.var(-1, keepdims=True).astype(np.float32)
    given = {"x": _FAR, "mean": mean, "norm": tensorflow.nn.batch_normalization, "variance": variance}
    return Shown(here, there, given)


def _show_groups(mlx: Any) -> Shown:
    nn, array = mlx, import_module("mlx.core").array
    x = np.hstack([X, X[::-1, :1]])
    layer = luxport.GroupNorm(4, 2, affine=False)
    here = layer(x, *luxport.setup(0, layer, backend="numpy"))[0]
    return Shown(here, nn.GroupNorm(2, 4, affine=False)(array(x)), {"nn": nn, "x": array(x)})


NORMS: tuple[Difference, ...] = (
    Difference("momentum is what is kept", "equinox", "BatchNorm", _show_share, "kept_mean(convert_momentum(share))"),
    Difference("biased running variance", "equinox", "BatchNorm", _show_biased, "start + (kept - start) * (n - 1) / n"),
    Difference(
        "variance in one pass",
        "flax.linen",
        "LayerNorm",
        _show_one_pass,
        "linen.LayerNorm(use_fast_variance=False, **options).apply({}, x)",
        gives="here",
    ),
    Difference(
        "mean subtracted after scaling",
        "tensorflow",
        "LayerNorm",
        _show_scaled_first,
        'norm((x - mean).astype("float32"), 0.0, variance, None, None, 1e-5)',
        gives="here",
    ),
    Difference(
        "interleaved groups",
        "mlx.nn",
        "GroupNorm",
        _show_groups,
        "nn.GroupNorm(2, 4, affine=False, pytorch_compatible=True)(x)",
        gives="here",
    ),
)
