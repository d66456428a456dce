"""Port Keras's layers on spatial axes: convolutions, pools, paddings, croppings and upsampling."""

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
    "port_conv",
    "port_conv_transpose",
    "make_convolution_builder",
    "port_cropping",
    "port_depthwise",
    "make_global_pool_port",
    "make_pool_port",
    "port_separable",
    "port_upsampling",
    "port_zero_padding",
]


def _shorten(sizes: tuple[int, ...]) -> int | tuple[int, ...]:
    """Return one number if it is the same along all axes."""
    return sizes[0] if len(set(sizes)) == 1 else sizes


def _apply_padding(layer: Any, make: Callable[[Any], Any], dilation: tuple[int, ...]) -> Layer:
    """Return a convolution or pool with Keras's padding "valid", "causal" or "same"."""
    plain = make(0)
    if layer.padding == "valid":
        return plain
    windows = plain._windows
    if layer.padding == "causal":
        return make(tuple([(d * (k - 1), 0) for d, k in zip(dilation, windows.window, strict=True)]))
    if any(stride > 1 for stride in windows.stride):
        return functions.SamePadded(plain)
    return make(functions.compute_same_pads(windows.window, windows))


def port_conv(layer: Any) -> list[Step]:
    """Return a convolution, which in Keras does not flip its kernel."""
    ps = collect_arrays(layer, weight="kernel", bias="bias")
    ps["weight"] = convert_conv_weight(ps["weight"])
    out, part, *kernel = ps["weight"].shape
    make = make_convolution_builder(
        layer, luxport.CrossCor, kernel, (part * layer.groups, out), ps, groups=layer.groups
    )
    return add_activation(layer, make, ps)


def make_convolution_builder(
    layer: Any, kind: Any, kernel: Sequence[int], channels: tuple[int, int], ps: Mapping[str, Any], **options: Any
) -> Callable[[Any], Layer]:
    """Return a function that builds a convolution of this kind with an activation."""
    dilation = read_sizes(layer.dilation_rate)
    options |= {"stride": _shorten(read_sizes(layer.strides)), "dilation": _shorten(dilation), "use_bias": "bias" in ps}

    def make(activation: Any) -> Layer:
        def conv(padding: Any) -> Layer:
            return kind(tuple(kernel), *channels, activation, padding=padding, **options)

        return _apply_padding(layer, conv, dilation)

    return make


def port_depthwise(layer: Any) -> list[Step]:
    """Return a depthwise convolution."""
    ps = collect_arrays(layer, weight="kernel", bias="bias")
    return add_activation(layer, _make_depthwise_builder(layer, ps), ps)


def _make_depthwise_builder(layer: Any, ps: dict[str, Any]) -> Callable[[Any], Layer]:
    """Convert the weight in `ps`, and return a function that builds the depthwise convolution with an activation."""
    *kernel, channels, multiplier = ps["weight"].shape
    ps["weight"] = convert_depthwise_weight(ps["weight"])
    sizes = channels, channels * multiplier
    return make_convolution_builder(layer, luxport.DepthwiseConv, kernel, sizes, ps, cross_correlation=True)


def port_separable(layer: Any) -> list[Step]:
    """Return a depthwise convolution, and a pointwise convolution that combines its channels."""
    each = collect_arrays(layer, weight="depthwise_kernel")
    first = _make_depthwise_builder(layer, each)(luxport.identity)
    pointwise = collect_arrays(layer, weight="pointwise_kernel", bias="bias")
    pointwise["weight"] = convert_conv_weight(pointwise["weight"])
    out, channels, *kernel = pointwise["weight"].shape

    def make(activation: Any) -> Layer:
        return luxport.CrossCor(tuple(kernel), channels, out, activation, use_bias="bias" in pointwise)

    return [Step(first, each, layout=read_layout(layer), suffix="depthwise"), *add_activation(layer, make, pointwise)]


def port_conv_transpose(layer: Any) -> list[Step]:
    """Return a transposed convolution."""
    ps = collect_arrays(layer, weight="kernel", bias="bias")
    ps["weight"] = convert_conv_weight(ps["weight"])
    channels, out, *kernel = ps["weight"].shape
    rank = len(kernel)
    strides, dilation = read_sizes(layer.strides), read_sizes(layer.dilation_rate)
    more = layer.output_padding
    more = (None,) * rank if more is None else read_sizes(more) * (rank if isinstance(more, int) else 1)
    cuts = [
        _compute_transposed_pads(layer.padding, d * (k - 1) + 1, s, n)
        for k, s, d, n in zip(kernel, strides, dilation, more, strict=True)
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


def _compute_transposed_pads(padding: str, k: int, stride: int, more: int | None) -> tuple[int, int, int]:
    """Return the padding (low, high) and the output padding of a transposed convolution along one axis.

    Of its (size - 1) stride + k elements, low and high are removed at the ends, and the output padding is added.
    """
    if padding == "valid":
        return 0, 0, max(k, stride) - k if more is None else more
    around = stride + k - 2 if more is None else k + k % 2 - 2 + more
    below = min(around // 2 + around % 2, k - 1)
    above = around - below
    return k - 1 - below, max(k - 1 - above, 0), max(above - (k - 1), 0)


def make_pool_port(kind: Any, **options: Any) -> Callable[[Any], Step]:
    """Return a function that ports a pool of this kind."""

    def port(layer: Any) -> Step:
        window = read_sizes(layer.pool_size)
        strides = window if layer.strides is None else read_sizes(layer.strides)

        def pool(padding: Any) -> Layer:
            return kind(window, stride=strides, padding=padding, **options)

        return Step(_apply_padding(layer, pool, (1,) * len(window)), layout=read_layout(layer))

    return port


def make_global_pool_port(kind: Any) -> Callable[[Any], Step]:
    """Return a function that ports a global pool of this kind."""

    def port(layer: Any) -> Step:
        if layer.keepdims:
            return Step(kind(), layout=read_layout(layer))
        return Step(
            luxport.Chain(kind(), luxport.FlattenLayer()), _EMPTY_PAIR, _EMPTY_PAIR, read_layout(layer), is_flat=True
        )

    return port


_EMPTY_PAIR: dict[str, Any] = {"layer_1": {}, "layer_2": {}}


def _read_pairs(values: Any) -> tuple[tuple[int, int], ...]:
    """Return a pair for each axis; for one axis, Keras has the pair itself."""
    values = tuple(values)
    return (values,) if isinstance(values[0], int) else tuple([tuple(pair) for pair in values])  # type: ignore[return-value]


def port_zero_padding(layer: Any) -> Step:
    """Return a padding with zeros."""
    return make_function_step(functions.pad, read_layout(layer), padding=_read_pairs(layer.padding))


def port_cropping(layer: Any) -> Step:
    """Return a cropping."""
    return make_function_step(functions.crop, read_layout(layer), cropping=_read_pairs(layer.cropping))


def port_upsampling(layer: Any) -> Step:
    """Return an upsampling without aligned corners, as in Keras."""
    mode = getattr(layer, "interpolation", "nearest")
    if mode == "bicubic":
        # Keras uses the bicubic interpolation of its backend, and PyTorch's differs from that of the others.
        torch = import_module("keras").backend.backend() == "torch"
        return make_function_step(
            functions.resize_bicubic, read_layout(layer), scale=read_sizes(layer.size), sharp=torch
        )
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"it has interpolation={mode!r}")
    corners = {} if mode == "nearest" else {"align_corners": False}
    return Step(luxport.Upsample(read_sizes(layer.size), mode, **corners), layout=read_layout(layer))
