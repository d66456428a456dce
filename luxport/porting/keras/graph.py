"""Functional models of Keras that are no chain: layers shared, merged, with several inputs or outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from operator import ne
from typing import Any, TypeAlias

from luxport.core.anatomy import NamedLayers
from luxport.core.layer import Layer
from luxport.porting.errors import NoCounterpartError
from luxport.porting.keras.masks import (
    RECURRENT,
    attention_mask,
    hold,
    mask_of,
    masked_mean,
    merged,
    with_masks,
)
from luxport.porting.keras.merging import MERGING
from luxport.porting.network import Call, Entries, Network, Result

__all__ = ["trace_network"]

Ported: TypeAlias = tuple[Layer, dict[str, Any], dict[str, Any]]


def trace_network(model: Any, port: Callable[[Any, str], Ported], path: str) -> Ported:
    """Port each layer of a model once, and call them as its graph does, on arrays as Keras has them.

    Raises: ValueError for an operation or an argument that has no counterpart, naming it
    """
    results: dict[int, Any] = {id(tensor): Result(tensor._keras_history[0].name) for tensor in model.inputs}
    ported: dict[str, Ported] = {}
    calls: list[Call] = []
    taken: set[int] = set()
    for node in _order_calls(model):
        operation = node.operation
        name = f"{operation.name}_{len(calls)}"
        kind = type(operation).__name__
        if not _is_layer(operation) and (kind not in MERGING or _needs_unknown(node, results)):
            # Most of these make masks, which are made anew here: an error if it is asked for.
            results |= {id(tensor): _Unknown(operation) for tensor in node.outputs if id(tensor) not in results}
            continue
        given = _order_arguments(operation, node.arguments, results, taken)
        if kind in MERGING and "keras.src" in type(operation).__module__:
            function, attributes = MERGING[kind]
            options = tuple([(ours, _make_plain(getattr(operation, theirs))) for ours, theirs in attributes.items()])
            arrays = given[0] if len(given) == 1 and isinstance(given[0], tuple) else given
            calls.append(Call(name, function, (arrays,), options))
        elif kind == "GlobalAveragePooling1D" and len(given) == 2:
            calls.append(Call(name, masked_mean, (*given, operation.keepdims)))
        else:
            with_mask = kind in RECURRENT and len(given) > 1 and isinstance(given[1], Result)
            if operation.name not in ported:
                ported[operation.name] = port(operation, path)
                if with_mask:
                    layer, *trees = ported[operation.name]
                    ported[operation.name] = _name_in_errors(operation, with_masks, layer), *trees  # type: ignore[assignment]
            elif kind in RECURRENT and with_mask != _takes_masks(ported[operation.name][0]):
                raise _refuse(operation, "is called with a mask and without one")
            if kind == "MultiHeadAttention" and len(given) > 5:
                calls.append(Call(f"{name}_seen", attention_mask, given[3:4] + given[5:]))
                given = (*given[:3], Result(f"{name}_seen"), given[4])
            calls.append(Call(name, operation.name, given))
            if with_mask and kind != "Bidirectional" and _repeats(operation):
                options = (*given[1:2], operation.go_backwards, operation.return_state)
                calls.append(Call(f"{name}_held", hold, (Result(name), *options)))
                name = f"{name}_held"
        _keep(results, node.outputs, name, calls)
        _keep_mask(operation, node, given, results, calls)
    keras: Any = import_module("keras")
    output = _write(keras.tree.map_structure(lambda tensor: _Found(_look_up(results, tensor)), model._outputs_struct))
    network = Network(
        NamedLayers({name: layer for name, (layer, _, _) in ported.items()}),
        tuple([tensor._keras_history[0].name for tensor in model.inputs]),
        tuple(calls),
        output,
    )
    return network, {n: ps for n, (_, ps, _) in ported.items()}, {n: st for n, (_, _, st) in ported.items()}


def _is_layer(operation: Any) -> bool:
    return any(kind.__module__ == "keras.src.layers.layer" for kind in type(operation).__mro__)


def _needs_unknown(node: Any, results: Mapping[int, Any]) -> bool:
    return any(isinstance(results.get(id(tensor)), _Unknown) for tensor in node.input_tensors)


@dataclass(frozen=True)
class _Unknown:
    """The result of an operation that has no counterpart, which is an error only if it is asked for."""

    operation: Any


def _repeats(operation: Any) -> bool:
    """Tell whether Keras repeats outputs at the steps that do not count, where luxport has zeros."""
    return operation.return_sequences and not operation.zero_output_for_mask


def _takes_masks(layer: Any) -> bool:
    return getattr(getattr(layer, "forward_rnn", layer), "masked", False)


def _name_in_errors(operation: Any, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function, and name the operation in its error."""
    try:
        return function(*args)
    except ValueError as error:
        raise _refuse(operation, str(error)) from None


def _refuse(operation: Any, text: str) -> NoCounterpartError:
    return NoCounterpartError(f"from_keras: {type(operation).__name__} at {operation.name} has no counterpart: {text}")


