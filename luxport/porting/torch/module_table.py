"""The layers that a graph may call, by PyTorch's names and with PyTorch's arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import luxport
from luxport.core.layer import Layer
from luxport.porting.network import BatchOptional
from luxport.porting.torch.conventions import PADDING_MODES, find_same_pads
from luxport.porting.torch.functions.shaping import flatten

__all__ = ["MODULES", "Arguments", "build", "kind_and_axes"]


class Arguments:
    """A layer's arguments, taken out one by one: what is left over has no counterpart here."""

    def __init__(self, layer_type: str, values: Mapping[str, Any]) -> None:
        self._layer_type = layer_type
        self._left = dict(values)

    def take(self, name: str, *default: Any) -> Any:
        """Take an argument out, or its default.

        Raises: ValueError if there is neither
        """
        if name not in self._left and not default:
            raise ValueError(f"{self._layer_type} expects the argument {name}, got {', '.join(self._left) or 'none'}")
        return self._left.pop(name, *default)

    def per_axis(self, name: str, axes: int, *default: Any) -> tuple[int, ...]:
        """Take out an argument that is one number for all spatial axes, or one each."""
        value = self.take(name, *default)
        values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        return values * axes if len(values) == 1 else values

    def expect(self, name: str, *allowed: Any) -> None:
        """Take out an argument of which only these values have a counterpart.

        Raises: ValueError
        """
        value = self._left.pop(name, allowed[0])
        if value not in allowed:
            raise ValueError(f"{self._layer_type} with {name} = {value!r} has no counterpart: {allowed[0]!r} expected")

    def finish(self) -> None:
        """Expect that all has been taken.

        Raises: ValueError
        """
        if self._left:
            raise ValueError(f"{self._layer_type} with {', '.join(self._left)} has no counterpart")


def build(layer_type: str, values: Mapping[str, Any]) -> Layer:
    """Build a layer from PyTorch's name for it and its arguments.

    Raises: ValueError if there is no counterpart
    """
    name, axes = kind_and_axes(layer_type)
    if name not in MODULES:
        raise ValueError(f"the layer type {layer_type} has no counterpart; there are {', '.join(MODULES)}")
    arguments = Arguments(layer_type, values)
    layer = MODULES[name](arguments, axes)
    arguments.finish()
    return layer


def kind_and_axes(layer_type: str) -> tuple[str, int]:
    """Take PyTorch's name for a layer apart: what it is, and for how many spatial axes, 0 if it does not say.

    >>> kind_and_axes("Conv2d"), kind_and_axes("Linear")
    (('Conv', 2), ('Linear', 0))
    """
    name, axes = re.fullmatch(r"(.*?)(?:([123])d)?", layer_type, re.DOTALL).groups()  # type: ignore[union-attr]
    return name, int(axes or 0)


def _linear(arguments: Arguments, axes: int) -> Layer:
    sizes = arguments.take("in_features"), arguments.take("out_features")
    return luxport.Dense(*sizes, use_bias=arguments.take("bias", True))


def _bilinear(arguments: Arguments, axes: int) -> Layer:
    inputs = arguments.take("in1_features"), arguments.take("in2_features")
    return luxport.Bilinear(inputs, arguments.take("out_features"), use_bias=arguments.take("bias", True))


def _conv(arguments: Arguments, axes: int) -> Layer:
    kernel = arguments.per_axis("kernel_size", axes)
    dilation = arguments.per_axis("dilation", axes, 1)
    mode = arguments.take("padding_mode", "zeros")
    if mode not in PADDING_MODES:
        raise ValueError(f"a padding_mode among {', '.join(PADDING_MODES)} expected, got {mode!r}")
    return BatchOptional(
        luxport.Conv(
            kernel,
            *(arguments.take("in_channels"), arguments.take("out_channels")),
            stride=arguments.per_axis("stride", axes, 1),
            padding=_padding(arguments, kernel, dilation),
            dilation=dilation,
            groups=arguments.take("groups", 1),
            use_bias=arguments.take("bias", True),
            padding_mode=PADDING_MODES[mode],
            cross_correlation=True,
        ),
        axes + 2,
    )


def _conv_transpose(arguments: Arguments, axes: int) -> Layer:
    kernel = arguments.per_axis("kernel_size", axes)
    arguments.expect("padding_mode", "zeros")
    return BatchOptional(
        luxport.ConvTranspose(
            kernel,
            *(arguments.take("in_channels"), arguments.take("out_channels")),
            stride=arguments.per_axis("stride", axes, 1),
            padding=arguments.per_axis("padding", axes, 0),
            dilation=arguments.per_axis("dilation", axes, 1),
            groups=arguments.take("groups", 1),
            use_bias=arguments.take("bias", True),
            output_padding=arguments.per_axis("output_padding", axes, 0),
            cross_correlation=True,
        ),
        axes + 2,
    )


