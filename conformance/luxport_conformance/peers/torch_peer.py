"""PyTorch's own modules: those without recurrence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from luxport.porting.torch.conventions import (
    PADDING_MODES,
    swap_bilinear_weight,
    swap_dense_weight,
)
from luxport.tree.static import Static
from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, Peer, symmetric
from luxport_conformance.peers.torch_attention import ATTENTION
from luxport_conformance.peers.torch_functions import FUNCTIONS
from luxport_conformance.peers.torch_recurrent import RECURRENT
from luxport_conformance.peers.torch_tools import called, module
from luxport_conformance.peers.torch_training import INITIALIZERS, LOSSES, OPTIMIZERS
from luxport_conformance.peers.without import COMPOSED, nothing_like

__all__ = ["TORCH"]


def _dense(layer: Any, x: Any, st: Any) -> Counterpart:
    linear = module("Linear")(layer.in_dims, layer.out_dims, layer.use_bias)
    return called(linear, lambda ps: {"weight": swap_dense_weight(ps["weight"]), "bias": ps.get("bias")}, layer)


def _bilinear(layer: Any, x: Any, st: Any) -> Counterpart:
    pair = layer.in_dims if isinstance(layer.in_dims, tuple) else (layer.in_dims,) * 2
    bilinear = module("Bilinear")(*pair, layer.out_dims, layer.use_bias)
    made = called(bilinear, lambda ps: {"weight": swap_bilinear_weight(ps["weight"]), "bias": ps.get("bias")}, layer)
    return made if isinstance(x, tuple) else Counterpart(lambda x, ps: made.call((x, x), ps))


_MODES = {ours: theirs for theirs, ours in PADDING_MODES.items()}


def _padded(pairs: Any, mode: str = "zeros", value: float | None = None) -> Callable[[Any], Any]:
    """Return PyTorch's padding by a pair for each axis, which it takes from the last one on."""
    from torch.nn import functional

    flat = [size for pair in reversed(tuple(pairs)) for size in pair]
    mode = "constant" if mode == "zeros" else mode
    return lambda x: functional.pad(x, flat, mode, value) if any(flat) else x


