"""Layers made of layers: `Chain`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, overload

from luxport.layer import Layer, NamedLayers, Parameters, States, WrapperLayer
from luxport.layers.wrapped import NoOpLayer, WrappedFunction

__all__ = ["Chain"]


class Chain(WrapperLayer):
    """Layers one after the other: the output of each is the input of the next.

    Functions become `WrappedFunction`; tuples and lists of layers are laid out flat; an empty chain holds one
    `NoOpLayer`. Layers are named ``layer_1``, ``layer_2``, … or by keyword (or a dict).

    ``chain[0]``, ``chain["layer_1"]`` and ``chain.layer_1`` are a layer; ``chain[1:]`` is a chain that keeps the
    names, so that the parameters of the whole serve the part.

    Shapes: those of the layers
    Params: one entry per layer, by name
    State:  likewise
    Raises: TypeError when built with anything that is neither layer nor function, ValueError for a layer named
            ``name`` or ``layers``, which are the chain's own; LayerError as the layers do
    Source: Lux.jl ``Chain``

    >>> import luxport
    >>> model = Chain(luxport.Dense(2, 3, luxport.tanh), luxport.Dense(3, 1))
    >>> list(luxport.setup(0, model)[0])
    ['layer_1', 'layer_2']
    >>> Chain(encoder=luxport.Dense(2, 3)).encoder
    Dense(2, 3)
    """

    layers: NamedLayers
    name: str | None = None

    def __init__(self, *layers: Any, name: str | None = None, **named: Any) -> None:
        if not isinstance(name, (str, type(None))):
            raise ValueError(f"Chain expects a string as its name, got {name!r}: a layer cannot be called so")
        if layers and named:
            raise TypeError("Chain expects layers by position or by keyword, got both")
        if len(layers) == 1 and isinstance(layers[0], Mapping):
            named, layers = dict(layers[0]), ()
        if named:
            items = {_as_name(key): _as_layer(layer) for key, layer in named.items()}
        else:
            flat = list(_flat(layers)) or [NoOpLayer()]
            items = {f"layer_{i}": layer for i, layer in enumerate(flat, start=1)}
        object.__setattr__(self, "layers", NamedLayers(items))
        object.__setattr__(self, "name", name)

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the layers in order."""
        new_st = {}
        for name, layer in self.layers.items():
            x, new_st[name] = layer(x, ps[name], st[name])
        return x, new_st

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers.values())

    @overload
    def __getitem__(self, key: int | str) -> Layer: ...
    @overload
    def __getitem__(self, key: slice) -> Chain: ...
    def __getitem__(self, key: int | str | slice) -> Layer:
        if isinstance(key, str):
            return self.layers[key]
        chosen = list(self.layers.items())[key]
        return Chain(dict(chosen), name=self.name) if isinstance(key, slice) else chosen[1]  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Layer:
        layers = self.__dict__.get("layers", {})
        if name in layers:
            return layers[name]
        raise AttributeError(f"Chain has no attribute or layer {name!r}: its layers are {', '.join(layers)}")


def _flat(layers: Any) -> Iterator[Layer]:
    for layer in layers:
        if isinstance(layer, (tuple, list)):
            yield from _flat(layer)
        else:
            yield _as_layer(layer)


def _as_name(key: Any) -> str:
    if not isinstance(key, str) or key in ("name", "layers"):
        raise ValueError(f"Chain expects strings other than 'name' and 'layers' as names of layers, got {key!r}")
    return key


def _as_layer(value: Layer | Callable[..., Any]) -> Layer:
    if isinstance(value, Layer):
        return value
    if callable(value):
        return WrappedFunction(value)
    raise TypeError(f"a layer or a function expected, got {type(value).__name__}: {value!r}")
