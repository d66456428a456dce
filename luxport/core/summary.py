"""`summary`: a table of a model's layers with output shapes and numbers of parameters, without computing anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from luxport import tree
from luxport.call_arguments import explain_call_errors
from luxport.core.containers import WrapperLayer
from luxport.core.counts import parameter_length, state_length
from luxport.core.display import write_on_one_line
from luxport.core.initial_values import describe_values, initial_parameters, initial_states
from luxport.core.layer import Layer, check_layer
from luxport.core.layer_base import Parameters, States
from luxport.core.output_shape import output_shape
from luxport.core.surgery import layer_map
from luxport.text import show

__all__ = ["LayerSummary", "ModelSummary", "summary"]


@dataclass(frozen=True)
class LayerSummary:
    """A line of a summary: a layer with its path, output shape, and numbers of parameters and states."""

    path: tuple[str, ...]
    layer: Layer
    output_shape: Any
    """The shape of its output, a tree of shapes for several, None if the model does not call it."""
    calls: int
    parameters: int
    states: int


@dataclass(frozen=True)
class ModelSummary:
    """The lines of a summary and their totals; printed as a table."""

    layers: tuple[LayerSummary, ...]
    input_shape: Any
    output_shape: Any
    parameters: int
    states: int

    def __str__(self) -> str:
        rows = [("path", "layer", "output", "parameters", "states"), ("input", "", str(self.input_shape), "", "")]
        for line in self.layers:
            shape = "not called" if line.calls == 0 else str(line.output_shape)
            times = f" ({line.calls} calls)" if line.calls > 1 else ""
            held = _count(line.parameters), _count(line.states)
            rows.append((".".join(line.path), write_on_one_line(line.layer), shape + times, *held))
        rows.append(("total", "", str(self.output_shape), f"{self.parameters:_}", f"{self.states:_}"))
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = ["  ".join([*map(str.ljust, row[:3], widths), *map(str.rjust, row[3:], widths[3:])]) for row in rows]
        rule = "-" * max(map(len, lines))
        return "\n".join([lines[0].rstrip(), rule, *[line.rstrip() for line in lines[1:-1]], rule, lines[-1].rstrip()])


@explain_call_errors
def summary(model: Layer, x: Any, *, dtype: str = "float32") -> ModelSummary:
    """Return output shape and sizes of each layer that holds no others, in test mode; it prints as a table.

    Args:
        model: any layer
        x: the shape of an input, a tree of shapes, or arrays that stand for their own shapes, as in `output_shape`
        dtype: the dtype of an input that is given by its shape

    Raises: as `output_shape`

    >>> import luxport
    >>> model = luxport.Chain(luxport.Conv((3, 3), 1, 8), luxport.FlattenLayer(), luxport.Dense(32, 2))
    >>> print(summary(model, (5, 1, 4, 4)))
    path     layer               output        parameters  states
    -------------------------------------------------------------
    input                        (5, 1, 4, 4)
    layer_1  Conv((3, 3), 1, 8)  (5, 8, 2, 2)          80
    layer_2  FlattenLayer()      (5, 32)
    layer_3  Dense(32, 2)        (5, 2)                66
    -------------------------------------------------------------
    total                        (5, 2)               146       0
    """
    check_layer("summary", model)
    ps, st = describe_values(initial_parameters, model), describe_values(initial_states, model)
    found: list[tuple[tuple[str, ...], Layer, int, int, list[Any]]] = []

    def watch(layer: Layer, ps: Any, st: Any, path: tuple[str, ...]) -> tuple[Layer, Any, Any]:
        outputs: list[Any] = []
        found.append((path, layer, parameter_length(layer), state_length(layer), outputs))
        return _Watched(layer, _Notes(outputs)), ps, st

    observed, _, _ = layer_map(watch, model, ps, st)
    output = output_shape(observed, x, dtype=dtype)
    lines = [
        LayerSummary(path, layer, outputs[-1] if outputs else None, len(outputs), parameters, states)
        for path, layer, parameters, states, outputs in found
    ]
    given = tree.map(lambda leaf: tuple(leaf.shape), x) if _has_arrays(x) else x
    return ModelSummary(tuple(lines), given, output, parameter_length(model), state_length(model))


class _Notes:
    """The output shapes of one layer, equal only to itself, so that two equal layers keep separate notes."""

    def __init__(self, shapes: list[Any]) -> None:
        self.shapes = shapes


class _Watched(WrapperLayer):
    """A wrapper that notes the shapes of a layer's outputs."""

    layer: Layer
    notes: _Notes

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the layer."""
        y, st = self.layer(x, ps, st)
        self.notes.shapes.append(tree.map(lambda leaf: tuple(leaf.shape), y))
        return y, st

    def __getattr__(self, name: str) -> Any:
        # A container may read fields of its layers: `BidirectionalRNN` reads which axis of its networks is time.
        if name.startswith("__") or name == "name" or "layer" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} has no attribute {show(name)}")
        return getattr(self.layer, name)


def _has_arrays(x: Any) -> bool:
    return any(not isinstance(leaf, int) for leaf in tree.leaves(x))


def _count(n: int) -> str:
    return f"{n:_}" if n else ""
