"""Keras's convolutions, pools, and what else works on the spatial axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import luxport
from luxport.core.layer import Layer
from luxport.porting.keras import functions
from luxport.porting.keras.conventions import convert_conv_weight, convert_depthwise_weight
from luxport.porting.keras.steps import (
    Step,
    add_activation,
    collect_arrays,
    make_function_step,
    read_layout,
    read_sizes,
)

__all__ = [
    "conv",
    "conv_transpose",
    "convolution",
    "cropping",
    "depthwise",
    "global_pool",
    "pool",
    "separable",
    "upsampling",
    "zero_padding",
]


def _shorten(sizes: tuple[int, ...]) -> int | tuple[int, ...]:
    """Say once what is the same along all axes."""
    return sizes[0] if len(set(sizes)) == 1 else sizes


def _pad(layer: Any, make: Callable[[Any], Any], dilation: tuple[int, ...]) -> Layer:
    """Make a layer of windows with the padding that Keras has a word for."""
    plain = make(0)
    if layer.padding == "valid":
        return plain
    windows = plain._windows
    if layer.padding == "causal":
        return make(tuple([(d * (k - 1), 0) for d, k in zip(dilation, windows.window, strict=True)]))
    if any(stride > 1 for stride in windows.stride):
        return functions.SamePadded(plain)
    return make(functions.same_pads(windows.window, windows))


def conv(layer: Any) -> list[Step]:
    """Return a convolution, which flips no kernel in Keras."""
    ps = collect_arrays(layer, weight="kernel", bias="bias")
    ps["weight"] = convert_conv_weight(ps["weight"])
    out, part, *kernel = ps["weight"].shape
    make = convolution(layer, luxport.CrossCor, kernel, (part * layer.groups, out), ps, groups=layer.groups)
    return add_activation(layer, make, ps)


def convolution(
    layer: Any, kind: Any, kernel: Sequence[int], channels: tuple[int, int], ps: Mapping[str, Any], **options: Any
) -> Callable[[Any], Layer]:
    """Return what makes a convolution of this kind for an activation."""
    dilation = read_sizes(layer.dilation_rate)
    options |= {"stride": _shorten(read_sizes(layer.strides)), "dilation": _shorten(dilation), "use_bias": "bias" in ps}

    def make(activation: Any) -> Layer:
        def conv(padding: Any) -> Layer:
            return kind(tuple(kernel), *channels, activation, padding=padding, **options)

        return _pad(layer, conv, dilation)

    return make


def depthwise(layer: Any) -> list[Step]:
    """Return a convolution of each channel by itself."""
    ps = collect_arrays(layer, weight="kernel", bias="bias")
    return add_activation(layer, _depthwise_layer(layer, ps), ps)


def _depthwise_layer(layer: Any, ps: dict[str, Any]) -> Callable[[Any], Layer]:
    """Turn the weight round, and return what makes the layer."""
    *kernel, channels, multiplier = ps["weight"].shape
    ps["weight"] = convert_depthwise_weight(ps["weight"])
    sizes = channels, channels * multiplier
    return convolution(layer, luxport.DepthwiseConv, kernel, sizes, ps, cross_correlation=True)


def separable(layer: Any) -> list[Step]:
    """Return a convolution of each channel by itself and one across channels."""
    each = collect_arrays(layer, weight="depthwise_kernel")
    first = _depthwise_layer(layer, each)(luxport.identity)
    pointwise = collect_arrays(layer, weight="pointwise_kernel", bias="bias")
    pointwise["weight"] = convert_conv_weight(pointwise["weight"])
    out, channels, *kernel = pointwise["weight"].shape

    def make(activation: Any) -> Layer:
        return luxport.CrossCor(tuple(kernel), channels, out, activation, use_bias="bias" in pointwise)

    return [Step(first, each, needs=read_layout(layer), after="depthwise"), *add_activation(layer, make, pointwise)]


def conv_transpose(layer: Any) -> list[Step]:
    """Return a transposed convolution."""
    ps = collect_arrays(layer, weight="kernel", bias="bias")
    ps["weight"] = convert_conv_weight(ps["weight"])
    channels, out, *kernel = ps["weight"].shape
    rank = len(kernel)
    strides, dilation = read_sizes(layer.strides), read_sizes(layer.dilation_rate)
    more = layer.output_padding
    more = (None,) * rank if more is None else read_sizes(more) * (rank if isinstance(more, int) else 1)
    cuts = [
        _cut(layer.padding, d * (k - 1) + 1, s, n) for k, s, d, n in zip(kernel, strides, dilation, more, strict=True)
    ]

    def make(activation: Any) -> Layer:
        return luxport.ConvTranspose(
            *(tuple(kernel), channels, out, activation),
            stride=_shorten(strides),
            padding=tuple([(low, high) for low, high, _ in cuts]),
            output_padding=_shorten(tuple([added for *_, added in cuts])),
            dilation=_shorten(dilation),
            use_bias="bias" in ps,
            cross_correlation=True,
        )

    return add_activation(layer, make, ps)


def _cut(padding: str, k: int, stride: int, more: int | None) -> tuple[int, int, int]:
    """Return what is cut away below and above, and what is added above, of (size - 1) stride + k elements."""
    if padding == "valid":
        return 0, 0, max(k, stride) - k if more is None else more
    around = stride + k - 2 if more is None else k + k % 2 - 2 + more
    below = min(around // 2 + around % 2, k - 1)
    above = around - below
    return k - 1 - below, max(k - 1 - above, 0), max(above - (k - 1), 0)


def pool(kind: Any, **options: Any) -> Callable[[Any], Step]:
    """Return what makes a pool of this kind."""

    def make(layer: Any) -> Step:
        window = read_sizes(layer.pool_size)
        strides = window if layer.strides is None else read_sizes(layer.strides)

        def pool(padding: Any) -> Layer:
            return kind(window, stride=strides, padding=padding, **options)

        return Step(_pad(layer, pool, (1,) * len(window)), needs=read_layout(layer))

    return make


def global_pool(kind: Any) -> Callable[[Any], Step]:
    """Return what makes a pool of this kind over all places."""

    def make(layer: Any) -> Step:
        if layer.keepdims:
            return Step(kind(), needs=read_layout(layer))
        return Step(luxport.Chain(kind(), luxport.FlattenLayer()), _TWO, _TWO, read_layout(layer), flat=True)

    return make


_TWO: dict[str, Any] = {"layer_1": {}, "layer_2": {}}


def _read_pairs(values: Any) -> tuple[tuple[int, int], ...]:
    """Read pads: a pair for one axis, or a pair for each."""
    values = tuple(values)
    return (values,) if isinstance(values[0], int) else tuple([tuple(pair) for pair in values])  # type: ignore[return-value]


def zero_padding(layer: Any) -> Step:
    """Return a padding with zeros."""
    return make_function_step(functions.pad, read_layout(layer), padding=_read_pairs(layer.padding))


def cropping(layer: Any) -> Step:
    """Return a cropping."""
    return make_function_step(functions.crop, read_layout(layer), cropping=_read_pairs(layer.cropping))


def upsampling(layer: Any) -> Step:
    """Return an upsampling; Keras does not align corners."""
    mode = getattr(layer, "interpolation", "nearest")
    if mode == "bicubic":
        # Keras leaves bicubic to its backend, and PyTorch's is another one.
        torch = import_module("keras").backend.backend() == "torch"
        return make_function_step(functions.bicubic, read_layout(layer), scale=read_sizes(layer.size), sharp=torch)
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"interpolation={mode!r}")
    corners = {} if mode == "nearest" else {"align_corners": False}
    return Step(luxport.Upsample(read_sizes(layer.size), mode, **corners), needs=read_layout(layer))
