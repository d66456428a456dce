"""What a layer of Keras becomes: layers of ours with their arrays, and the layout that these want."""

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
    "Needs",
    "Step",
    "add_activation",
    "collect_arrays",
    "make_function_step",
    "copy_to_host",
    "read_layout",
    "read_sizes",
]

Needs = Literal["keras", "first", "any"]
"""What a layer is given: arrays as Keras has them there, with the channels in front, or either."""


@dataclass(frozen=True)
class Step:
    """A layer of ours, its arrays, and how they have to be laid out; ``after`` is part of its name."""

    layer: Layer
    ps: dict[str, Any] = field(default_factory=dict)
    st: dict[str, Any] = field(default_factory=dict)
    needs: Needs = "any"
    flat: bool = False
    after: str = ""


def copy_to_host(variable: Any) -> Any:
    """Copy a variable of Keras to the host."""
    return np.array(import_module("keras").ops.convert_to_numpy(variable))


def collect_arrays(layer: Any, **names: str) -> dict[str, Any]:
    """Return the layer's arrays that are there, by our names."""
    found = {ours: getattr(layer, theirs) for ours, theirs in names.items()}
    return {ours: copy_to_host(variable) for ours, variable in found.items() if variable is not None}


def make_function_step(function: Callable[..., Any], needs: Needs = "any", **options: Any) -> Step:
    """Return a function, with its options, as a layer."""
    return Step(
        luxport.WrappedFunction(WithOptions.with_keywords(function, **options) if options else function), needs=needs
    )


def read_layout(layer: Any) -> Needs:
    """Return what a layer on spatial axes needs, by its data_format."""
    # Some layers of one axis have no choice.
    return "first" if getattr(layer, "data_format", None) in (None, "channels_last") else "keras"


def add_activation(layer: Any, make: Callable[[Any], Layer], ps: dict[str, Any]) -> list[Step]:
    """Return a layer with its activation; one that is not elementwise follows by itself, on Keras's last axis."""
    activation, needs = functions.activation(layer.activation), read_layout(layer)
    if functions.is_elementwise(activation):
        return [Step(make(activation), ps, needs=needs)]
    apart = Step(luxport.WrappedFunction(activation), needs="keras", after="activation")
    return [Step(make(luxport.identity), ps, needs=needs), apart]


def read_sizes(values: Any) -> tuple[int, ...]:
    """Read a number, or one for each axis."""
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)
