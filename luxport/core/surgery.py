"""Functions that list or replace the layers and arrays of a model: `layer_map`, `modules`, `trainables` and others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any, overload

from luxport import tree
from luxport.call_arguments import explain_call_errors
from luxport.core.entries import record_entries
from luxport.core.initial_values import describe_values, initial_parameters, initial_states
from luxport.core.layer import Layer
from luxport.core.layer_base import NamedLayers, Parameters, States, expect_layer, expect_no_layer, name_layers
from luxport.text import show

__all__ = ["layer_map", "modules", "named_modules", "replace_layers", "trainables"]

LayerFunction = Callable[[Layer, Any, Any, tuple[str, ...]], tuple[Layer, Any, Any]]


@explain_call_errors
def layer_map(
    f: LayerFunction, model: Layer, ps: Parameters, st: States
) -> tuple[Layer, dict[str, Any], dict[str, Any]]:
    """Replace every layer that holds no others, with its parameters and states, by ``f(layer, ps, st, path)``.

    f returns a new layer, parameters and states. The path is that of the parameters, a tuple of keys. A layer that
    wraps another without adding a key (`WrapperLayer`) is looked into, but a recurrent network counts as one layer.
    Containers are rebuilt around the new layers; the model itself is not changed.

    Args:
        f: a function of a layer, its parameters, its states and its path that returns new ones of the first three
        model: a model
        ps: its parameters
        st: its states

    Source: Lux.jl ``Experimental.layer_map``

    >>> import luxport
    >>> model = luxport.Chain(luxport.Dense(2, 3), luxport.BatchNorm(3))
    >>> def freeze_dense(layer, ps, st, path):
    ...     return luxport.freeze(layer, ps, st) if isinstance(layer, luxport.Dense) else (layer, ps, st)
    >>> model, ps, st = layer_map(freeze_dense, model, *luxport.setup(0, model))
    >>> model
    Chain(FrozenLayer(Dense(2, 3)), BatchNorm(3))
    """
    return _walk(f, model, ps, st, ())


@explain_call_errors
def modules(model: Layer) -> Iterator[Layer]:
    """Yield a layer and all layers inside it, depth first.

    Source: Flux.jl ``modules``

    >>> import luxport
    >>> [type(layer).__name__ for layer in modules(luxport.Chain(luxport.Dense(2, 3), luxport.NoOpLayer()))]
    ['Chain', 'Dense', 'NoOpLayer']
    """
    return (layer for _, layer in named_modules(model))


@explain_call_errors
def named_modules(model: Layer, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Layer]]:
    """Yield ``(path, layer)`` for a layer and all layers inside it, depth first; paths are those of the parameters.

    Args:
        model: a layer
        path: the beginning of each path
    """
    expect_layer("named_modules", model)
    return _list_named_modules(model, path)


def _list_named_modules(layer: Layer, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Layer]]:
    yield path, layer
    inner = _find_only_layer(layer)
    if inner is not None:
        yield from _list_named_modules(inner, path)
    else:
        yield from _yield_named(layer.children(), path)


@overload
def trainables(ps: Parameters) -> list[Any]: ...
@overload
def trainables(ps: Parameters, *, path: bool) -> list[Any] | list[tuple[tuple[str, ...], Any]]: ...
@explain_call_errors
def trainables(ps: Parameters, *, path: bool = False) -> list[Any]:
    """List the arrays that training changes, the floating and complex ones among the parameters, each once.

    Everything else in the tree (integers, functions) is left out.

    Args:
        ps: parameters
        path: whether each array comes with its path: ``(("layer_1", "weight"), array)``

    Source: Optimisers.jl ``trainables``

    >>> import luxport
    >>> ps, _ = luxport.setup(0, luxport.Dense(3, 2))
    >>> [(".".join(path), array.shape) for path, array in trainables(ps, path=True)]
    [('weight', (3, 2)), ('bias', (2,))]
    """
    expect_no_layer("trainables", ps)
    found: dict[int, tuple[tuple[str, ...], Any]] = {}
    for where, leaf in tree.leaves_with_path(ps):
        kind = str(getattr(leaf, "dtype", None))
        if "float" in kind or "complex" in kind:
            found.setdefault(id(leaf), (where, leaf))
    return list(found.values()) if path else [leaf for _, leaf in found.values()]


def _walk(f: LayerFunction, layer: Layer, ps: Any, st: Any, path: tuple[str, ...]) -> tuple[Layer, Any, Any]:
    inner = _find_only_layer(layer)
    if inner is not None and not getattr(inner, "_is_cell", False) and _have_same_entries(layer, inner):
        new, ps, st = _walk(f, inner, ps, st, path)
        return _rebuild(layer, [(inner, new)]), ps, st
    children = layer.children()
    if not (children.keys() <= ps.keys() and children.keys() <= st.keys()):
        return f(layer, ps, st, path)
    if not children or any(getattr(child, "_is_cell", False) for child in children.values()):
        return f(layer, ps, st, path)
    pairs: list[tuple[Layer, Layer]] = []
    changed = _walk_children(f, children, ps, st, path, pairs)
    return _rebuild(layer, pairs), *changed


def _walk_children(
    f: LayerFunction, children: Any, ps: Any, st: Any, path: tuple[str, ...], pairs: list[tuple[Layer, Layer]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    new_ps, new_st = dict(ps), dict(st)
    for name, child in name_layers(children).items():
        where = (*path, name)
        if isinstance(child, Layer):
            new, new_ps[name], new_st[name] = _walk(f, child, ps[name], st[name], where)
            pairs.append((child, new))
        else:
            new_ps[name], new_st[name] = _walk_children(f, child, ps[name], st[name], where, pairs)
    return new_ps, new_st


def replace_layers(f: Callable[[Layer], Layer], model: Layer) -> Layer:
    """Replace every layer of a model by ``f(layer)``, the innermost first; f must not change parameters and states.

    Unlike `layer_map`, it also reaches layers inside those whose own parameters and states differ from the inner
    layer's, such as `FrozenLayer`.
    """
    pairs: list[tuple[Layer, Layer]] = []

    def collect(value: Any) -> None:
        if isinstance(value, Layer):
            pairs.append((value, replace_layers(f, value)))
        elif isinstance(value, (NamedLayers, tuple)):
            for inner in value.values() if isinstance(value, NamedLayers) else value:
                collect(inner)

    for field in fields(model):  # type: ignore[arg-type]
        collect(getattr(model, field.name))
    return f(_rebuild(model, pairs))


def _find_only_layer(layer: Layer) -> Layer | None:
    """Return the only layer in a layer's fields, if it has no key of its own in the parameters; else None."""
    held = [value for f in fields(layer) if isinstance(value := getattr(layer, f.name), Layer)]  # type: ignore[arg-type]
    if len(held) != 1 or any(child is held[0] for child in layer.children().values()):
        return None
    return held[0]