def _keep_mask(operation: Any, node: Any, given: tuple[Any, ...], results: dict[int, Any], calls: list[Call]) -> None:
    """Make the mask that Keras has beside a layer's output, unless it is one that came in."""
    mask = getattr(node.outputs[0], "_keras_mask", None)
    if mask is None or isinstance(results.get(id(mask)), Result):
        return
    kind, name = type(operation).__name__, f"{operation.name}_mask_{len(calls)}"
    seen = [getattr(tensor, "_keras_mask", None) for tensor in node.input_tensors]
    masks = tuple([None if mask is None else _look_up(results, mask) for mask in seen])
    if kind == "Masking":
        calls.append(Call(name, mask_of, given, (("value", float(operation.mask_value)),)))
    elif kind == "Embedding":
        calls.append(Call(name, ne, (*given, 0)))
    elif kind in MERGING:
        axis = operation.axis % len(node.outputs[0].shape) if kind == "Concatenate" else None
        if axis == 0:
            raise _refuse(operation, "joins masks along the batch")
        calls.append(Call(name, merged, (kind, axis, given[0], masks)))
    elif kind in ("Attention", "AdditiveAttention"):
        results[id(mask)] = masks[0]
        return
    else:
        results[id(mask)] = _Unknown(operation)
        return
    results[id(mask)] = Result(name)


def _look_up(results: Mapping[int, Any], value: Any) -> Any:
    """Return the result that a tensor of Keras is, and anything else as it is."""
    found = results.get(id(value), value)
    if isinstance(found, _Unknown):
        raise _refuse(found.operation, "is no class of keras.layers")
    return found


class _Found:
    """A result, which Keras's trees leave alone."""

    def __init__(self, result: Any) -> None:
        self.result = result


def _write(value: Any) -> Any:
    if isinstance(value, _Found):
        return value.result
    if isinstance(value, Mapping):
        return Entries(tuple((name, _write(entry)) for name, entry in value.items()))
    return tuple(map(_write, value))


def _order_calls(model: Any) -> list[Any]:
    """Return the calls of a model's layers, each after those that it needs."""
    depths = sorted(model._nodes_by_depth, reverse=True)
    return [node for depth in depths for node in model._nodes_by_depth[depth] if not node.is_input]


def _keep(results: dict[int, Any], outputs: Any, name: str, calls: list[Call]) -> None:
    """Remember where a call's outputs are: one alone, or several each under a name of its own."""
    if len(outputs) == 1:
        results[id(outputs[0])] = Result(name)
        return
    for i, tensor in enumerate(outputs):
        calls.append(Call(f"{name}_{i}", _get_entry, (Result(name), i)))
        results[id(tensor)] = Result(f"{name}_{i}")


def _get_entry(values: Any, i: int) -> Any:
    """Return an output of several, which luxport nests where Keras lists them one after the other."""
    flat: list[Any] = []

    def add(value: Any) -> None:
        for entry in value if isinstance(value, (tuple, list)) else ():
            add(entry) if isinstance(entry, (tuple, list)) else flat.append(entry)

    add(values)
    return flat[i]


def _order_arguments(operation: Any, arguments: Any, results: Mapping[int, Any], taken: set[int]) -> tuple[Any, ...]:
    """Write a call's arguments out in order, and the masks that Keras hands over after them."""

    def read(value: Any) -> Any:
        return tuple(map(read, value)) if isinstance(value, (tuple, list)) else _look_up(results, value)

    def beside(value: Any) -> Any:
        return None if id(value) in taken else getattr(value, "_keras_mask", None)

    given = {k: v for k, v in arguments.kwargs.items() if v is not None and v is not False}
    kind = type(operation).__name__
    if kind == "MultiHeadAttention":
        args = [*arguments.args, None, None, None][:4]
        names = ("query", "value", "key", "attention_mask")
        values = [given.pop(name, arg) for name, arg in zip(names, args, strict=True)]
        causal = given.pop("use_causal_mask", False)
        masks = [given.pop(f"{name}_mask", beside(value)) for name, value in zip(names[:3], values, strict=False)]
        _expect_none(operation, given)
        # It takes the masks from its inputs: another that is called with these finds none.
        taken |= {id(value) for value in values[:3]}
        return (*map(read, values), causal, *(map(read, masks) if any(mask is not None for mask in masks) else ()))
    if kind in ("Attention", "AdditiveAttention"):
        masks = given.pop("mask", None) or [*map(beside, arguments.args[0])]
        flags = given.pop("use_causal_mask", False), given.pop("return_attention_scores", False)
        _expect_none(operation, given)
        query, value, key = [*map(read, arguments.args[0]), None][:3]
        return query, value, key, *map(read, masks[:2]), *flags
    mask = given.pop("mask", None)
    if kind in RECURRENT:
        x, *more = arguments.args
        start = given.pop("initial_state", more[0] if more else None)
        _expect_none(operation, given)
        carry = () if start is None else (_carry(operation, read(start)),)
        return (read(x), *(() if mask is None else (read(mask),)), *carry)
    _expect_none(operation, given)
    if mask is None or kind == "BatchNormalization":  # which looks at it in training alone
        return tuple(map(read, arguments.args))
    if kind == "GlobalAveragePooling1D":
        return (*map(read, arguments.args), read(mask))
    if kind != "TimeDistributed" or operation.layer._call_has_mask_arg:
        raise _refuse(operation, "it is called with mask")
    return tuple(map(read, arguments.args))


def _carry(operation: Any, states: Any) -> Any:
    """Return what a recurrent layer starts from: a tuple, for both directions a pair."""
    states = states if isinstance(states, tuple) else (states,)
    if type(operation).__name__ != "Bidirectional":
        return states
    half = len(states) // 2
    return states[:half], states[half:]


def _expect_none(operation: Any, given: Mapping[str, Any]) -> None:
    if given:
        raise _refuse(operation, f"it is called with {next(iter(given))}")


def _make_plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
