"""Keras's own recurrent cells and layers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from luxport.porting.keras.conventions import convert_reset_first_weights_to_keras, swap_gru_gates
from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError
from luxport_conformance.peers.keras_tools import call_stateless, import_layers, name_activation
from luxport_conformance.peers.layer_tools import list_levels, take_sequence_apart

__all__ = ["RECURRENT"]

_KINDS = {"RNN": "SimpleRNN", "LSTM": "LSTM", "GRU": "GRU", "GRUv3": "GRU"}


def _make_layer(layer: Any, kind: str, suffix: str = "", **options: Any) -> Any:
    given: dict[str, Any] = {"use_bias": layer.use_bias, **options}
    if kind == "RNN":
        given["activation"] = name_activation(layer)
    if kind in ("GRU", "GRUv3"):
        given["reset_after"] = kind == "GRU"
    return getattr(import_layers(), _KINDS[kind] + suffix)(layer.out_dims, **given)


def _convert_weights(kind: str, layer: Any, ps: Any) -> list[Any]:
    """Return Keras's kernel, recurrent kernel and bias; only the GRU's gates have another order than luxport's."""
    import keras

    kernel, recurrent, biases = ps["weight_ih"], ps["weight_hh"], [ps[n] for n in ("bias_ih", "bias_hh") if n in ps]
    if kind == "GRUv3":
        recurrent = convert_reset_first_weights_to_keras(recurrent, ps["weight_hn"])
    if kind in ("GRU", "GRUv3"):
        kernel, recurrent, *biases = map(swap_gru_gates, (kernel, recurrent, *biases))
    if kind == "GRU" and biases:
        bias = keras.ops.stack([biases[0], biases[1] if len(biases) == 2 else biases[0] * 0.0])
    else:
        bias = sum(biases[1:], start=biases[0]) if biases else None
    return [kernel, recurrent] if bias is None else [kernel, recurrent, bias]


def _list_differences(kind: str, layer: Any) -> tuple[str, ...]:
    two = layer.use_bias and kind != "GRUv3" and layer.use_recurrent_bias
    order = ("gate order",) if kind.startswith("GRU") else ()
    if kind == "GRU" and layer.use_bias and not two:
        return (*order, "two biases")
    return (*order, "one bias") if two and kind != "GRU" else order


def _make_start(layer: Any, kind: str, ps: Any, samples: int) -> Sequence[Any]:
    import keras

    found = []
    for name in ("hidden_state", "memory") if kind == "LSTM" else ("hidden_state",):
        start = ps[name] if name in ps else keras.ops.zeros((layer.out_dims,))
        found.append(keras.ops.broadcast_to(start, (samples, layer.out_dims)))
    return found


