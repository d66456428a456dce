"""Build luxport layers from the names and constructor arguments of PyTorch's modules."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import luxport
from luxport.core.layer import Layer
from luxport.porting.network import BatchOptional
from luxport.porting.torch.conventions import PADDING_MODES, find_same_pads
from luxport.porting.torch.functions.shaping import flatten
from luxport.porting.with_options import WithOptions

__all__ = ["MODULES", "Arguments", "build", "split_layer_type"]


class Arguments:
    """The arguments of a module, which a builder takes one by one; those that are left have no counterpart."""

    def __init__(self, layer_type: str, values: Mapping[str, Any]) -> None:
        self._layer_type = layer_type
        self._left = dict(values)

    def take(self, name: str, *default: Any) -> Any:
        """Remove and return an argument, or return its default.

        Raises: ValueError if there is neither
        """
        if name not in self._left and not default:
            raise ValueError(f"{self._layer_type} expects the argument {name}, got {', '.join(self._left) or 'none'}")
        return self._left.pop(name, *default)

    def take_per_axis(self, name: str, axes: int, *default: Any) -> tuple[int, ...]:
        """Remove an argument that is one number, or one for each spatial axis, and return one for each axis."""
        value = self.take(name, *default)
        values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        return values * axes if len(values) == 1 else values

    def expect(self, name: str, *allowed: Any) -> None:
        """Remove an argument of which only the allowed values have a counterpart; the first of them is the default.

        Raises: ValueError for another value
        """
        value = self._left.pop(name, allowed[0])
        if value not in allowed:
            raise ValueError(f"{self._layer_type} with {name} = {value!r} has no counterpart: expected {allowed[0]!r}")

    def expect_none_left(self) -> None:
        """Check that no argument is left.

        Raises: ValueError
        """
        if self._left:
            raise ValueError(f"{self._layer_type} with {', '.join(self._left)} has no counterpart")


def build(layer_type: str, values: Mapping[str, Any]) -> Layer:
    """Return the layer for the name of a PyTorch module and its arguments.

    Raises: ValueError if there is no counterpart
    """
    name, axes = split_layer_type(layer_type)
    if name not in MODULES:
        raise ValueError(f"the layer type {layer_type} has no counterpart; known are {', '.join(MODULES)}")
    arguments = Arguments(layer_type, values)
    layer = MODULES[name](arguments, axes)
    arguments.expect_none_left()
    return layer


def split_layer_type(layer_type: str) -> tuple[str, int]:
    """Split the name of a PyTorch module into its kind and its number of spatial axes, 0 if the name has none.

    >>> split_layer_type("Conv2d"), split_layer_type("Linear")
    (('Conv', 2), ('Linear', 0))
    """
    name, axes = re.fullmatch(r"(.*?)(?:([123])d)?", layer_type, re.DOTALL).groups()  # type: ignore[union-attr]
    return name, int(axes or 0)


def _build_linear(arguments: Arguments, axes: int) -> Layer:
    sizes = arguments.take("in_features"), arguments.take("out_features")
    return luxport.Dense(*sizes, use_bias=arguments.take("bias", True))


def _build_bilinear(arguments: Arguments, axes: int) -> Layer:
    inputs = arguments.take("in1_features"), arguments.take("in2_features")
    return luxport.Bilinear(inputs, arguments.take("out_features"), use_bias=arguments.take("bias", True))


def _build_conv(arguments: Arguments, axes: int) -> Layer:
    kernel = arguments.take_per_axis("kernel_size", axes)
    dilation = arguments.take_per_axis("dilation", axes, 1)
    mode = arguments.take("padding_mode", "zeros")
    if mode not in PADDING_MODES:
        raise ValueError(f"expected a padding_mode among {', '.join(PADDING_MODES)}, got {mode!r}")
    return BatchOptional(
        luxport.Conv(
            kernel,
            *(arguments.take("in_channels"), arguments.take("out_channels")),
            stride=arguments.take_per_axis("stride", axes, 1),
            padding=_read_padding(arguments, kernel, dilation),
            dilation=dilation,
            groups=arguments.take("groups", 1),
            use_bias=arguments.take("bias", True),
            padding_mode=PADDING_MODES[mode],
            cross_correlation=True,
        ),
        axes + 2,
    )


def _build_conv_transpose(arguments: Arguments, axes: int) -> Layer:
    kernel = arguments.take_per_axis("kernel_size", axes)
    arguments.expect("padding_mode", "zeros")
    return BatchOptional(
        luxport.ConvTranspose(
            kernel,
            *(arguments.take("in_channels"), arguments.take("out_channels")),
            stride=arguments.take_per_axis("stride", axes, 1),
            padding=arguments.take_per_axis("padding", axes, 0),
            dilation=arguments.take_per_axis("dilation", axes, 1),
            groups=arguments.take("groups", 1),
            use_bias=arguments.take("bias", True),
            output_padding=arguments.take_per_axis("output_padding", axes, 0),
            cross_correlation=True,
        ),
        axes + 2,
    )


def _read_padding(arguments: Arguments, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> Any:
    padding = arguments.take("padding", 0)
    if padding == "valid":
        return 0
    if padding == "same":
        return find_same_pads(kernel, dilation)
    return tuple(padding) if isinstance(padding, (list, tuple)) else padding


def _read_window(arguments: Arguments, axes: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    window = arguments.take_per_axis("kernel_size", axes)
    stride = arguments.take("stride", None)
    arguments.expect("ceil_mode", False)
    if stride is None or stride == []:
        return window, window
    return window, tuple(stride) if isinstance(stride, (list, tuple)) else (stride,) * axes


def _build_max_pool(arguments: Arguments, axes: int) -> Layer:
    window, stride = _read_window(arguments, axes)
    arguments.expect("return_indices", False)
    padding, dilation = arguments.take_per_axis("padding", axes, 0), arguments.take_per_axis("dilation", axes, 1)
    return BatchOptional(luxport.MaxPool(window, stride=stride, padding=padding, dilation=dilation), axes + 2)


def _build_mean_pool(arguments: Arguments, axes: int) -> Layer:
    window, stride = _read_window(arguments, axes)
    arguments.expect("divisor_override", None)
    padding, counted = arguments.take_per_axis("padding", axes, 0), arguments.take("count_include_pad", True)
    return BatchOptional(luxport.MeanPool(window, stride=stride, padding=padding, count_include_pad=counted), axes + 2)


def _build_lp_pool(arguments: Arguments, axes: int) -> Layer:
    window, stride = _read_window(arguments, axes)
    return BatchOptional(luxport.LPPool(window, stride=stride, p=arguments.take("norm_type")), axes + 2)


def _make_adaptive_builder(layer: str) -> Callable[[Arguments, int], Layer]:
    def build_adaptive(arguments: Arguments, axes: int) -> Layer:
        arguments.expect("return_indices", False)
        sizes = arguments.take_per_axis("output_size", axes)
        return BatchOptional(getattr(luxport, layer)(sizes), axes + 2)

    return build_adaptive


def _build_batch_norm(arguments: Arguments, axes: int) -> Layer:
    return luxport.BatchNorm(
        arguments.take("num_features"),
        epsilon=arguments.take("eps", 1e-5),
        momentum=_read_momentum(arguments),
        affine=_read_affine(arguments, "affine", True),
        track_stats=arguments.take("track_running_stats", True),
    )


def _build_instance_norm(arguments: Arguments, axes: int) -> Layer:
    return BatchOptional(
        luxport.InstanceNorm(
            arguments.take("num_features"),
            epsilon=arguments.take("eps", 1e-5),
            momentum=_read_momentum(arguments),
            affine=_read_affine(arguments, "affine", False),
            track_stats=arguments.take("track_running_stats", False),
        ),
        axes + 2,
    )


def _read_affine(arguments: Arguments, name: str, default: bool) -> bool:
    affine, bias = arguments.take(name, default), arguments.take("bias", True)
    if affine and not bias:
        raise ValueError("a norm with a weight and without a bias has no counterpart")
    return affine


def _read_momentum(arguments: Arguments) -> float:
    momentum = arguments.take("momentum", 0.1)
    if momentum is None:
        raise ValueError("momentum = None, a cumulative average, has no counterpart: expected a number")
    return momentum


def _build_layer_norm(arguments: Arguments, axes: int) -> Layer:
    shape = arguments.take("normalized_shape")
    return luxport.LayerNorm(
        tuple(shape) if isinstance(shape, (list, tuple)) else (shape,),
        epsilon=arguments.take("eps", 1e-5),
        affine=_read_affine(arguments, "elementwise_affine", True),
    )


def _build_dropout(arguments: Arguments, axes: int) -> Layer:
    p = arguments.take("p", 0.5)
    arguments.take("inplace", False)
    if not axes:
        return luxport.Dropout(p)
    return BatchOptional(luxport.Dropout(p, axes=(0, 1)), axes + 2)  # drops whole channels


def _build_alpha_dropout(arguments: Arguments, axes: int) -> Layer:
    arguments.take("inplace", False)
    return luxport.AlphaDropout(arguments.take("p", 0.5))


def _build_flatten(arguments: Arguments, axes: int) -> Layer:
    axes_to_merge = {"start_dim": arguments.take("start_dim", 1), "end_dim": arguments.take("end_dim", -1)}
    return luxport.WrappedFunction(WithOptions.with_keywords(flatten, **axes_to_merge))


MODULES: Mapping[str, Callable[[Arguments, int], Layer]] = {
    "AdaptiveAvgPool": _make_adaptive_builder("AdaptiveMeanPool"),
    "AdaptiveMaxPool": _make_adaptive_builder("AdaptiveMaxPool"),
    "AlphaDropout": _build_alpha_dropout,
    "AvgPool": _build_mean_pool,
    "BatchNorm": _build_batch_norm,
    "Bilinear": _build_bilinear,
    "Conv": _build_conv,
    "ConvTranspose": _build_conv_transpose,
    "Dropout": _build_dropout,
    "Flatten": _build_flatten,
    "InstanceNorm": _build_instance_norm,
    "LPPool": _build_lp_pool,
    "LayerNorm": _build_layer_norm,
    "Linear": _build_linear,
    "MaxPool": _build_max_pool,
}
