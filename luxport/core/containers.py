"""`ContainerLayer` and `WrapperLayer`: base classes of layers that hold layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from luxport.core.initial_values import initial_parameters, initial_states
from luxport.core.layer import Layer
from luxport.core.layer_base import NamedLayers, Parameters, States, has_layers, is_layers, name_layers
from luxport.random import Rng
from luxport.text import show

__all__ = ["ContainerLayer", "WrapperLayer"]


class ContainerLayer(Layer):
    """A base class for layers that hold layers in their fields: a layer, or a tuple, list or dict of layers.

    Params: one entry per such field, under the field's name; inside a tuple ``layer_1``, ``layer_2``, …
    State:  likewise

    >>> import luxport
    >>> class Residual(ContainerLayer):
    ...     inner: Layer
    ...     def __call__(self, x, ps, st):
    ...         y, inner = self.inner(x, ps["inner"], st["inner"])
    ...         return x + y, {"inner": inner}
    >>> luxport.parameter_length(Residual(luxport.Dense(3, 3)))
    12
    """

    def __post_init__(self) -> None:
        _freeze_layers(self)

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the parameters of the children, in field order."""
        return initial_parameters(rng, self.children())

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Make the states of the children, in field order."""
        return initial_states(rng, self.children())

    def children(self) -> Mapping[str, Any]:
        """Return the fields that hold layers."""
        return {f.name: value for f in fields(self) if is_layers(value := getattr(self, f.name))}  # type: ignore[arg-type]


class WrapperLayer(Layer):
    """A base class for layers with exactly one field of layers, whose parameters and states they share without a key.

    A subclass without a ``__call__`` calls what it wraps.

    Raises: TypeError when it is built, if not exactly one field holds layers

    >>> import luxport
    >>> class Named(WrapperLayer):
    ...     inner: Layer
    ...     note: str = ""
    >>> list(luxport.setup(0, Named(luxport.Dense(2, 3)))[0])
    ['weight', 'bias']
    """

    def __post_init__(self) -> None:
        _freeze_layers(self)
        self._find_wrapped()

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the wrapped layer."""
        return self._find_wrapped()(x, ps, st)

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the parameters of the wrapped layers."""
        return initial_parameters(rng, self._find_wrapped())

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Make the states of the wrapped layers."""
        return initial_states(rng, self._find_wrapped())

    def children(self) -> Mapping[str, Any]:
        """Return the wrapped layers by the keys of their parameters."""
        wrapped = self._find_wrapped()
        return wrapped.children() if isinstance(wrapped, Layer) else name_layers(wrapped)

    def _find_wrapped(self) -> Any:
        found = [value for f in fields(self) if is_layers(value := getattr(self, f.name))]  # type: ignore[arg-type]
        if len(found) != 1:
            raise TypeError(f"{type(self).__name__} expects exactly one field of layers, got {len(found)}")
        return found[0]


def _freeze_layers(container: Layer) -> None:
    """Convert lists and dicts of layers in a layer's fields to tuples and `NamedLayers`, which are hashable."""

    def freeze(value: Any) -> Any:
        if isinstance(value, Mapping) and not isinstance(value, NamedLayers):
            return NamedLayers({name: freeze(entry) for name, entry in value.items()})
        if isinstance(value, (tuple, list)):
            return tuple(freeze(entry) for entry in value)
        return value

    for f in fields(container):  # type: ignore[arg-type]
        value = getattr(container, f.name)
        if isinstance(value, Layer):
            continue
        if is_layers(value):
            object.__setattr__(container, f.name, freeze(value))
        elif has_layers(value):
            raise TypeError(
                f"{type(container).__name__} expects nothing but layers in {f.name}, got {show(value)}: "
                "wrap functions in luxport.WrappedFunction"
            )
