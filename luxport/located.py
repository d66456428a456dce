"""Errors that say where: what leaves a layer's call carries the layer's name and its path in the model."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from luxport.abstract import AbstractArray
from luxport.errors import LayerError

__all__ = ["located"]


def located(call: Callable[..., Any]) -> Callable[..., Any]:
    """Let errors that leave a layer say which layer it was, and missing entries say what was expected."""

    @functools.wraps(call)
    def wrapper(self: Any, x: Any, ps: Any, st: Any) -> Any:
        try:
            return call(self, x, ps, st)
        except LayerError as error:
            raise _place(error, self, ps) from error.__cause__
        except Exception as error:
            # Every framework words it differently when an entry is absent or has the wrong shape.
            wrong = _wrong_entry(self, ps, st)
            if wrong is None:
                raise
            raise _place(LayerError(wrong), self, ps) from error

    return wrapper


def _place(error: LayerError, layer: Any, ps: Any) -> LayerError:
    if error.layer is None:
        error.culprit = type(layer).__name__
    elif error.layer is not layer:
        # One layer may have several places: the parameters it was called with tell which.
        places = [(path, inner) for path, child, inner in _places(layer.children(), ps) if child is error.layer]
        exact = [(path, inner) for path, inner in places if inner is error.ps]
        found = exact if exact else places
        if len(found) == 1:
            error.path = (*found[0][0], *error.path)
    error.layer, error.ps = layer, ps
    return error


def _places(layers: Any, ps: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Yield where each layer in a tree of layers is, the layer and its parameters."""
    from luxport.layer import Layer, by_name

    for name, child in by_name(layers).items():
        inner = ps.get(name) if isinstance(ps, Mapping) else None
        if isinstance(child, Layer):
            yield (*path, name), child, inner
        else:
            yield from _places(child, inner, (*path, name))


def _wrong_entry(layer: Any, ps: Any, st: Any) -> str | None:
    """Say which entry of ps or st the layer wants and was not given, if any."""
    from luxport.layer import abstract_values, initial_parameters, initial_states

    parameters = abstract_values(initial_parameters, layer)
    for what, given, wanted in (
        ("parameters", ps, parameters),
        ("states", st, abstract_values(initial_states, layer)),
    ):
        if not isinstance(given, Mapping):
            return f"expects {what} as a mapping with {_names(wanted)}, got {type(given).__name__}"
        if any(name not in given for name in wanted):
            return f"expects {what} {_names(wanted)}, got {_names(given)}: make them with luxport.setup"
        for name, value in wanted.items():
            if isinstance(value, AbstractArray) and given[name] is None:
                return f"expects an array as {name}, got None: make one with luxport.setup"
    for name, value in parameters.items():
        if isinstance(value, AbstractArray) and tuple(ps[name].shape) != value.shape:
            return f"expects {name} {value.shape}, got {tuple(ps[name].shape)}"
    return None


def _names(entries: Iterable[str]) -> str:
    return "{" + ", ".join(entries) + "}"
