"""Flax's own recurrent cells and layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError
from luxport_conformance.peers.jax_conventions import add_biases, swap_carry
from luxport_conformance.peers.jax_tools import make_start
from luxport_conformance.peers.layer_tools import list_levels, require_identity, take_sequence_apart

__all__ = ["make_recurrent_builders"]

_CELLS = {"RNN": "SimpleCell", "LSTM": "LSTMCell", "GRU": "GRUCell"}
_GATES = {"RNN": ("",), "LSTM": ("i", "f", "g", "o"), "GRU": ("r", "z", "n")}


def make_recurrent_builders(peer: str) -> dict[str, Build]:
    """Return the builders of recurrent cells and layers for one of Flax's two interfaces, nnx or linen."""
    linen = peer.endswith("linen")
    return {
        **{f"{kind}Cell": partial(_build_cell, linen, kind) for kind in _CELLS},
        **{kind: partial(_build_layer, linen, kind) for kind in _CELLS},
        "BidirectionalRNN": partial(_build_bidirectional, linen),
        "Recurrence": partial(_build_recurrence, linen),
    }


def _list_gates(kind: str, layer: Any, ps: Any) -> list[tuple[str, Any, Any, Any]]:
    """Return the name of each gate, its weights for the input and the state, and its two biases."""
    size = layer.out_dims
    found = []
    for i, gate in enumerate(_GATES[kind]):
        of = slice(i * size, (i + 1) * size)
        bias = ps["bias_ih"][of] if "bias_ih" in ps else 0.0 * ps["weight_hh"][0, of]
        more = ps["bias_hh"][of] if "bias_hh" in ps else 0.0 * bias
        found.append((gate, ps["weight_ih"][:, of], ps["weight_hh"][:, of], (bias, more)))
    return found


def _convert_for_linen(kind: str, layer: Any, ps: Any) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for gate, into, back, (bias, more) in _list_gates(kind, layer, ps):
        if kind == "RNN":
            given = {"i": {"kernel": into, "bias": add_biases(bias, more)}, "h": {"kernel": back}}
        elif kind == "LSTM":
            given |= {f"i{gate}": {"kernel": into}, f"h{gate}": {"kernel": back, "bias": add_biases(bias, more)}}
        elif gate == "n":
            given |= {"in": {"kernel": into, "bias": bias}, "hn": {"kernel": back, "bias": more}}
        else:
            given |= {f"i{gate}": {"kernel": into, "bias": add_biases(bias, more)}, f"h{gate}": {"kernel": back}}
    return given


def _make_nnx_cell(kind: str, layer: Any, ps: Any) -> Any:
    nnx = import_module("flax.nnx")

    cell = getattr(nnx, _CELLS[kind])(layer.in_dims, layer.out_dims, rngs=nnx.Rngs(0))
    if kind == "GRU":
        if "bias_hh" in ps:
            raise NoCounterpartError("has no bias of the state's product")
        _set_cell(cell.dense_i, ps["weight_ih"], ps.get("bias_ih"))
        _set_cell(cell.dense_h, ps["weight_hh"], None)
        return cell
    for gate, into, back, (bias, more) in _list_gates(kind, layer, ps):
        if kind == "RNN":
            _set_cell(cell.dense_i, into, add_biases(bias, more))
            _set_cell(cell.dense_h, back, None)
        else:
            _set_cell(getattr(cell, "if_" if gate == "f" else f"i{gate}"), into, None)
            _set_cell(getattr(cell, f"h{gate}"), back, add_biases(bias, more))
    return cell


def _set_cell(dense: Any, kernel: Any, bias: Any) -> None:
    nnx = import_module("flax.nnx")

    dense.kernel = nnx.Param(kernel)
    if bias is not None:
        dense.bias = nnx.Param(bias)


def _take_step(linen: bool, kind: str, layer: Any, ps: Any) -> Callable[[Any, Any], tuple[Any, Any]]:
    if linen:
        nn = import_module("flax.linen")

        cell, given = getattr(nn, _CELLS[kind])(layer.out_dims), _convert_for_linen(kind, layer, ps)
        return lambda carry, x: cell.apply({"params": given}, carry, x)
    return _make_nnx_cell(kind, layer, ps)


def _convert_carry(kind: str, carry: Any) -> Any:
    return swap_carry(carry) if kind == "LSTM" else carry[0]


def _convert_carry_back(kind: str, carry: Any) -> Any:
    return swap_carry(carry) if kind == "LSTM" else (carry,)


def _list_differences(kind: str, layer: Any) -> tuple[str, ...]:
    one_bias = bool(layer.use_bias and layer.use_recurrent_bias)
    return ("carry (c, h)",) * (kind == "LSTM") + ("one bias",) * one_bias


def _list_beyond(layer: Any) -> tuple[str, ...]:
    return ("steps beyond the length",) if layer.masked else ()