def _padding(arguments: Arguments, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> Any:
    padding = arguments.take("padding", 0)
    if padding == "valid":
        return 0
    if padding == "same":  # PyTorch puts the odd one above
        return find_same_pads(kernel, dilation)
    return tuple(padding) if isinstance(padding, (list, tuple)) else padding


def _read_window(arguments: Arguments, axes: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    window = arguments.per_axis("kernel_size", axes)
    stride = arguments.take("stride", None)
    arguments.expect("ceil_mode", False)
    if stride is None or stride == []:
        return window, window
    return window, tuple(stride) if isinstance(stride, (list, tuple)) else (stride,) * axes


def _max_pool(arguments: Arguments, axes: int) -> Layer:
    window, stride = _read_window(arguments, axes)
    arguments.expect("return_indices", False)
    padding, dilation = arguments.per_axis("padding", axes, 0), arguments.per_axis("dilation", axes, 1)
    return BatchOptional(luxport.MaxPool(window, stride=stride, padding=padding, dilation=dilation), axes + 2)


def _port_mean_pool(arguments: Arguments, axes: int) -> Layer:
    window, stride = _read_window(arguments, axes)
    arguments.expect("divisor_override", None)
    padding, counted = arguments.per_axis("padding", axes, 0), arguments.take("count_include_pad", True)
    return BatchOptional(luxport.MeanPool(window, stride=stride, padding=padding, count_include_pad=counted), axes + 2)


def _lp_pool(arguments: Arguments, axes: int) -> Layer:
    window, stride = _read_window(arguments, axes)
    return BatchOptional(luxport.LPPool(window, stride=stride, p=arguments.take("norm_type")), axes + 2)


def _adaptive(layer: str) -> Callable[[Arguments, int], Layer]:
    def build_adaptive(arguments: Arguments, axes: int) -> Layer:
        arguments.expect("return_indices", False)
        sizes = arguments.per_axis("output_size", axes)
        return BatchOptional(getattr(luxport, layer)(sizes), axes + 2)

    return build_adaptive


def _batch_norm(arguments: Arguments, axes: int) -> Layer:
    return luxport.BatchNorm(
        arguments.take("num_features"),
        epsilon=arguments.take("eps", 1e-5),
        momentum=_momentum(arguments),
        affine=_affine(arguments, "affine", True),
        track_stats=arguments.take("track_running_stats", True),
    )


def _instance_norm(arguments: Arguments, axes: int) -> Layer:
    return BatchOptional(
        luxport.InstanceNorm(
            arguments.take("num_features"),
            epsilon=arguments.take("eps", 1e-5),
            momentum=_momentum(arguments),
            affine=_affine(arguments, "affine", False),
            track_stats=arguments.take("track_running_stats", False),
        ),
        axes + 2,
    )


def _affine(arguments: Arguments, name: str, default: bool) -> bool:
    affine, bias = arguments.take(name, default), arguments.take("bias", True)
    if affine and not bias:
        raise ValueError("a norm with a weight and without a bias has no counterpart")
    return affine


def _momentum(arguments: Arguments) -> float:
    momentum = arguments.take("momentum", 0.1)
    if momentum is None:
        raise ValueError("momentum = None, a cumulative average, has no counterpart: a number expected")
    return momentum


def _port_layer_norm(arguments: Arguments, axes: int) -> Layer:
    shape = arguments.take("normalized_shape")
    return luxport.LayerNorm(
        tuple(shape) if isinstance(shape, (list, tuple)) else (shape,),
        epsilon=arguments.take("eps", 1e-5),
        affine=_affine(arguments, "elementwise_affine", True),
    )


def _dropout(arguments: Arguments, axes: int) -> Layer:
    p = arguments.take("p", 0.5)
    arguments.take("inplace", False)
    if not axes:
        return luxport.Dropout(p)
    return BatchOptional(luxport.Dropout(p, axes=(0, 1)), axes + 2)  # whole channels


def _alpha_dropout(arguments: Arguments, axes: int) -> Layer:
    arguments.take("inplace", False)
    return luxport.AlphaDropout(arguments.take("p", 0.5))


@dataclass(frozen=True)
class _Flatten:
    """A function that compares by what it does, as the layer around it has to."""

    start: int
    end: int

    def __call__(self, x: Any) -> Any:
        return flatten(x, self.start, self.end)


def _flatten(arguments: Arguments, axes: int) -> Layer:
    return luxport.WrappedFunction(_Flatten(arguments.take("start_dim", 1), arguments.take("end_dim", -1)))


MODULES: Mapping[str, Callable[[Arguments, int], Layer]] = {
    "AdaptiveAvgPool": _adaptive("AdaptiveMeanPool"),
    "AdaptiveMaxPool": _adaptive("AdaptiveMaxPool"),
    "AlphaDropout": _alpha_dropout,
    "AvgPool": _port_mean_pool,
    "BatchNorm": _batch_norm,
    "Bilinear": _bilinear,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "InstanceNorm": _instance_norm,
    "LPPool": _lp_pool,
    "LayerNorm": _port_layer_norm,
    "Linear": _linear,
    "MaxPool": _max_pool,
}