def _have_same_entries(layer: Layer, inner: Layer) -> bool:
    return all(
        tree.structure(describe_values(initial, layer)) == tree.structure(describe_values(initial, inner))
        for initial in (initial_parameters, initial_states)
    )


def _rebuild(layer: Layer, pairs: list[tuple[Layer, Layer]]) -> Layer:
    """Copy a layer with each old child replaced by the new one; pairs are in the order of the children."""
    if all(old is new for old, new in pairs):
        return layer
    waiting = list(pairs)

    def substitute(value: Any) -> Any:
        if isinstance(value, Layer):
            for i, (old, new) in enumerate(waiting):
                if old is value:
                    del waiting[i]
                    return new
        elif isinstance(value, NamedLayers):
            return NamedLayers({name: substitute(inner) for name, inner in value.items()})
        elif isinstance(value, tuple):
            parts = [substitute(inner) for inner in value]
            if any(new is not old for new, old in zip(parts, value, strict=True)):
                return type(value)(parts)
        return value

    rebuilt = object.__new__(type(layer))
    for f in fields(layer):  # type: ignore[arg-type]
        object.__setattr__(rebuilt, f.name, substitute(getattr(layer, f.name)))
    record_entries(rebuilt)
    if waiting:
        raise TypeError(
            f"{type(layer).__name__} expects its layers in its fields, and {show(waiting[0][0])} is in none"
        )
    return rebuilt


def _yield_named(children: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Layer]]:
    for name, child in name_layers(children).items():
        if isinstance(child, Layer):
            yield from named_modules(child, (*path, name))
        else:
            yield from _yield_named(child, (*path, name))
