"""Layers in sequence, each of which also takes an input of its own: `PairwiseFusion` and `PairwiseFold`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from luxport.core.containers import WrapperLayer
from luxport.core.layer import Layer
from luxport.core.layer_base import NamedLayers, Parameters, States
from luxport.errors import LayerError
from luxport.layers._named_layers import LayersByName, read_layers
from luxport.text import show

__all__ = ["PairwiseFold", "PairwiseFusion"]


class _Pairwise(LayersByName, WrapperLayer):
    """Layers in sequence, and a connection that joins an output and an input."""

    connection: Callable[[Any, Any], Any]
    layers: NamedLayers
    name: str | None = None


class PairwiseFusion(_Pairwise):
    """Layers of which each takes the previous output joined with an input of its own; returns all outputs.

    ``y_1 = layer_1(x_1)``, then ``y_i = layer_i(connection(y_(i-1), x_i))``. A tuple (or list) holds one input per
    layer, anything else is the input of every layer. Functions and names: as in `Chain`. (Lux's layer of this name is
    `PairwiseFold` here.)

    Args:
        connection: a function of two arrays: the previous output and the input
        *layers: layers and functions; tuples and lists of them are flattened, and a single dict gives them names
        name: the layer's name in printed models
        **named: layers and functions by name, instead of by position

    Shapes: those of the layers; the output is the tuple of theirs
    Params: one entry per layer, by name
    State:  likewise
    Raises: TypeError or ValueError when built with a wrong part or name, or without layers; LayerError if a tuple does
            not have one input per layer
    Source: Flux.jl ``PairwiseFusion``

    >>> import luxport, operator
    >>> model = PairwiseFusion(operator.add, luxport.Dense(1, 30), luxport.Dense(30, 10))
    >>> luxport.output_shape(model, ((10, 1), (10, 30)))
    ((10, 30), (10, 10))
    """

    def __init__(
        self, connection: Callable[[Any, Any], Any], *layers: Any, name: str | None = None, **named: Any
    ) -> None:
        _build(self, connection, layers, named, name)

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[tuple[Any, ...], States]:
        """Call the layers in order."""
        inputs = _split_inputs(x, len(self.layers), "one per layer")
        outputs, new_st = [], {}
        for (name, layer), own in zip(self.layers.items(), inputs, strict=True):
            joined = self.connection(outputs[-1], own) if outputs else own
            y, new_st[name] = layer(joined, ps[name], st[name])
            outputs.append(y)
        return tuple(outputs), new_st

    def _part(self, layers: Mapping[str, Layer]) -> PairwiseFusion:
        return PairwiseFusion(self.connection, layers, name=self.name)


class PairwiseFold(_Pairwise):
    """Layers after each of which the output is joined with an input; returns the last result.

    ``y = x_1``, then ``y = connection(layer_i(y), x_(i+1))`` for every layer. A tuple (or list) holds one input more
    than there are layers, anything else is every input. Functions and names: as in `Chain`. (Flux's `PairwiseFusion`
    joins before each layer, and returns all outputs.)

    Args:
        connection: a function of two arrays: the layer's output and the input
        *layers: layers and functions; tuples and lists of them are flattened, and a single dict gives them names
        name: the layer's name in printed models
        **named: layers and functions by name, instead of by position

    Shapes: those of the layers
    Params: one entry per layer, by name
    State:  likewise
    Raises: TypeError or ValueError when built with a wrong part or name, or without layers; LayerError if a tuple does
            not have one input more than there are layers
    Source: Lux.jl ``PairwiseFusion``, whose code passes the arguments of the connection in this order (its
            documentation says otherwise)

    >>> import numpy as np, operator
    >>> model = PairwiseFold(operator.sub, lambda x: 10.0 * x, lambda x: 10.0 * x)
    >>> empty = {"layer_1": {}, "layer_2": {}}
    >>> float(model(tuple(np.asarray([1.0, 2.0, 3.0])), empty, empty)[0])
    77.0
    """

    def __init__(
        self, connection: Callable[[Any, Any], Any], *layers: Any, name: str | None = None, **named: Any
    ) -> None:
        _build(self, connection, layers, named, name)

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the layers in order."""
        y, *others = _split_inputs(x, len(self.layers) + 1, "one more than layers")
        new_st = {}
        for (name, layer), own in zip(self.layers.items(), others, strict=True):
            y, new_st[name] = layer(y, ps[name], st[name])
            y = self.connection(y, own)
        return y, new_st

    def _part(self, layers: Mapping[str, Layer]) -> PairwiseFold:
        return PairwiseFold(self.connection, layers, name=self.name)


def _build(
    layer: _Pairwise,
    connection: Callable[[Any, Any], Any],
    layers: tuple[Any, ...],
    named: Mapping[str, Any],
    name: str | None,
) -> None:
    """Set the fields. (In an inherited `__init__`, type checkers would expect a dataclass's fields.)"""
    kind = type(layer).__name__
    found = read_layers(kind, layers, named, reserved=("name", "layers", "connection"), name=name)
    if not found:
        raise ValueError(f"{kind} expects one or more layers, got none")
    if isinstance(connection, Layer) or not callable(connection):
        raise TypeError(f"{kind} expects a function of two arguments as connection, got {show(connection)}")
    for field, value in (("connection", connection), ("layers", found), ("name", name)):
        object.__setattr__(layer, field, value)


def _split_inputs(x: Any, count: int, wanted: str) -> tuple[Any, ...]:
    if not isinstance(x, (tuple, list)):
        return (x,) * count
    if len(x) != count:
        raise LayerError(f"expects a tuple of {count} inputs, {wanted}, or an array for all, got a tuple of {len(x)}")
    return tuple(x)
