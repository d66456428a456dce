"""`Network`: a layer that calls named layers and functions in the order of a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from luxport.core.containers import WrapperLayer
from luxport.core.initial_values import initial_parameters, initial_states
from luxport.core.input_checks import shape_of, shape_text
from luxport.core.layer import Layer
from luxport.core.layer_base import NamedLayers, Parameters, States
from luxport.errors import LayerError
from luxport.random import Rng

__all__ = ["BatchOptional", "Call", "Entries", "Network", "Result", "Slice"]


@dataclass(frozen=True)
class Result:
    """A reference to the result of an earlier call, or to an input, by its name."""

    name: str


@dataclass(frozen=True)
class Call:
    """A call of a layer (by its name) or a function with earlier results and constants; the result gets a name.

    Arguments and options may contain results inside tuples, `Slice`s and `Entries`.
    """

    name: str
    target: str | Callable[..., Any]
    args: tuple[Any, ...]
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Slice:
    """A slice whose ends may be results; it is hashable, unlike Python's slices before 3.12."""

    ends: tuple[Any, Any, Any]


@dataclass(frozen=True)
class Entries:
    """A dict whose values may be results; it is hashable."""

    items: tuple[tuple[str, Any], ...]


class Network(Layer):
    """A graph of layers and functions: a result may be used anywhere later, and a layer may be called more than once.

    Args:
        layers: the layers by name
        inputs: the names of the inputs
        calls: the calls in order
        output: the result to return, or several in tuples or `Entries`

    Shapes: one array for each input, alone, in a tuple in order, or in a mapping by name -> as the graph says
    Params: one entry for each layer, by name
    State:  one entry for each layer; the second call of a layer receives the state that the first one returned
    Raises: LayerError if the number or the names of the inputs differ from those of the graph
    Source: the PEtab SciML specification
    """

    layers: NamedLayers
    inputs: tuple[str, ...]
    calls: tuple[Call, ...]
    output: Any

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw those of the layers."""
        return initial_parameters(rng, self.layers)

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Return those of the layers."""
        return initial_states(rng, self.layers)

    def children(self) -> Mapping[str, Layer]:
        """Return the layers by name."""
        return self.layers

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Evaluate the calls in order."""
        results, new_st = self._name_inputs(x), dict(st)
        for call in self.calls:
            args = _fill(call.args, results)
            if isinstance(call.target, str):
                name = call.target
                argument = args[0] if len(args) == 1 else args
                results[call.name], new_st[name] = self.layers[name](argument, ps[name], new_st[name])
            else:
                options = {name: _fill(value, results) for name, value in call.options}
                results[call.name] = call.target(*args, **options)
        return _fill(self.output, results), new_st

    def _name_inputs(self, x: Any) -> dict[str, Any]:
        if isinstance(x, Mapping):
            if set(x) != set(self.inputs):
                raise LayerError(f"expects the inputs {', '.join(self.inputs)}, got {', '.join(map(str, x))}")
            return dict(x)
        values = tuple(x) if isinstance(x, (tuple, list)) else (x,)
        if len(values) != len(self.inputs):
            raise LayerError(f"expects {len(self.inputs)} inputs ({', '.join(self.inputs)}), got {len(values)}")
        return dict(zip(self.inputs, values, strict=True))


class BatchOptional(WrapperLayer):
    """A layer that also accepts a single sample without a batch axis, and then returns one, as PyTorch's layers do.

    Shapes: x with `axes` axes -> as the layer's; with one less -> the same without the first axis
    Params: the layer's
    State:  the layer's
    Raises: LayerError if x has another number of axes
    """

    layer: Layer
    axes: int

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the layer; a single sample becomes a batch of one."""
        axes = len(shape_of(x))
        if axes == self.axes:
            return self.layer(x, ps, st)
        if axes != self.axes - 1:
            raise LayerError(f"expects {self.axes} axes, or {self.axes - 1} without a batch, got {shape_text(x)}")
        y, st = self.layer(x[None, ...], ps, st)
        return y[0, ...], st


def _fill(value: Any, results: Mapping[str, Any]) -> Any:
    if isinstance(value, Result):
        return results[value.name]
    if isinstance(value, tuple):
        return tuple([_fill(entry, results) for entry in value])
    if isinstance(value, Entries):
        return {name: _fill(entry, results) for name, entry in value.items}
    if isinstance(value, Slice):
        return slice(*[_fill(end, results) for end in value.ends])
    return value
