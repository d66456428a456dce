"""Build layers from the attributes of PyTorch's modules."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import luxport
from luxport import ops
from luxport.backend import Array
from luxport.core.layer import Layer
from luxport.porting.network import BatchOptional
from luxport.porting.torch.arrays import find_class
from luxport.porting.torch.functions.windows import pad
from luxport.porting.torch.module_table import MODULES, build, split_layer_type
from luxport.porting.with_options import WithOptions

__all__ = ["ARRAYLESS", "build_layer"]


def build_layer(module: Any) -> Layer:
    """Return the layer of a module, built from the module's constructor arguments, which it keeps as attributes.

    Raises: ValueError if there is no counterpart
    """
    kind = find_class(module)
    name = kind.__name__
    if split_layer_type(name)[0] not in MODULES:
        raise ValueError("luxport has no such layer")
    names = set(inspect.signature(kind.__init__).parameters) - {"self", "device", "dtype", "bias"}
    values = {name: getattr(module, name) for name in names}
    # A norm without weight and bias is described by its attribute `affine` already.
    if "bias" in module._parameters and module.bias is None and module.weight is not None:
        values["bias"] = False
    return build(name, values)


def _make_builder(function: Callable[..., Array], **attributes: str) -> Callable[[Any], Layer]:
    """Return a builder of a layer that calls `function`, whose options it reads from the module's attributes."""

    def build(module: Any) -> Layer:
        options = tuple([(ours, getattr(module, theirs)) for ours, theirs in attributes.items()])
        return luxport.WrappedFunction(WithOptions(function, options) if options else function)

    return build


def _build_gelu(module: Any) -> Layer:
    return luxport.WrappedFunction(ops.gelu_tanh if module.approximate == "tanh" else ops.gelu_erf)


def _make_builder_along(function: Callable[..., Array]) -> Callable[[Any], Layer]:
    """Return a builder of a layer that calls `function` along the module's `dim`."""

    def build(module: Any) -> Layer:
        if module.dim is None:
            raise ValueError("dim=None means an axis that depends on the input's number of axes: give a number")
        return luxport.WrappedFunction(WithOptions.with_keywords(function, axis=module.dim))

    return build


def _make_adaptive_builder(layer: Callable[..., Layer], axes: int) -> Callable[[Any], Layer]:
    def build(module: Any) -> Layer:
        sizes = module.output_size if isinstance(module.output_size, (tuple, list)) else (module.output_size,) * axes
        return BatchOptional(layer(tuple(sizes), variable_windows=True), axes + 2)

    return build


def _build_circular(module: Any) -> Layer:
    return luxport.WrappedFunction(WithOptions.with_keywords(pad, pad=tuple(module.padding), mode="circular"))


def _build_flatten(module: Any) -> Layer:
    return luxport.FlattenLayer() if (module.start_dim, module.end_dim) == (1, -1) else build_layer(module)


ARRAYLESS: Mapping[str, Callable[[Any], Layer]] = {
    **{f"AdaptiveAvgPool{axes}d": _make_adaptive_builder(luxport.AdaptiveMeanPool, axes) for axes in (1, 2, 3)},
    **{f"AdaptiveMaxPool{axes}d": _make_adaptive_builder(luxport.AdaptiveMaxPool, axes) for axes in (1, 2, 3)},
    "CELU": _make_builder(ops.celu, alpha="alpha"),
    "ELU": _make_builder(ops.elu, alpha="alpha"),
    "Flatten": _build_flatten,
    "GELU": _build_gelu,
    "GLU": _make_builder_along(ops.glu),
    "Hardsigmoid": _make_builder(ops.hardsigmoid),
    "Hardswish": _make_builder(ops.hardswish),
    "Identity": lambda module: luxport.NoOpLayer(),
    "LeakyReLU": _make_builder(ops.leakyrelu, a="negative_slope"),
    "LogSigmoid": _make_builder(ops.logsigmoid),
    "LogSoftmax": _make_builder_along(ops.logsoftmax),
    "Mish": _make_builder(ops.mish),
    "ReLU": _make_builder(ops.relu),
    "ReLU6": _make_builder(ops.relu6),
    "SELU": _make_builder(ops.selu),
    "SiLU": _make_builder(ops.swish),
    "Sigmoid": _make_builder(ops.sigmoid),
    **{f"CircularPad{axes}d": _build_circular for axes in (1, 2, 3)},
    "Softmax2d": lambda module: luxport.WrappedFunction(WithOptions.with_keywords(ops.softmax, axis=-3)),
    "Softmax": _make_builder_along(ops.softmax),
    "Softshrink": _make_builder(ops.softshrink, lambda_="lambd"),
    "Softsign": _make_builder(ops.softsign),
    "Tanh": _make_builder(ops.tanh),
    "Tanhshrink": _make_builder(ops.tanhshrink),
}
"""Builders for modules without arrays that have no entry in `MODULES`, or a different one there for PEtab SciML."""
