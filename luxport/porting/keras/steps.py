"""`Step`: a luxport layer that a Keras layer becomes, with its arrays and the layout of its input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

import numpy as np

import luxport
from luxport.core.layer import Layer
from luxport.porting.keras import functions
from luxport.porting.with_options import WithOptions

__all__ = [
    "Layout",
    "Step",
    "add_activation",
    "collect_arrays",
    "make_function_step",
    "copy_to_host",
    "read_layout",
    "read_sizes",
]

Layout = Literal["keras", "first", "any"]
"""The layout of a layer's input: that of Keras, with the channels first after the batch, or any layout."""


@dataclass(frozen=True)
class Step:
    """A luxport layer with its arrays and the layout of its input.

    ``is_flat`` means that the output has no spatial axes, so that its layout does not matter; ``suffix`` is appended to
    the name of the Keras layer.
    """

    layer: Layer
    ps: dict[str, Any] = field(default_factory=dict)
    st: dict[str, Any] = field(default_factory=dict)
    layout: Layout = "any"
    is_flat: bool = False
    suffix: str = ""


def copy_to_host(variable: Any) -> Any:
    """Return a NumPy array with the values of a Keras variable."""
    return np.array(import_module("keras").ops.convert_to_numpy(variable))


def collect_arrays(layer: Any, **names: str) -> dict[str, Any]:
    """Return the layer's variables as NumPy arrays by luxport's names, without those that are None."""
    found = {ours: getattr(layer, theirs) for ours, theirs in names.items()}
    return {ours: copy_to_host(variable) for ours, variable in found.items() if variable is not None}


def make_function_step(function: Callable[..., Any], layout: Layout = "any", **options: Any) -> Step:
    """Return a step that calls a function with options."""
    return Step(
        luxport.WrappedFunction(WithOptions.with_keywords(function, **options) if options else function), layout=layout
    )


def read_layout(layer: Any) -> Layout:
    """Return the layout that a luxport layer needs in place of a Keras layer with this `data_format`."""
    # Some layers with one spatial axis have no `data_format`: their channels are last.
    return "first" if getattr(layer, "data_format", None) in (None, "channels_last") else "keras"


def add_activation(layer: Any, make: Callable[[Any], Layer], ps: dict[str, Any]) -> list[Step]:
    """Return a layer with its activation, which is a separate step in Keras's layout if it is not elementwise."""
    activation, layout = functions.find_activation(layer.activation), read_layout(layer)
    if functions.is_elementwise(activation):
        return [Step(make(activation), ps, layout=layout)]
    apart = Step(luxport.WrappedFunction(activation), layout="keras", suffix="activation")
    return [Step(make(luxport.identity), ps, layout=layout), apart]


def read_sizes(values: Any) -> tuple[int, ...]:
    """Return a tuple of sizes from a number or a sequence."""
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)
