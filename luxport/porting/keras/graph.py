"""Port Functional models of Keras that are no chain, but have shared layers, branches or masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from operator import ne
from typing import Any, TypeAlias

from luxport.core.layer import Layer
from luxport.core.layer_base import NamedLayers
from luxport.porting.errors import NoCounterpartError
from luxport.porting.keras.masks import (
    RECURRENT,
    accept_mask,
    average_masked_steps,
    compute_mask,
    join_attention_masks,
    merge_masks,
    repeat_last_outputs,
)
from luxport.porting.keras.merging import MERGE_FUNCTIONS
from luxport.porting.network import Call, Entries, Network, Result

__all__ = ["Ported", "trace_network"]

Ported: TypeAlias = tuple[Layer, dict[str, Any], dict[str, Any]]
"""A layer, its parameters, and those entries of its state that Keras has."""


def trace_network(model: Any, port: Callable[[Any, str], Ported], path: str) -> Ported:
    """Port each layer of a model once, and call the layers as the model's graph does, on arrays in Keras's layout.

    Raises: ValueError that names an operation or an argument without a counterpart
    """
    results: dict[int, Any] = {id(tensor): Result(tensor._keras_history[0].name) for tensor in model.inputs}
    ported: dict[str, Ported] = {}
    calls: list[Call] = []
    taken: set[int] = set()
    for node in _order_calls(model):
        operation = node.operation
        name = f"{operation.name}_{len(calls)}"
        kind = type(operation).__name__
        if not _is_layer(operation) and (kind not in MERGE_FUNCTIONS or _uses_unknown(node, results)):
            # Most of these compute masks, which luxport computes itself: their results are usually not needed.
            results |= {id(tensor): _Unknown(operation) for tensor in node.outputs if id(tensor) not in results}
            continue
        given = _order_arguments(operation, node.arguments, results, taken)
        if kind in MERGE_FUNCTIONS and "keras.src" in type(operation).__module__:
            function, attributes = MERGE_FUNCTIONS[kind]
            options = tuple([(ours, _make_plain(getattr(operation, theirs))) for ours, theirs in attributes.items()])
            arrays = given[0] if len(given) == 1 and isinstance(given[0], tuple) else given
            calls.append(Call(name, function, (arrays,), options))
        elif kind == "GlobalAveragePooling1D" and len(given) == 2:
            calls.append(Call(name, average_masked_steps, (*given, operation.keepdims)))
        else:
            with_mask = kind in RECURRENT and len(given) > 1 and isinstance(given[1], Result)
            if operation.name not in ported:
                ported[operation.name] = port(operation, path)
                if with_mask:
                    layer, *trees = ported[operation.name]
                    ported[operation.name] = _call_naming_operation(operation, accept_mask, layer), *trees  # type: ignore[assignment]
            elif kind in RECURRENT and with_mask != _is_masked(ported[operation.name][0]):
                raise _refuse(operation, "it is called both with and without a mask")
            if kind == "MultiHeadAttention" and len(given) > 5:
                calls.append(Call(f"{name}_seen", join_attention_masks, given[3:4] + given[5:]))
                given = (*given[:3], Result(f"{name}_seen"), given[4])
            calls.append(Call(name, operation.name, given))
            if with_mask and kind != "Bidirectional" and _repeats_outputs(operation):
                options = (*given[1:2], operation.go_backwards, operation.return_state)
                calls.append(Call(f"{name}_held", repeat_last_outputs, (Result(name), *options)))
                name = f"{name}_held"
        _note_outputs(results, node.outputs, name, calls)
        _add_mask_call(operation, node, given, results, calls)
    keras: Any = import_module("keras")
    output = _write_output(
        keras.tree.map_structure(lambda tensor: _Leaf(_look_up(results, tensor)), model._outputs_struct)
    )
    network = Network(
        NamedLayers({name: layer for name, (layer, _, _) in ported.items()}),
        tuple([tensor._keras_history[0].name for tensor in model.inputs]),
        tuple(calls),
        output,
    )
    return network, {n: ps for n, (_, ps, _) in ported.items()}, {n: st for n, (_, _, st) in ported.items()}


def _is_layer(operation: Any) -> bool:
    return any(kind.__module__ == "keras.src.layers.layer" for kind in type(operation).__mro__)


def _uses_unknown(node: Any, results: Mapping[int, Any]) -> bool:
    return any(isinstance(results.get(id(tensor)), _Unknown) for tensor in node.input_tensors)


@dataclass(frozen=True)
class _Unknown:
    """The result of an operation that has no counterpart; using it is an error."""

    operation: Any


def _repeats_outputs(operation: Any) -> bool:
    """Return whether Keras repeats the last output at masked steps, where luxport's layers have zeros."""
    return operation.return_sequences and not operation.zero_output_for_mask


def _is_masked(layer: Any) -> bool:
    return getattr(getattr(layer, "forward_rnn", layer), "masked", False)


def _call_naming_operation(operation: Any, function: Callable[..., Any], *args: Any) -> Any:
    """Return the result of a function; its ValueError becomes one that names the operation."""
    try:
        return function(*args)
    except ValueError as error:
        raise _refuse(operation, str(error)) from None


def _refuse(operation: Any, text: str) -> NoCounterpartError:
    return NoCounterpartError(f"from_keras: {type(operation).__name__} at {operation.name} has no counterpart: {text}")