def _conv(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, axes = layer._windows, len(layer._windows.window)
    mode = _MODES[layer.padding_mode]
    alike = all(low == high for low, high in windows.padding)
    conv = module("Conv", axes)(
        *(layer.in_channels, layer.out_channels, windows.window, windows.stride),
        symmetric(windows.padding) if alike else 0,
        *(windows.dilation, _groups(layer), layer.use_bias),
        mode,
    )
    made = called(conv, lambda ps: {"weight": _turned(layer, ps["weight"]), "bias": ps.get("bias")}, layer)
    if alike:
        return made
    pad = _padded(windows.padding, mode)
    return Counterpart(lambda x, ps: made.call(pad(x), ps), "pads both sides alike: padded by nn.functional.pad before")


def _groups(layer: Any) -> int:
    return layer.in_channels if type(layer).__name__ == "DepthwiseConv" else layer.groups


def _turned(layer: Any, weight: Any) -> Any:
    return weight if layer.cross_correlation else weight.flip(tuple(range(2, weight.ndim)))


def _conv_transpose(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, axes = layer._windows, len(layer._windows.window)
    alike = all(low == high for low, high in windows.padding)
    conv = module("ConvTranspose", axes)(
        *(layer.in_channels, layer.out_channels, windows.window, windows.stride),
        symmetric(windows.padding) if alike else 0,
        *(layer._output_padding, layer.groups, layer.use_bias, windows.dilation),
    )
    weight = (lambda w: w.flip(tuple(range(2, w.ndim)))) if not layer.cross_correlation else (lambda w: w)
    made = called(conv, lambda ps: {"weight": weight(ps["weight"]), "bias": ps.get("bias")}, layer)
    if alike:
        return made

    def cut(x: Any, ps: Any) -> Any:
        y = made.call(x, ps)
        for axis, (low, high) in enumerate(windows.padding, start=2):
            y = y.narrow(axis, low, y.shape[axis] - low - high)
        return y

    return Counterpart(cut, "cuts both sides alike: cut afterward")


def _max_pool(layer: Any, x: Any, st: Any) -> Counterpart:
    windows = layer._windows
    alike = all(
        low == high and 2 * low <= size for (low, high), size in zip(windows.padding, windows.window, strict=True)
    )
    padding = symmetric(windows.padding) if alike else 0
    pool = module("MaxPool", len(windows.window))(windows.window, windows.stride, padding, windows.dilation)
    if alike:
        return called(pool)
    pad = _padded(windows.padding, value=-np.inf)
    return Counterpart(lambda x, ps: pool(pad(x)), "pads both sides alike: padded by nn.functional.pad before")


def _mean_pool(layer: Any, x: Any, st: Any) -> Counterpart:
    windows = layer._windows
    if max(windows.dilation) > 1:
        raise NoCounterpartError("has no dilation")
    padding = symmetric(windows.padding)
    return called(
        module("AvgPool", len(windows.window))(
            windows.window, windows.stride, padding, count_include_pad=layer.count_include_pad
        )
    )


def _lp_pool(layer: Any, x: Any, st: Any) -> Counterpart:
    windows = layer._windows
    if max(windows.dilation) > 1:
        raise NoCounterpartError("has no dilation")
    pool, pad = _lp(layer.p, windows.window, windows.stride), _padded(windows.padding)
    remark = "has no padding: padded by nn.functional.pad before" if any(map(any, windows.padding)) else ""
    return Counterpart(lambda x, ps: pool(pad(x)), remark)


def _global_pool(name: str) -> Build:
    return lambda layer, x, st: called(module(name, x.ndim - 2)(1))


def _global_lp_pool(layer: Any, x: Any, st: Any) -> Counterpart:
    return called(_lp(layer.p, x.shape[2:], x.shape[2:]))


def _lp(p: float, window: Any, stride: Any) -> Any:
    one = len(window) == 1  # with one axis PyTorch takes numbers alone
    return module("LPPool", len(window))(p, window[0] if one else window, stride[0] if one else stride)


def _adaptive_pool(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        sizes = layer.output_size if isinstance(layer.output_size, tuple) else (layer.output_size,)
        if not layer.variable_windows and any(n % m for n, m in zip(x.shape[2:], sizes, strict=True)):
            raise NoCounterpartError("windows that differ in size where sizes do not divide (variable_windows)")
        return called(module(name, len(sizes))(sizes))

    return build


def _norm(layer: Any) -> Any:
    return lambda ps: {"weight": ps.get("scale"), "bias": ps.get("bias")}


def _tracking(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        import torch

        axes = max(1, x.ndim - 2)
        norm = module(name, axes)(layer.channels, layer.epsilon, layer.momentum, layer.affine, layer.track_stats)
        for statistic in ("running_mean", "running_var") if layer.track_stats else ():
            getattr(norm, statistic).data = torch.tensor(st[statistic])
        made = called(norm, _norm(layer), layer)
        if st["training"] != Static(True):
            return made
        norm.train()
        return Counterpart(
            lambda x, ps: (made.call(x, ps), {"running_mean": norm.running_mean, "running_var": norm.running_var})
        )

    return build


def _layer_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    return called(module("LayerNorm")(layer.shape, layer.epsilon, layer.affine), _norm(layer), layer)


def _group_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    return called(module("GroupNorm")(layer.groups, layer.channels, layer.epsilon, layer.affine), _norm(layer), layer)


def _rms_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    return called(module("RMSNorm")(layer.shape, layer.epsilon, layer.affine), lambda ps: {"weight": ps.get("scale")})


def _embedding(layer: Any, x: Any, st: Any) -> Counterpart:
    if isinstance(x, tuple) or x.dtype.kind != "i":
        raise NoCounterpartError("takes one array of indices")
    table = module("Embedding")(layer.in_dims, layer.out_dims, layer.padding_idx)
    made = called(table, lambda ps: {"weight": ps["weight"]})
    return replace(made, differences=("no padding row",) if layer.padding_idx is not None else ())


def _embedding_bag(layer: Any, x: Any, st: Any) -> Counterpart:
    if x.dtype.kind != "i" or layer.reduction not in ("mean", "sum", "max"):
        raise NoCounterpartError("takes indices, and their mean, sum or maximum")
    bag = module("EmbeddingBag")(layer.in_dims, layer.out_dims, mode=layer.reduction)
    return called(bag, lambda ps: {"weight": ps["weight"]})


def _pixel_shuffle(layer: Any, x: Any, st: Any) -> Counterpart:
    if x.ndim != 4:
        raise NoCounterpartError("takes two spatial axes")
    return called(module("PixelShuffle")(layer.factor))


def _upsample(layer: Any, x: Any, st: Any) -> Counterpart:
    corners = {} if layer.mode == "nearest" else {"align_corners": layer.align_corners}
    return called(module("Upsample")(layer.size, layer.scale, layer.mode, **corners))


def _weight_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if type(layer.layer).__name__ != "Dense" or layer.axes is not None:
        raise NoCounterpartError("is asked of Dense alone")
    from torch.nn.utils import parametrizations

    inner = layer.layer
    linear = parametrizations.weight_norm(module("Linear")(inner.in_dims, inner.out_dims, inner.use_bias))

    def parameters(ps: Any) -> dict[str, Any]:
        names = {"original0": "weight_g", "original1": "weight_v"}
        weights = {
            f"parametrizations.weight.{n}": swap_dense_weight(ps["normalized"][ours]) for n, ours in names.items()
        }
        return weights | {"bias": ps["unnormalized"].get("bias")}

    return called(linear, parameters, inner)


def _spectral_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if type(layer.layer).__name__ != "Dense" or layer.axes is not None:
        raise NoCounterpartError("is asked of Dense alone")
    import torch
    from torch.nn.utils import parametrizations

    inner = layer.layer
    linear = parametrizations.spectral_norm(module("Linear")(inner.in_dims, inner.out_dims, inner.use_bias))
    path = "parametrizations.weight"

    def call(x: Any, ps: Any) -> Any:
        weight = swap_dense_weight(ps["weight"])
        # Both vectors are kept in PyTorch, u alone here: v is what one of its steps makes of u.
        u = torch.as_tensor(np.asarray(st["u"]["weight"]), dtype=x.dtype)
        u, v = torch.nn.functional.normalize(u, dim=0), torch.nn.functional.normalize(weight.detach().T @ u, dim=0)
        given = {f"{path}.original": weight, f"{path}.0._u": u, f"{path}.0._v": v, "bias": ps.get("bias")}
        named = {name: value for name, value in given.items() if value is not None}
        linear.eval()
        return torch.func.functional_call(linear, named, (x,))

    return Counterpart(call, "keeps a second vector, made of the first")


def _prelu(layer: Any, x: Any, st: Any) -> Counterpart:
    if isinstance(layer.shape, tuple):
        raise NoCounterpartError("has one weight, or one a channel")
    return called(module("PReLU")(layer.shape), lambda ps: {"weight": ps["weight"]})


def _flatten(layer: Any, x: Any, st: Any) -> Counterpart:
    if layer.N is None:
        return called(module("Flatten")())
    return called(module("Flatten")(x.ndim - layer.N))


def _reshape(layer: Any, x: Any, st: Any) -> Counterpart:
    from torch import nn

    return called(nn.Sequential(module("Flatten")(), module("Unflatten")(1, layer.dims)))


def _dropout(name: str) -> Build:
    return lambda layer, x, st: called(module(name)(layer.p))


_NONE = {
    **COMPOSED,
    **nothing_like(
        "AdaptiveLPPool Diagonal GaussianDropout GaussianNoise RotaryPositionalEmbedding Scale "
        "SinusoidalPositionalEmbedding VariationalHiddenDropout"
    ),
    "BidirectionalRNN": "has one kind of cell in both directions",
}

TORCH = Peer(
    name="torch.nn",
    backend="torch",
    modules=("torch",),
    packages=("torch",),
    layers={
        "AdaptiveMaxPool": _adaptive_pool("AdaptiveMaxPool"),
        "AdaptiveMeanPool": _adaptive_pool("AdaptiveAvgPool"),
        "AlphaDropout": _dropout("AlphaDropout"),
        "BatchNorm": _tracking("BatchNorm"),
        "Bilinear": _bilinear,
        "Conv": _conv,
        "ConvTranspose": _conv_transpose,
        "CrossCor": _conv,
        "Dense": _dense,
        "DepthwiseConv": _conv,
        "Dropout": _dropout("Dropout"),
        "Embedding": _embedding,
        "EmbeddingBag": _embedding_bag,
        "FlattenLayer": _flatten,
        "GlobalLPPool": _global_lp_pool,
        "GlobalMaxPool": _global_pool("AdaptiveMaxPool"),
        "GlobalMeanPool": _global_pool("AdaptiveAvgPool"),
        "GroupNorm": _group_norm,
        "InstanceNorm": _tracking("InstanceNorm"),
        "LPPool": _lp_pool,
        "LayerNorm": _layer_norm,
        "MaxPool": _max_pool,
        "MeanPool": _mean_pool,
        "PReLU": _prelu,
        "PixelShuffle": _pixel_shuffle,
        "RMSNorm": _rms_norm,
        "Upsample": _upsample,
        "WeightNorm": _weight_norm,
        "ReshapeLayer": _reshape,
        "SpectralNorm": _spectral_norm,
        **ATTENTION,
        **RECURRENT,
    },
    none=_NONE,
    operations=FUNCTIONS,
    losses=LOSSES,
    optimizers=OPTIMIZERS,
    initializers=INITIALIZERS,
)