def _make_cell_builder(kind: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        cell = _make_layer(layer, kind, "Cell")
        cell.build((None, layer.in_dims))

        def call(x: Any, ps: Any) -> Any:
            x, carry = x if isinstance(x, tuple) else (x, _make_start(layer, kind, ps, x.shape[0]))
            held = [variable.value for variable in cell.non_trainable_variables]
            (y, carry), _ = call_stateless(cell, _convert_weights(kind, layer, ps), held, x, list(carry))
            return y, tuple(carry) if isinstance(carry, (list, tuple)) else (carry,)

        return Counterpart(call, differences=_list_differences(kind, layer))

    return build


def _make_layer_builder(kind: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        import keras

        if layer.train_state:
            raise NoCounterpartError("has no initial states that are trained")
        options = {"return_sequences": True, "zero_output_for_mask": True}
        way = partial(_make_layer, layer, kind, **options)
        if layer.bidirectional:
            runs = [_join_ways(way(), way(go_backwards=True)) for _ in range(layer.num_layers)]
        else:
            runs = [way(return_state=True) for _ in range(layer.num_layers)]
        width = layer.out_dims * (2 if layer.bidirectional else 1)
        for position, run in enumerate(runs):
            run.build((None, None, width if position else layer.in_dims))

        def convert_weights(level: Any) -> list[Any]:
            if not layer.bidirectional:
                return _convert_weights(kind, layer, level)
            ways = (level["forward_rnn"], level["backward_rnn"]["rnn"])
            return [weight for way in ways for weight in _convert_weights(kind, layer, way)]

        def call(x: Any, ps: Any) -> Any:
            x, mask, carry = _take_apart(layer, x)
            x = keras.ops.moveaxis(x, 0, 1) if layer.time_major else x
            end: Any = None
            for run, level in zip(runs, list_levels(layer, ps), strict=True):
                start = {} if carry is None else {"initial_state": list(carry)}
                y = _run(run, convert_weights(level), x, mask, **start)
                x, *end = (y,) if layer.bidirectional else y
            y = keras.ops.moveaxis(x, 0, 1) if layer.time_major else x
            return (y, tuple(end)) if layer.return_state else y

        return Counterpart(call, differences=_list_differences(kind, layer))

    return build


def _join_ways(forward: Any, backward: Any) -> Any:
    return import_layers().Bidirectional(forward, backward_layer=backward)


def _run(run: Any, weights: list[Any], x: Any, mask: Any, **start: Any) -> Any:
    held = [variable.value for variable in run.non_trainable_variables]
    given = start if mask is None else {"mask": mask, **start}
    return call_stateless(run, weights, held, x, **given)[0]


def _take_apart(layer: Any, x: Any) -> tuple[Any, Any, Any]:
    """Return x, the mask of its steps (batch first) and the carry; mask and carry are None if they are not given."""
    import keras

    x, mask, carry = take_sequence_apart(layer, x)
    if mask is not None and len(mask.shape) == 1:
        steps: Any = keras.ops.arange(x.shape[0 if layer.time_major else 1], dtype="int32")
        lengths: Any = keras.ops.cast(mask, "int32")
        mask = steps[None] < lengths[:, None]
    return x, mask, carry


_KINDS_OF_CELLS = {f"{kind}Cell": kind for kind in _KINDS}


def _find_kind(cell: Any) -> str:
    """Return the kind of a cell: "RNN", "LSTM" or "GRU".

    Raises: NoCounterpartError if Keras has no such cell, or the cell trains its initial states
    """
    kind = _KINDS_OF_CELLS.get(type(cell).__name__)
    if kind is None or cell.train_state:
        raise NoCounterpartError("has its own cells, and no initial states that are trained")
    return kind


def _build_recurrence(layer: Any, x: Any, st: Any) -> Counterpart:
    kind = _find_kind(layer.cell)
    if layer.reverse or layer.time_major:
        raise NoCounterpartError("is asked of sequences forward, the batch first")
    whole = layer.return_sequence
    options = {"return_sequences": whole, "zero_output_for_mask": whole}
    run = import_layers().RNN(_make_layer(layer.cell, kind, "Cell"), return_state=True, **options)
    run.build((None, None, layer.cell.in_dims))

    def call(x: Any, ps: Any) -> Any:
        x, mask, carry = _take_apart(layer, x)
        start = {} if carry is None else {"initial_state": list(carry)}
        y, *end = _run(run, _convert_weights(kind, layer.cell, ps), x, mask, **start)
        return (y, tuple(end)) if layer.return_state else y

    return Counterpart(call, differences=_list_differences(kind, layer.cell))


def _build_bidirectional(layer: Any, x: Any, st: Any) -> Counterpart:
    cells = layer.forward_rnn.cell, layer.backward_rnn["rnn"].cell
    kinds = tuple(map(_find_kind, cells))
    if layer.forward_rnn.time_major or layer.forward_rnn.return_state or not layer.forward_rnn.return_sequence:
        raise NoCounterpartError("is asked of whole sequences, the batch first")
    options: dict[str, Any] = {"return_sequences": True, "zero_output_for_mask": True}
    run = _join_ways(
        _make_layer(cells[0], kinds[0], **options), _make_layer(cells[1], kinds[1], **{**options, "go_backwards": True})
    )
    run.build((None, None, cells[0].in_dims))

    def call(x: Any, ps: Any) -> Any:
        x, mask, _ = _take_apart(layer.forward_rnn, x)
        ways = (ps["forward_rnn"], ps["backward_rnn"]["rnn"])
        weights = [
            w for kind, cell, way in zip(kinds, cells, ways, strict=True) for w in _convert_weights(kind, cell, way)
        ]
        return _run(run, weights, x, mask)

    told = [name for kind, cell in zip(kinds, cells, strict=True) for name in _list_differences(kind, cell)]
    return Counterpart(call, differences=tuple(dict.fromkeys(told)))


RECURRENT: dict[str, Build] = {
    **{kind: _make_layer_builder(kind) for kind in _KINDS},
    **{f"{kind}Cell": _make_cell_builder(kind) for kind in _KINDS},
    "BidirectionalRNN": _build_bidirectional,
    "Recurrence": _build_recurrence,
}