def _add_mask_call(
    operation: Any, node: Any, given: tuple[Any, ...], results: dict[int, Any], calls: list[Call]
) -> None:
    """Add a call that computes the mask of a layer's output, unless it is the mask of an input."""
    mask = getattr(node.outputs[0], "_keras_mask", None)
    if mask is None or isinstance(results.get(id(mask)), Result):
        return
    kind, name = type(operation).__name__, f"{operation.name}_mask_{len(calls)}"
    seen = [getattr(tensor, "_keras_mask", None) for tensor in node.input_tensors]
    masks = tuple([None if mask is None else _look_up(results, mask) for mask in seen])
    if kind == "Masking":
        calls.append(Call(name, compute_mask, given, (("value", float(operation.mask_value)),)))
    elif kind == "Embedding":
        calls.append(Call(name, ne, (*given, 0)))
    elif kind in MERGE_FUNCTIONS:
        axis = operation.axis % len(node.outputs[0].shape) if kind == "Concatenate" else None
        if axis == 0:
            raise _refuse(operation, "it concatenates masks along the batch")
        calls.append(Call(name, merge_masks, (kind, axis, given[0], masks)))
    elif kind in ("Attention", "AdditiveAttention"):
        results[id(mask)] = masks[0]
        return
    else:
        results[id(mask)] = _Unknown(operation)
        return
    results[id(mask)] = Result(name)


def _look_up(results: Mapping[int, Any], value: Any) -> Any:
    """Return the result for a Keras tensor; any other value is returned unchanged."""
    found = results.get(id(value), value)
    if isinstance(found, _Unknown):
        raise _refuse(found.operation, "it is no class of keras.layers")
    return found


class _Leaf:
    """Wraps a result as a leaf of Keras's trees, which would look into a tuple."""

    def __init__(self, result: Any) -> None:
        self.result = result


def _write_output(value: Any) -> Any:
    if isinstance(value, _Leaf):
        return value.result
    if isinstance(value, Mapping):
        return Entries(tuple((name, _write_output(entry)) for name, entry in value.items()))
    return tuple(map(_write_output, value))


def _order_calls(model: Any) -> list[Any]:
    """Return the nodes of a model's graph, each after the nodes whose results it needs."""
    depths = sorted(model._nodes_by_depth, reverse=True)
    return [node for depth in depths for node in model._nodes_by_depth[depth] if not node.is_input]


def _note_outputs(results: dict[int, Any], outputs: Any, name: str, calls: list[Call]) -> None:
    """Register the outputs of a call; several outputs get a name each, and a call that takes them from the result."""
    if len(outputs) == 1:
        results[id(outputs[0])] = Result(name)
        return
    for i, tensor in enumerate(outputs):
        calls.append(Call(f"{name}_{i}", _get_entry, (Result(name), i)))
        results[id(tensor)] = Result(f"{name}_{i}")


def _get_entry(values: Any, i: int) -> Any:
    """Return the i-th of several outputs, which luxport may nest and Keras has in one list."""
    flat: list[Any] = []

    def add(value: Any) -> None:
        for entry in value if isinstance(value, (tuple, list)) else ():
            add(entry) if isinstance(entry, (tuple, list)) else flat.append(entry)

    add(values)
    return flat[i]


def _order_arguments(operation: Any, arguments: Any, results: Mapping[int, Any], taken: set[int]) -> tuple[Any, ...]:
    """Return the arguments of a call in order, followed by the masks that Keras attaches to the inputs."""

    def read(value: Any) -> Any:
        return tuple(map(read, value)) if isinstance(value, (tuple, list)) else _look_up(results, value)

    def find_mask(value: Any) -> Any:
        return None if id(value) in taken else getattr(value, "_keras_mask", None)

    given = {k: v for k, v in arguments.kwargs.items() if v is not None and v is not False}
    kind = type(operation).__name__
    if kind == "MultiHeadAttention":
        args = [*arguments.args, None, None, None][:4]
        names = ("query", "value", "key", "attention_mask")
        values = [given.pop(name, arg) for name, arg in zip(names, args, strict=True)]
        causal = given.pop("use_causal_mask", False)
        masks = [given.pop(f"{name}_mask", find_mask(value)) for name, value in zip(names[:3], values, strict=False)]
        _expect_none(operation, given)
        # The layer removes the masks from its inputs, so a later call with the same inputs has none.
        taken |= {id(value) for value in values[:3]}
        return (*map(read, values), causal, *(map(read, masks) if any(mask is not None for mask in masks) else ()))
    if kind in ("Attention", "AdditiveAttention"):
        masks = given.pop("mask", None) or [*map(find_mask, arguments.args[0])]
        flags = given.pop("use_causal_mask", False), given.pop("return_attention_scores", False)
        _expect_none(operation, given)
        query, value, key = [*map(read, arguments.args[0]), None][:3]
        return query, value, key, *map(read, masks[:2]), *flags
    mask = given.pop("mask", None)
    if kind in RECURRENT:
        x, *more = arguments.args
        start = given.pop("initial_state", more[0] if more else None)
        _expect_none(operation, given)
        carry = () if start is None else (_read_carry(operation, read(start)),)
        return (read(x), *(() if mask is None else (read(mask),)), *carry)
    _expect_none(operation, given)
    if mask is None or kind == "BatchNormalization":  # it uses the mask only in training
        return tuple(map(read, arguments.args))
    if kind == "GlobalAveragePooling1D":
        return (*map(read, arguments.args), read(mask))
    if kind != "TimeDistributed" or operation.layer._call_has_mask_arg:
        raise _refuse(operation, "it is called with a mask")
    return tuple(map(read, arguments.args))


def _read_carry(operation: Any, states: Any) -> Any:
    """Return the initial carry of a recurrent layer: a tuple, or a pair of tuples for two directions."""
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