def _build_cell(linen: bool, kind: str, layer: Any, x: Any, st: Any) -> Counterpart:
    require_identity(layer, "tanh")

    def call(x: Any, ps: Any) -> Any:
        x, carry = x if isinstance(x, tuple) else (x, make_start(layer, ps, x.shape[0], memory=kind == "LSTM"))
        carry, y = _take_step(linen, kind, layer, ps)(_convert_carry(kind, carry), x)
        return y, _convert_carry_back(kind, carry)

    return Counterpart(call, differences=_list_differences(kind, layer))


def _check_lengths(layer: Any, x: Any) -> None:
    """Check that a masked layer's input has one length of at least 1 for each sequence, as Flax's layers require.

    Raises: NoCounterpartError if it has not
    """
    if layer.masked and (x[1].ndim != 1 or not x[1].all()):
        raise NoCounterpartError("takes lengths, no masks, and is asked of sequences of a step at least")


def _run_directed(linen: bool, kind: str, cell: Any, x: Any, ps: Any, carry: Any, lengths: Any, reverse: bool) -> Any:
    """Run a cell along a batch of sequences, with `reverse` backwards; return the last carry and all outputs."""
    start = _convert_carry(kind, carry or make_start(cell, ps, x.shape[0], memory=kind == "LSTM"))
    options = {"return_carry": True, "reverse": reverse, "keep_order": reverse}
    if linen:
        nn = import_module("flax.linen")

        runs = nn.RNN(getattr(nn, _CELLS[kind])(cell.out_dims), **options)
        given = {"params": {"cell": _convert_for_linen(kind, cell, ps)}}
        return runs.apply(given, x, initial_carry=start, seq_lengths=lengths)
    nnx = import_module("flax.nnx")

    return nnx.RNN(_make_nnx_cell(kind, cell, ps), **options)(x, initial_carry=start, seq_lengths=lengths)


def _build_layer(linen: bool, kind: str, layer: Any, x: Any, st: Any) -> Counterpart:
    require_identity(layer, "tanh")
    if layer.train_state:
        raise NoCounterpartError("trains no initial states")
    _check_lengths(layer, x)

    def call(x: Any, ps: Any) -> Any:
        import jax.numpy as jnp

        x, lengths, carry = take_sequence_apart(layer, x)
        x = jnp.moveaxis(x, 0, 1) if layer.time_major else x
        end: Any = None
        for level in list_levels(layer, ps):
            if layer.bidirectional:
                ways = [_run_directed(linen, kind, layer, x, level["forward_rnn"], None, lengths, False)]
                ways += [_run_directed(linen, kind, layer, x, level["backward_rnn"]["rnn"], None, lengths, True)]
                x = jnp.concatenate([y for _, y in ways], axis=-1)
            else:
                end, x = _run_directed(linen, kind, layer, x, level, carry, lengths, False)
        y = jnp.moveaxis(x, 0, 1) if layer.time_major else x
        return (y, _convert_carry_back(kind, end)) if layer.return_state else y

    return Counterpart(call, differences=_list_differences(kind, layer) + _list_beyond(layer))


def _find_kind(cell: Any) -> str:
    """Return the kind of a cell: "RNN", "LSTM" or "GRU".

    Raises: NoCounterpartError if Flax has no such cell, or the cell trains its initial states
    """
    kind = type(cell).__name__.removesuffix("Cell")
    if kind not in _CELLS or cell.train_state:
        raise NoCounterpartError("has its own cells, and trains no initial states")
    require_identity(cell, "tanh")
    return kind


def _build_recurrence(linen: bool, layer: Any, x: Any, st: Any) -> Counterpart:
    kind = _find_kind(layer.cell)
    if layer.time_major:
        raise NoCounterpartError("is asked with the batch first")
    _check_lengths(layer, x)

    def call(x: Any, ps: Any) -> Any:
        x, lengths, carry = take_sequence_apart(layer, x)
        end, y = _run_directed(linen, kind, layer.cell, x, ps, carry, lengths, layer.reverse)
        end = _convert_carry_back(kind, end)
        y = y if layer.return_sequence else end[0]
        return (y, end) if layer.return_state else y

    return Counterpart(call, differences=_list_differences(kind, layer.cell))


def _build_bidirectional(linen: bool, layer: Any, x: Any, st: Any) -> Counterpart:
    forward, backward = layer.forward_rnn, layer.backward_rnn["rnn"]
    kinds = _find_kind(forward.cell), _find_kind(backward.cell)
    if forward.time_major or forward.return_state or not forward.return_sequence:
        raise NoCounterpartError("is asked of whole sequences, the batch first")
    _check_lengths(forward, x)

    def call(x: Any, ps: Any) -> Any:
        import jax.numpy as jnp

        x, lengths, _ = take_sequence_apart(forward, x)
        ways = [_run_directed(linen, kinds[0], forward.cell, x, ps["forward_rnn"], None, lengths, False)]
        ways += [_run_directed(linen, kinds[1], backward.cell, x, ps["backward_rnn"]["rnn"], None, lengths, True)]
        return jnp.concatenate([y for _, y in ways], axis=-1)

    told = (
        _list_differences(kinds[0], forward.cell) + _list_differences(kinds[1], backward.cell) + _list_beyond(forward)
    )
    return Counterpart(call, differences=tuple(dict.fromkeys(told)))
