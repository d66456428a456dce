"""PyTorch's own modules, except recurrent ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from luxport.porting.torch.conventions import PADDING_MODES, swap_bilinear_weight, swap_dense_weight
from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, Peer, require_symmetric
from luxport_conformance.peers.layer_tools import count_groups, is_training, list_padding_differences, require_indices
from luxport_conformance.peers.missing_counterparts import COMPOSED, list_without
from luxport_conformance.peers.torch_attention import ATTENTION
from luxport_conformance.peers.torch_functions import FUNCTIONS
from luxport_conformance.peers.torch_recurrent import RECURRENT
from luxport_conformance.peers.torch_tools import find_module, wrap_module
from luxport_conformance.peers.torch_training import INITIALIZERS, LOSSES, OPTIMIZERS

__all__ = ["TORCH"]


def _build_dense(layer: Any, x: Any, st: Any) -> Counterpart:
    linear = find_module("Linear")(layer.in_dims, layer.out_dims, layer.use_bias)
    return wrap_module(linear, lambda ps: {"weight": swap_dense_weight(ps["weight"]), "bias": ps.get("bias")}, layer)


def _build_bilinear(layer: Any, x: Any, st: Any) -> Counterpart:
    pair = layer.in_dims if isinstance(layer.in_dims, tuple) else (layer.in_dims,) * 2
    bilinear = find_module("Bilinear")(*pair, layer.out_dims, layer.use_bias)
    made = wrap_module(
        bilinear, lambda ps: {"weight": swap_bilinear_weight(ps["weight"]), "bias": ps.get("bias")}, layer
    )
    return made if isinstance(x, tuple) else Counterpart(lambda x, ps: made.call((x, x), ps))


_MODES = {ours: theirs for theirs, ours in PADDING_MODES.items()}


def _make_padding(pairs: Any, mode: str = "zeros", value: float | None = None) -> Callable[[Any], Any]:
    """Return a function that pads by a pair for each axis; PyTorch takes the pairs from the last axis to the first."""
    from torch.nn import functional

    flat = [size for pair in reversed(tuple(pairs)) for size in pair]
    mode = "constant" if mode == "zeros" else mode
    return lambda x: functional.pad(x, flat, mode, value) if any(flat) else x


def _build_conv(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, axes = layer._windows, len(layer._windows.window)
    mode = _MODES[layer.padding_mode]
    alike = all(low == high for low, high in windows.padding)
    conv = find_module("Conv", axes)(
        *(layer.in_channels, layer.out_channels, windows.window, windows.stride),
        require_symmetric(windows.padding) if alike else 0,
        *(windows.dilation, count_groups(layer), layer.use_bias),
        mode,
    )
    made = wrap_module(conv, lambda ps: {"weight": _turn(layer, ps["weight"]), "bias": ps.get("bias")}, layer)
    if alike:
        return made
    pad = _make_padding(windows.padding, mode)
    return Counterpart(lambda x, ps: made.call(pad(x), ps), "pads both sides alike: padded by nn.functional.pad before")


def _turn(layer: Any, weight: Any) -> Any:
    return weight if layer.cross_correlation else weight.flip(tuple(range(2, weight.ndim)))


def _build_conv_transpose(layer: Any, x: Any, st: Any) -> Counterpart:
    windows, axes = layer._windows, len(layer._windows.window)
    alike = all(low == high for low, high in windows.padding)
    conv = find_module("ConvTranspose", axes)(
        *(layer.in_channels, layer.out_channels, windows.window, windows.stride),
        require_symmetric(windows.padding) if alike else 0,
        *(layer._output_padding, layer.groups, layer.use_bias, windows.dilation),
    )
    made = wrap_module(conv, lambda ps: {"weight": _turn(layer, ps["weight"]), "bias": ps.get("bias")}, layer)
    if alike:
        return made

    def cut(x: Any, ps: Any) -> Any:
        y = made.call(x, ps)
        for axis, (low, high) in enumerate(windows.padding, start=2):
            y = y.narrow(axis, low, y.shape[axis] - low - high)
        return y

    return Counterpart(cut, "cuts both sides alike: cut afterward")


def _build_max_pool(layer: Any, x: Any, st: Any) -> Counterpart:
    windows = layer._windows
    alike = all(
        low == high and 2 * low <= size for (low, high), size in zip(windows.padding, windows.window, strict=True)
    )
    padding = require_symmetric(windows.padding) if alike else 0
    pool = find_module("MaxPool", len(windows.window))(windows.window, windows.stride, padding, windows.dilation)
    if alike:
        return wrap_module(pool)
    pad = _make_padding(windows.padding, value=-np.inf)
    return Counterpart(lambda x, ps: pool(pad(x)), "pads both sides alike: padded by nn.functional.pad before")


def _build_mean_pool(layer: Any, x: Any, st: Any) -> Counterpart:
    windows = layer._windows
    if max(windows.dilation) > 1:
        raise NoCounterpartError("has no dilation")
    padding = require_symmetric(windows.padding)
    return wrap_module(
        find_module("AvgPool", len(windows.window))(
            windows.window, windows.stride, padding, count_include_pad=layer.count_include_pad
        )
    )


def _build_lp_pool(layer: Any, x: Any, st: Any) -> Counterpart:
    windows = layer._windows
    if max(windows.dilation) > 1:
        raise NoCounterpartError("has no dilation")
    pool, pad = _make_lp_module(layer.p, windows.window, windows.stride), _make_padding(windows.padding)
    remark = "has no padding: padded by nn.functional.pad before" if any(map(any, windows.padding)) else ""
    return Counterpart(lambda x, ps: pool(pad(x)), remark)


def _make_global_pool_builder(name: str) -> Build:
    return lambda layer, x, st: wrap_module(find_module(name, x.ndim - 2)(1))


def _build_global_lp_pool(layer: Any, x: Any, st: Any) -> Counterpart:
    return wrap_module(_make_lp_module(layer.p, x.shape[2:], x.shape[2:]))


def _make_lp_module(p: float, window: Any, stride: Any) -> Any:
    one = len(window) == 1  # for one axis PyTorch takes numbers, no tuples
    return find_module("LPPool", len(window))(p, window[0] if one else window, stride[0] if one else stride)


def _make_adaptive_pool_builder(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        sizes = layer.output_size if isinstance(layer.output_size, tuple) else (layer.output_size,)
        if not layer.variable_windows and any(n % m for n, m in zip(x.shape[2:], sizes, strict=True)):
            raise NoCounterpartError("windows that differ in size where sizes do not divide (variable_windows)")
        return wrap_module(find_module(name, len(sizes))(sizes))

    return build


def _make_converter(layer: Any) -> Any:
    return lambda ps: {"weight": ps.get("scale"), "bias": ps.get("bias")}


def _make_tracking_builder(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        import torch

        axes = max(1, x.ndim - 2)
        norm = find_module(name, axes)(layer.channels, layer.epsilon, layer.momentum, layer.affine, layer.track_stats)
        for statistic in ("running_mean", "running_var") if layer.track_stats else ():
            getattr(norm, statistic).data = torch.tensor(st[statistic])
        made = wrap_module(norm, _make_converter(layer), layer)
        if not is_training(st):
            return made
        norm.train()
        return Counterpart(
            lambda x, ps: (made.call(x, ps), {"running_mean": norm.running_mean, "running_var": norm.running_var})
        )

    return build


def _build_layer_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    return wrap_module(
        find_module("LayerNorm")(layer.shape, layer.epsilon, layer.affine), _make_converter(layer), layer
    )


def _build_group_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    return wrap_module(
        find_module("GroupNorm")(layer.groups, layer.channels, layer.epsilon, layer.affine),
        _make_converter(layer),
        layer,
    )


def _build_rms_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    return wrap_module(
        find_module("RMSNorm")(layer.shape, layer.epsilon, layer.affine), lambda ps: {"weight": ps.get("scale")}
    )


def _build_embedding(layer: Any, x: Any, st: Any) -> Counterpart:
    require_indices(x)
    table = find_module("Embedding")(layer.in_dims, layer.out_dims, layer.padding_idx)
    made = wrap_module(table, lambda ps: {"weight": ps["weight"]})
    return replace(made, differences=list_padding_differences(layer))


def _build_embedding_bag(layer: Any, x: Any, st: Any) -> Counterpart:
    if x.dtype.kind != "i" or layer.reduction not in ("mean", "sum", "max"):
        raise NoCounterpartError("takes indices, and their mean, sum or maximum")
    bag = find_module("EmbeddingBag")(layer.in_dims, layer.out_dims, mode=layer.reduction)
    return wrap_module(bag, lambda ps: {"weight": ps["weight"]})


def _build_pixel_shuffle(layer: Any, x: Any, st: Any) -> Counterpart:
    if x.ndim != 4:
        raise NoCounterpartError("takes two spatial axes")
    return wrap_module(find_module("PixelShuffle")(layer.factor))


def _build_upsample(layer: Any, x: Any, st: Any) -> Counterpart:
    corners = {} if layer.mode == "nearest" else {"align_corners": layer.align_corners}
    return wrap_module(find_module("Upsample")(layer.size, layer.scale, layer.mode, **corners))


def _build_weight_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if type(layer.layer).__name__ != "Dense" or layer.axes is not None:
        raise NoCounterpartError("is asked of Dense alone")
    from torch.nn.utils import parametrizations

    inner = layer.layer
    linear = parametrizations.weight_norm(find_module("Linear")(inner.in_dims, inner.out_dims, inner.use_bias))

    def convert_parameters(ps: Any) -> dict[str, Any]:
        names = {"original0": "weight_g", "original1": "weight_v"}
        weights = {
            f"parametrizations.weight.{n}": swap_dense_weight(ps["normalized"][ours]) for n, ours in names.items()
        }
        return weights | {"bias": ps["unnormalized"].get("bias")}

    return wrap_module(linear, convert_parameters, inner)


def _build_spectral_norm(layer: Any, x: Any, st: Any) -> Counterpart:
    if type(layer.layer).__name__ != "Dense" or layer.axes is not None:
        raise NoCounterpartError("is asked of Dense alone")
    import torch
    from torch.nn.utils import parametrizations

    inner = layer.layer
    linear = parametrizations.spectral_norm(find_module("Linear")(inner.in_dims, inner.out_dims, inner.use_bias))
    path = "parametrizations.weight"

    def call(x: Any, ps: Any) -> Any:
        weight = swap_dense_weight(ps["weight"])
        # PyTorch keeps both vectors u and v, luxport only u; v is computed from u as in a power iteration of PyTorch's.
        u = torch.as_tensor(np.asarray(st["u"]["weight"]), dtype=x.dtype)
        u, v = torch.nn.functional.normalize(u, dim=0), torch.nn.functional.normalize(weight.detach().T @ u, dim=0)
        given = {f"{path}.original": weight, f"{path}.0._u": u, f"{path}.0._v": v, "bias": ps.get("bias")}
        named = {name: value for name, value in given.items() if value is not None}
        linear.eval()
        return torch.func.functional_call(linear, named, (x,))

    return Counterpart(call, "keeps a second vector, made of the first")


def _build_prelu(layer: Any, x: Any, st: Any) -> Counterpart:
    if isinstance(layer.shape, tuple):
        raise NoCounterpartError("has one weight, or one a channel")
    return wrap_module(find_module("PReLU")(layer.shape), lambda ps: {"weight": ps["weight"]})


def _build_flatten(layer: Any, x: Any, st: Any) -> Counterpart:
    if layer.N is None:
        return wrap_module(find_module("Flatten")())
    return wrap_module(find_module("Flatten")(x.ndim - layer.N))


def _build_reshape(layer: Any, x: Any, st: Any) -> Counterpart:
    from torch import nn

    return wrap_module(nn.Sequential(find_module("Flatten")(), find_module("Unflatten")(1, layer.dims)))


def _make_dropout_builder(name: str) -> Build:
    return lambda layer, x, st: wrap_module(find_module(name)(layer.p))


_NONE = {
    **COMPOSED,
    **list_without(
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
        "AdaptiveMaxPool": _make_adaptive_pool_builder("AdaptiveMaxPool"),
        "AdaptiveMeanPool": _make_adaptive_pool_builder("AdaptiveAvgPool"),
        "AlphaDropout": _make_dropout_builder("AlphaDropout"),
        "BatchNorm": _make_tracking_builder("BatchNorm"),
        "Bilinear": _build_bilinear,
        **dict.fromkeys(("Conv", "CrossCor", "DepthwiseConv"), _build_conv),
        "ConvTranspose": _build_conv_transpose,
        "Dense": _build_dense,
        "Dropout": _make_dropout_builder("Dropout"),
        "Embedding": _build_embedding,
        "EmbeddingBag": _build_embedding_bag,
        "FlattenLayer": _build_flatten,
        "GlobalLPPool": _build_global_lp_pool,
        "GlobalMaxPool": _make_global_pool_builder("AdaptiveMaxPool"),
        "GlobalMeanPool": _make_global_pool_builder("AdaptiveAvgPool"),
        "GroupNorm": _build_group_norm,
        "InstanceNorm": _make_tracking_builder("InstanceNorm"),
        "LPPool": _build_lp_pool,
        "LayerNorm": _build_layer_norm,
        "MaxPool": _build_max_pool,
        "MeanPool": _build_mean_pool,
        "PReLU": _build_prelu,
        "PixelShuffle": _build_pixel_shuffle,
        "RMSNorm": _build_rms_norm,
        "Upsample": _build_upsample,
        "WeightNorm": _build_weight_norm,
        "ReshapeLayer": _build_reshape,
        "SpectralNorm": _build_spectral_norm,
        **ATTENTION,
        **RECURRENT,
    },
    none=_NONE,
    operations=FUNCTIONS,
    losses=LOSSES,
    optimizers=OPTIMIZERS,
    initializers=INITIALIZERS,
)
