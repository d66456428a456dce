"""Layers from the attributes of PyTorch's modules: those without arrays, and the options of those with some."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import luxport
from luxport import ops
from luxport.backend import Array, namespace
from luxport.core.layer import Layer
from luxport.porting.petab.network import BatchOptional
from luxport.porting.torch.module_table import MODULES, build, kind_and_axes
from luxport.porting.with_options import WithOptions

__all__ = ["ARRAYLESS", "built"]


def built(module: Any) -> Layer:
    """Build the layer of a module from its constructor's arguments, which it has as attributes.

    Raises: ValueError if there is no counterpart
    """
    name = type(module).__name__
    if kind_and_axes(name)[0] not in MODULES:
        raise ValueError("luxport has no such layer")
    names = set(inspect.signature(type(module).__init__).parameters) - {"self", "device", "dtype", "bias"}
    values = {name: getattr(module, name) for name in names}
    # A norm that is not affine has no bias, either, and says so by `affine`.
    if "bias" in module._parameters and module.bias is None and module.weight is not None:
        values["bias"] = False
    layer = build(name, values)
    return layer.layer if isinstance(layer, BatchOptional) else layer


def _function(function: Callable[..., Array], **attributes: str) -> Callable[[Any], Layer]:
    """Return what makes a layer of a function, its options taken from attributes of the module."""

    def make(module: Any) -> Layer:
        options = tuple([(ours, getattr(module, theirs)) for ours, theirs in attributes.items()])
        return luxport.WrappedFunction(WithOptions(function, options) if options else function)

    return make


def _gelu(module: Any) -> Layer:
    return luxport.WrappedFunction(ops.gelu_tanh if module.approximate == "tanh" else ops.gelu_erf)


def _along(function: Callable[..., Array]) -> Callable[[Any], Layer]:
    def make(module: Any) -> Layer:
        if module.dim is None:
            raise ValueError("dim=None, which depends on the input's number of axes: give one")
        return luxport.WrappedFunction(WithOptions.of(function, axis=module.dim))

    return make


def _clip(x: Array, min_val: float, max_val: float) -> Array:
    return namespace(x).clip(x, min_val, max_val)


def _softplus(x: Array, beta: float, threshold: float) -> Array:
    xp = namespace(x)
    return xp.where(x * beta > threshold, x, ops.softplus(x * beta) / beta)


def _adaptive(layer: Callable[..., Layer]) -> Callable[[Any], Layer]:
    def make(module: Any) -> Layer:
        _, axes = kind_and_axes(type(module).__name__)
        sizes = module.output_size if isinstance(module.output_size, (tuple, list)) else (module.output_size,) * axes
        if None in sizes or getattr(module, "return_indices", False):
            raise ValueError("sizes that are None, or return_indices")
        return layer(tuple(sizes), variable_windows=True)

    return make


def _flatten(module: Any) -> Layer:
    return luxport.FlattenLayer() if (module.start_dim, module.end_dim) == (1, -1) else built(module)


def _upsample(module: Any) -> Layer:
    size, scale, mode = module.size, module.scale_factor, module.mode
    if mode not in ("nearest", "linear", "bilinear", "trilinear"):
        raise ValueError(f"mode={mode!r}")
    if scale is not None:
        scales = scale if isinstance(scale, tuple) else (scale,)
        if any(int(s) != s for s in scales):
            raise ValueError(f"scale_factor={scale}, which is no whole number: give a size")
        whole = tuple([int(s) for s in scales])
        scale = whole if isinstance(scale, tuple) else whole[0]
    corners = {} if mode == "nearest" else {"align_corners": bool(module.align_corners)}
    return luxport.Upsample(scale, mode, size=tuple(size) if isinstance(size, (tuple, list)) else size, **corners)


ARRAYLESS: Mapping[str, Callable[[Any], Layer]] = {
    **{f"AdaptiveAvgPool{axes}d": _adaptive(luxport.AdaptiveMeanPool) for axes in (1, 2, 3)},
    **{f"AdaptiveMaxPool{axes}d": _adaptive(luxport.AdaptiveMaxPool) for axes in (1, 2, 3)},
    "CELU": _function(ops.celu, alpha="alpha"),
    "ELU": _function(ops.elu, alpha="alpha"),
    "Flatten": _flatten,
    "GELU": _gelu,
    "GLU": _along(ops.glu),
    "Hardsigmoid": _function(ops.hardsigmoid),
    "Hardswish": _function(ops.hardswish),
    "Hardtanh": _function(_clip, min_val="min_val", max_val="max_val"),
    "Identity": lambda module: luxport.NoOpLayer(),
    "LeakyReLU": _function(ops.leakyrelu, a="negative_slope"),
    "LogSigmoid": _function(ops.logsigmoid),
    "LogSoftmax": _along(ops.logsoftmax),
    "Mish": _function(ops.mish),
    "PixelShuffle": lambda module: luxport.PixelShuffle(module.upscale_factor),
    "ReLU": _function(ops.relu),
    "ReLU6": _function(ops.relu6),
    "SELU": _function(ops.selu),
    "SiLU": _function(ops.swish),
    "Sigmoid": _function(ops.sigmoid),
    "Softmax": _along(ops.softmax),
    "Softplus": _function(_softplus, beta="beta", threshold="threshold"),
    "Softshrink": _function(ops.softshrink, lambda_="lambd"),
    "Softsign": _function(ops.softsign),
    "Tanh": _function(ops.tanh),
    "Tanhshrink": _function(ops.tanhshrink),
    "Upsample": _upsample,
}
"""Modules without arrays whose layers are not those of `luxport.porting.petab`."""
