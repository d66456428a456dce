"""Containers with named layers, such as `Chain` and `Parallel`: how they are built and indexed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from luxport.core.layer import Layer
from luxport.core.layer_base import NamedLayers
from luxport.errors import LayerTypeError
from luxport.layers._function_layers import WrappedFunction
from luxport.text import name_kind, show

__all__ = ["LayersByName", "make_layer", "read_layers"]


class LayersByName:
    """Indexing by position, slice and name, for a container whose field ``layers`` holds its layers."""

    layers: NamedLayers

    def _part(self, layers: Mapping[str, Layer]) -> Any:
        """Return this container with only these of its layers."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers.values())

    # Returns Any: a layer for an int or a name, a container of the same class for a slice.
    def __getitem__(self, key: int | str | slice) -> Any:
        if isinstance(key, str):
            return self.layers[key]
        if isinstance(key, int) and not -len(self.layers) <= key < len(self.layers):
            raise IndexError(f"{type(self).__name__} has {len(self.layers)} layers, got the position {key}")
        chosen = list(self.layers.items())[key]
        return self._part(dict(chosen)) if isinstance(key, slice) else chosen[1]  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Layer:
        layers = self.__dict__.get("layers", {})
        if name in layers:
            return layers[name]
        from luxport.hints import hint_at_attribute  # imported only when a call fails

        hint = hint_at_attribute(name) or f": its layers are {', '.join(layers)}"
        raise AttributeError(f"{type(self).__name__} has no attribute or layer {show(name)}{hint}")


def read_layers(
    container: str, layers: tuple[Any, ...], named: Mapping[str, Any], *, reserved: tuple[str, ...], name: Any = None
) -> NamedLayers:
    """Return the layers that a container is built with, by position, by keyword, or as one dict.

    Raises: TypeError for layers by position and by keyword, or what is neither layer nor function; ValueError for a
            reserved name, or a `name` of the container that is no string
    """
    if not isinstance(name, (str, type(None))):
        raise ValueError(f"{container} expects a string as its name, got {show(name)}: no layer can have this name")
    if layers and named:
        raise TypeError(f"{container} expects layers by position or by keyword, got both")
    if len(layers) == 1 and isinstance(layers[0], Mapping):
        named, layers = layers[0], ()
    for key in named:
        if not isinstance(key, str) or key in reserved:
            known = ", ".join(map(repr, reserved))
            raise ValueError(f"{container} expects strings other than {known} as names of layers, got {show(key)}")
    if named:
        return NamedLayers({key: make_layer(layer) for key, layer in named.items()})
    return NamedLayers({f"layer_{i}": layer for i, layer in enumerate(_yield_flat(layers), start=1)})


def make_layer(value: Any) -> Layer:
    """Return a layer itself, and a function as a `WrappedFunction`.

    Raises: LayerTypeError for anything else
    """
    if isinstance(value, Layer):
        return value
    if isinstance(value, type) and issubclass(value, Layer):
        raise LayerTypeError(f"expects a layer, got the class {value.__name__}: call it, {value.__name__}(...)")
    if callable(value):
        return WrappedFunction(value)
    raise LayerTypeError(f"expects a layer or a function, got {name_kind(value)}: {show(value)}")


def _yield_flat(layers: Any) -> Iterator[Layer]:
    for layer in layers:
        if isinstance(layer, (tuple, list)):
            yield from _yield_flat(layer)
        else:
            yield make_layer(layer)
