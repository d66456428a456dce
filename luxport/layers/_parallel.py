"""Layers in parallel, and how their outputs are joined: `Parallel`, `BranchLayer`, `SkipConnection`, `Maxout`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from numbers import Integral
from typing import Any, ClassVar

from luxport.backend import namespace
from luxport.core.containers import WrapperLayer
from luxport.core.initial_values import initial_parameters, initial_states
from luxport.core.layer import Layer
from luxport.core.layer_base import NamedLayers, Parameters, States
from luxport.errors import LayerError
from luxport.layers._named_layers import LayersByName, make_layer, read_layers
from luxport.random import Rng
from luxport.text import show

__all__ = ["BranchLayer", "Maxout", "Parallel", "SkipConnection"]


class _Joined(Layer):
    """A container that joins the outputs of its ``layers`` by a function, or by a layer.

    A layer that joins has parameters and states: the entries of the container are then ``layers`` and the name of the
    field that holds it.
    """

    _joint: ClassVar[str] = "connection"

    @abstractmethod
    def _compute_outputs(self, x: Any, ps: Parameters, st: States) -> tuple[tuple[Any, ...], States]:
        """Return what to join, and the new states of the layers."""

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the layers, then the function or layer that joins their outputs."""
        joint = getattr(self, self._joint)
        if isinstance(joint, Layer):
            outputs, layers = self._compute_outputs(x, ps["layers"], st["layers"])
            y, joined = joint(outputs, ps[self._joint], st[self._joint])
            return y, {"layers": layers, self._joint: joined}
        outputs, st = self._compute_outputs(x, ps, st)
        return outputs if joint is None else joint(*outputs), st

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw those of the layers, then those of a layer that joins."""
        return initial_parameters(rng, self._find_parts())

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Make those of the layers, then those of a layer that joins."""
        return initial_states(rng, self._find_parts())

    def children(self) -> Mapping[str, Any]:
        """Return the layers, and a layer that joins, by the keys of their parameters."""
        parts = self._find_parts()
        return parts.children() if isinstance(parts, Layer) else parts

    def _find_parts(self) -> Any:
        layers, joint = getattr(self, "layers"), getattr(self, self._joint)  # noqa: B009 fields of each subclass
        return {"layers": layers, self._joint: joint} if isinstance(joint, Layer) else layers


class Parallel(LayersByName, _Joined):
    """Layers in parallel, each with its own input or all with the same; a connection joins their outputs.

    ``y = connection(layer_1(x[0]), layer_2(x[1]), …)``. A tuple (or list) holds one input per layer, anything else is
    the input of every layer; a single layer is called with each input of a tuple in turn, passing its state on.
    Functions, names and indexing: as in `Chain`.

    Args:
        connection: a function with an argument for each output, a layer that takes their tuple, or None for the tuple
        *layers: layers and functions; tuples and lists of them are flattened, and a single dict gives them names
        name: the layer's name in printed models
        **named: layers and functions by name, instead of by position

    Shapes: those of the layers
    Params: one entry per layer, by name; ``{layers, connection}`` if the connection is a layer
    State:  likewise
    Raises: TypeError or ValueError when built with a wrong part or name, or without layers; LayerError if a tuple does
            not have one input per layer
    Source: Lux.jl ``Parallel``; Flux's for a single layer with many inputs

    >>> import numpy as np, operator
    >>> Parallel(operator.add, np.sin, np.cos)(np.zeros(2), *[dict.fromkeys(("layer_1", "layer_2"), {})] * 2)[0]
    array([1., 1.])
    """

    connection: Any
    layers: NamedLayers
    name: str | None = None

    def __init__(self, connection: Any, *layers: Any, name: str | None = None, **named: Any) -> None:
        reserved = ("name", "layers", "connection")
        _build(self, read_layers("Parallel", layers, named, reserved=reserved, name=name), connection, name)

    def _compute_outputs(self, x: Any, ps: Parameters, st: States) -> tuple[tuple[Any, ...], States]:
        if not isinstance(x, (tuple, list)):
            return _call_in_parallel(self.layers, (x,) * len(self.layers), ps, st)
        if len(self.layers) == 1 and x:
            (name,) = self.layers
            outputs = []
            for entry in x:
                (y,), st = _call_in_parallel(self.layers, (entry,), ps, st)
                outputs.append(y)
            return tuple(outputs), st
        if len(x) != len(self.layers):
            raise LayerError(
                f"expects a tuple of {len(self.layers)} inputs, one per layer, or an array for all of them, "
                f"got a tuple of {len(x)}"
            )
        return _call_in_parallel(self.layers, x, ps, st)

    def _part(self, layers: Mapping[str, Layer]) -> Parallel:
        return Parallel(self.connection, layers, name=self.name)


