"""Functional models of Keras that are no chain: layers shared, merged, with several inputs or outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeAlias

from luxport.core.anatomy import NamedLayers
from luxport.core.layer import Layer
from luxport.porting.errors import NoCounterpartError
from luxport.porting.keras.merging import MERGING
from luxport.porting.network import Call, Entries, Network, Result

__all__ = ["network_of"]

Ported: TypeAlias = tuple[Layer, dict[str, Any], dict[str, Any]]


def network_of(model: Any, port: Callable[[Any, str], Ported], path: str) -> Ported:
    """Port each layer of a model once, and call them as its graph does, on arrays as Keras has them.

    Raises: ValueError for an operation or an argument that has no counterpart, naming it
    """
    results: dict[int, Any] = {id(tensor): Result(tensor._keras_history[0].name) for tensor in model.inputs}
    ported: dict[str, Ported] = {}
    calls: list[Call] = []
    for node in _in_order(model):
        operation = node.operation
        name = f"{operation.name}_{len(calls)}"
        given = _arguments(operation, node.arguments, results)
        kind = type(operation).__name__
        if kind in MERGING and "keras.src" in type(operation).__module__:
            function, attributes = MERGING[kind]
            options = tuple([(ours, _plain(getattr(operation, theirs))) for ours, theirs in attributes.items()])
            arrays = given[0] if len(given) == 1 and isinstance(given[0], tuple) else given
            calls.append(Call(name, function, (arrays,), options))
        else:
            if operation.name not in ported:
                ported[operation.name] = port(operation, path)
            calls.append(Call(name, operation.name, given))
        _keep(results, node.outputs, name, calls)
    keras: Any = import_module("keras")
    output = _written(keras.tree.map_structure(lambda tensor: _Found(results[id(tensor)]), model._outputs_struct))
    network = Network(
        NamedLayers({name: layer for name, (layer, _, _) in ported.items()}),
        tuple([tensor._keras_history[0].name for tensor in model.inputs]),
        tuple(calls),
        output,
    )
    return network, {n: ps for n, (_, ps, _) in ported.items()}, {n: st for n, (_, _, st) in ported.items()}


class _Found:
    """A result, which Keras's trees leave alone."""

    def __init__(self, result: Any) -> None:
        self.result = result


def _written(value: Any) -> Any:
    if isinstance(value, _Found):
        return value.result
    if isinstance(value, Mapping):
        return Entries(tuple((name, _written(entry)) for name, entry in value.items()))
    return tuple(map(_written, value))


def _in_order(model: Any) -> list[Any]:
    """Return the calls of a model's layers, each after those that it needs."""
    depths = sorted(model._nodes_by_depth, reverse=True)
    return [node for depth in depths for node in model._nodes_by_depth[depth] if not node.is_input]


def _keep(results: dict[int, Any], outputs: Any, name: str, calls: list[Call]) -> None:
    """Remember where a call's outputs are: one alone, or several each under a name of its own."""
    if len(outputs) == 1:
        results[id(outputs[0])] = Result(name)
        return
    for i, tensor in enumerate(outputs):
        calls.append(Call(f"{name}_{i}", _entry, (Result(name), i)))
        results[id(tensor)] = Result(f"{name}_{i}")


def _entry(values: Any, i: int) -> Any:
    """Return an output of several, which luxport nests where Keras lists them one after the other."""
    flat: list[Any] = []

    def add(value: Any) -> None:
        for entry in value if isinstance(value, (tuple, list)) else ():
            add(entry) if isinstance(entry, (tuple, list)) else flat.append(entry)

    add(values)
    return flat[i]


def _arguments(operation: Any, arguments: Any, results: Mapping[int, Any]) -> tuple[Any, ...]:
    """Write a call's arguments out in order."""

    def read(value: Any) -> Any:
        if isinstance(value, (tuple, list)):
            return tuple(map(read, value))
        return results.get(id(value), value)

    given = {k: v for k, v in arguments.kwargs.items() if v is not None and v is not False}
    if type(operation).__name__ == "MultiHeadAttention":
        args = [*arguments.args, None, None][:4]
        names = ("query", "value", "key", "attention_mask")
        values = [given.pop(name, arg) for name, arg in zip(names, [*args, None, None, None][:4], strict=True)]
        causal = given.pop("use_causal_mask", False)
        _expect_none(operation, given)
        return (*map(read, values), causal)
    _expect_none(operation, given)
    return tuple(map(read, arguments.args))


def _expect_none(operation: Any, given: Mapping[str, Any]) -> None:
    if given:
        raise NoCounterpartError(
            f"from_keras: {type(operation).__name__} at {operation.name} has no counterpart: "
            f"it is called with {next(iter(given))}"
        )


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
