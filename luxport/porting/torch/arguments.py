"""Layers from the attributes of PyTorch's modules: those without arrays, and the options of those with some."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import luxport
from luxport import ops
from luxport.backend import Array
from luxport.core.layer import Layer
from luxport.porting.network import BatchOptional
from luxport.porting.torch.arrays import class_of
from luxport.porting.torch.functions.windows import pad
from luxport.porting.torch.module_table import MODULES, build, kind_and_axes
from luxport.porting.with_options import WithOptions

__all__ = ["ARRAYLESS", "built"]


def built(module: Any) -> Layer:
    """Build the layer of a module from its constructor's arguments, which it has as attributes.

    Raises: ValueError if there is no counterpart
    """
    kind = class_of(module)
    name = kind.__name__
    if kind_and_axes(name)[0] not in MODULES:
        raise ValueError("luxport has no such layer")
    names = set(inspect.signature(kind.__init__).parameters) - {"self", "device", "dtype", "bias"}
    values = {name: getattr(module, name) for name in names}
    # A norm that is not affine has no bias, either, and says so by `affine`.
    if "bias" in module._parameters and module.bias is None and module.weight is not None:
        values["bias"] = False
    return build(name, values)


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
            raise ValueError("dim=None, which depends on the input's number of axes")
        return luxport.WrappedFunction(WithOptions.of(function, axis=module.dim))

    return make


def _adaptive(layer: Callable[..., Layer], axes: int) -> Callable[[Any], Layer]:
    def make(module: Any) -> Layer:
        sizes = module.output_size if isinstance(module.output_size, (tuple, list)) else (module.output_size,) * axes
        return BatchOptional(layer(tuple(sizes), variable_windows=True), axes + 2)

    return make


def _circular(module: Any) -> Layer:
    return luxport.WrappedFunction(WithOptions.of(pad, pad=tuple(module.padding), mode="circular"))


def _flatten(module: Any) -> Layer:
    return luxport.FlattenLayer() if (module.start_dim, module.end_dim) == (1, -1) else built(module)


ARRAYLESS: Mapping[str, Callable[[Any], Layer]] = {
    **{f"AdaptiveAvgPool{axes}d": _adaptive(luxport.AdaptiveMeanPool, axes) for axes in (1, 2, 3)},
    **{f"AdaptiveMaxPool{axes}d": _adaptive(luxport.AdaptiveMaxPool, axes) for axes in (1, 2, 3)},
    "CELU": _function(ops.celu, alpha="alpha"),
    "ELU": _function(ops.elu, alpha="alpha"),
    "Flatten": _flatten,
    "GELU": _gelu,
    "GLU": _along(ops.glu),
    "Hardsigmoid": _function(ops.hardsigmoid),
    "Hardswish": _function(ops.hardswish),
    "Identity": lambda module: luxport.NoOpLayer(),
    "LeakyReLU": _function(ops.leakyrelu, a="negative_slope"),
    "LogSigmoid": _function(ops.logsigmoid),
    "LogSoftmax": _along(ops.logsoftmax),
    "Mish": _function(ops.mish),
    "ReLU": _function(ops.relu),
    "ReLU6": _function(ops.relu6),
    "SELU": _function(ops.selu),
    "SiLU": _function(ops.swish),
    "Sigmoid": _function(ops.sigmoid),
    **{f"CircularPad{axes}d": _circular for axes in (1, 2, 3)},
    "Softmax2d": lambda module: luxport.WrappedFunction(WithOptions.of(ops.softmax, axis=-3)),
    "Softmax": _along(ops.softmax),
    "Softshrink": _function(ops.softshrink, lambda_="lambd"),
    "Softsign": _function(ops.softsign),
    "Tanh": _function(ops.tanh),
    "Tanhshrink": _function(ops.tanhshrink),
}
"""Modules without arrays whose layers are not those of `luxport.porting.petab`."""