class BranchLayer(LayersByName, _Joined):
    """Layers in parallel with the same input; unlike `Parallel` it passes a tuple to each layer as it is.

    ``y = fusion(layer_1(x), layer_2(x), …)``. Functions and names: as in `Chain`.

    Args:
        *layers: layers and functions; tuples and lists of them are flattened, and a single dict gives them names
        fusion: a function with an argument for each output, a layer that takes their tuple, or None for the tuple
        name: the layer's name in printed models
        **named: layers and functions by name, instead of by position

    Shapes: those of the layers
    Params: one entry per layer, by name; ``{layers, fusion}`` if the fusion is a layer
    State:  likewise
    Raises: TypeError or ValueError when built with a wrong part or name, or without layers
    Source: Lux.jl ``BranchLayer``

    >>> import luxport
    >>> luxport.output_shape(BranchLayer(luxport.Dense(3, 2), luxport.NoOpLayer()), (5, 3))
    ((5, 2), (5, 3))
    """

    layers: NamedLayers
    fusion: Any = None
    name: str | None = None

    _joint: ClassVar[str] = "fusion"

    def __init__(self, *layers: Any, fusion: Any = None, name: str | None = None, **named: Any) -> None:
        reserved = ("name", "layers", "fusion")
        _build(self, read_layers("BranchLayer", layers, named, reserved=reserved, name=name), fusion, name)

    def _compute_outputs(self, x: Any, ps: Parameters, st: States) -> tuple[tuple[Any, ...], States]:
        return _call_in_parallel(self.layers, (x,) * len(self.layers), ps, st)

    def _part(self, layers: Mapping[str, Layer]) -> BranchLayer:
        return BranchLayer(layers, fusion=self.fusion, name=self.name)


class SkipConnection(_Joined):
    """``connection(layers(x), x)``; with ``operator.add`` this is a residual block.

    Args:
        layers: a layer, such as a `Chain`, or a function
        connection: a function of two arguments, the output and x, or a layer that takes the tuple of both
        name: the layer's name in printed models

    Shapes: those of the layers
    Params: those of ``layers`` themselves; ``{layers, connection}`` if the connection is a layer
    State:  likewise
    Raises: TypeError when built with anything that is neither layer nor function
    Source: Lux.jl ``SkipConnection``

    >>> import luxport, operator
    >>> block = SkipConnection(luxport.Dense(3, 3), operator.add)
    >>> list(luxport.setup(0, block)[0])
    ['weight', 'bias']
    """

    layers: Any
    connection: Any
    name: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", make_layer(self.layers))
        if not callable(self.connection):
            raise TypeError(f"SkipConnection expects a function or a layer as connection, got {show(self.connection)}")

    def _compute_outputs(self, x: Any, ps: Parameters, st: States) -> tuple[tuple[Any, ...], States]:
        y, st = self.layers(x, ps, st)
        return (y, x), st


class Maxout(LayersByName, WrapperLayer):
    """The elementwise maximum of the outputs of several layers for one input.

    ``y = max(layer_1(x), layer_2(x), …)``. Functions and names: as in `Chain`.

    Args:
        *layers: layers and functions; or a function that makes a layer, and how many layers to make
        **named: layers and functions by name, instead of by position

    Shapes: those of the layers, whose outputs broadcast together
    Params: one entry per layer, by name
    State:  likewise
    Raises: TypeError or ValueError when built with a wrong part or name, or without layers
    Source: Lux.jl ``Maxout``; Flux's calls the function n times, as here, and Lux's repeats one layer

    >>> import luxport
    >>> luxport.parameter_length(Maxout(lambda: luxport.Dense(32, 64), 4)) == 4 * (32 * 64 + 64)
    True
    """

    layers: NamedLayers

    def __init__(self, *layers: Any, **named: Any) -> None:
        if len(layers) == 2 and isinstance(layers[1], Integral):
            make, n = layers
            if isinstance(make, Layer) or not callable(make):
                raise TypeError(f"Maxout expects a function that makes a layer and a number of them, got {show(make)}")
            layers = tuple([make() for _ in range(n)])
        _build(self, read_layers("Maxout", layers, named, reserved=("layers",)))

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the layers and take maxima."""
        outputs, st = _call_in_parallel(self.layers, (x,) * len(self.layers), ps, st)
        return reduce(namespace(*outputs).maximum, outputs), st

    def _part(self, layers: Mapping[str, Layer]) -> Maxout:
        return Maxout(layers)


def _build(container: Any, layers: NamedLayers, joint: Callable[..., Any] | None = None, name: Any = None) -> None:
    """Set the fields of a container."""
    if not layers:
        raise ValueError(f"{type(container).__name__} expects one or more layers, got none")
    object.__setattr__(container, "layers", layers)
    if isinstance(container, _Joined):
        if joint is not None and not callable(joint):
            raise TypeError(
                f"{type(container).__name__} expects a function, a layer or None as {container._joint}, "
                f"got {show(joint)}"
            )
        object.__setattr__(container, container._joint, joint)
        object.__setattr__(container, "name", name)


def _call_in_parallel(
    layers: NamedLayers, inputs: Iterable[Any], ps: Parameters, st: States
) -> tuple[tuple[Any, ...], States]:
    outputs, new_st = [], {}
    for (name, layer), x in zip(layers.items(), inputs, strict=True):
        y, new_st[name] = layer(x, ps[name], st[name])
        outputs.append(y)
    return tuple(outputs), new_st
