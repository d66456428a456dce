"""Initial parameters and states of layers, on the host; also their shapes alone, and a limit on a model's size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from luxport import tree
from luxport.call_arguments import explain_call_errors
from luxport.core.layer_base import LayerBase, name_layers
from luxport.errors import LayerMemoryError
from luxport.random import Rng
from luxport.tree.size_limit import MOST_ENTRIES

__all__ = ["describe_values", "check_places", "initial_parameters", "initial_states"]


@explain_call_errors
def initial_parameters(rng: int | Rng, layers: LayerBase | Mapping[str, Any] | Sequence[Any]) -> Any:
    """Draw the initial parameters of a layer, or of a mapping or sequence of layers, as NumPy arrays.

    >>> import luxport
    >>> {k: v.shape for k, v in initial_parameters(0, luxport.Dense(2, 3)).items()}
    {'weight': (2, 3), 'bias': (3,)}
    """
    rng = Rng.of(rng)
    if isinstance(layers, LayerBase):
        check_places("initial_parameters", layers, rng)
        return _make_values(layers, rng, "initial_parameters")
    return {name: initial_parameters(rng, layer) for name, layer in name_layers(layers).items()}


@explain_call_errors
def initial_states(rng: int | Rng, layers: LayerBase | Mapping[str, Any] | Sequence[Any]) -> Any:
    """Make the initial states of a layer, or of a mapping or sequence of layers, as NumPy arrays."""
    rng = Rng.of(rng)
    if isinstance(layers, LayerBase):
        check_places("initial_states", layers, rng)
        return _make_values(layers, rng, "initial_states")
    return {name: initial_states(rng, layer) for name, layer in name_layers(layers).items()}


def _make_values(layer: LayerBase, rng: Rng, method: str) -> Any:
    """Call a layer's method and check its result: a dict, with parameters of the shapes recorded at construction."""
    from luxport.core.abstract_arrays import AbstractRng  # ``import luxport`` builds no layer and need not load this

    try:
        values = rng.once(layer, method) if isinstance(rng, AbstractRng) else getattr(layer, method)(rng)
    except MemoryError as error:
        if isinstance(error, LayerMemoryError):
            raise
        raise LayerMemoryError(
            "expects sizes that fit into memory: there is no room for its initial values", culprit=type(layer).__name__
        ) from error
    if not isinstance(values, Mapping):
        raise TypeError(
            f"{type(layer).__name__}.{method} returned {type(values).__name__}: return a dict of arrays by their names"
        )
    if layer._entries is not None and layer._entries_of is None and method == "initial_parameters":
        for name, wanted, _ in layer._entries.parameters:
            shape = getattr(values.get(name), "shape", None)
            if shape is None or tuple(shape) != wanted:
                got = type(values.get(name)).__name__ if shape is None else tuple(shape)
                raise TypeError(f"{type(layer).__name__} expects {name} {wanted} of its initializer, got {got}")
    return values


def describe_values(initial: Callable[[Any, Any], Any], layer: LayerBase) -> Any:
    """Return the initial values as abstract arrays, drawn only if an initializer needs values to compute with."""
    from luxport.core.abstract_arrays import AbstractRng, ValuesNeededError

    try:
        values = initial(AbstractRng(), layer)
    except ValuesNeededError:
        values = initial(Rng(0), layer)
    return _describe(values, {})


def _describe(values: Any, known: dict[int, Any]) -> Any:
    """Replace each array by an abstract one; a dict that occurs several times is converted once."""
    if type(values) is not dict:
        from luxport.core.abstract_arrays import AbstractArray

        return tree.map(AbstractArray.like, values)
    if id(values) not in known:
        known[id(values)] = {name: _describe(value, known) for name, value in values.items()}
    return known[id(values)]


def check_places(function: str, layer: LayerBase, rng: Rng | None = None) -> None:
    """Expect a model of at most `MOST_ENTRIES` layers; more arise from few layers that contain each other repeatedly.

    Raises: ValueError
    """
    if layer._places <= MOST_ENTRIES:
        return
    from luxport.core.abstract_arrays import AbstractRng

    if not isinstance(rng, AbstractRng):
        raise ValueError(
            f"{function} expects a model of at most {MOST_ENTRIES:,} layers, got a {type(layer).__name__} of "
            f"{layer._places:,}: the same layers occur in it many times"
        )
