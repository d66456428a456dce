"""PyTorch's own recurrent cells and layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import luxport
from luxport.porting.torch.conventions import swap_recurrent_weight
from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, refuse
from luxport_conformance.peers.layer_tools import list_levels, take_sequence_apart
from luxport_conformance.peers.torch_tools import find_module

__all__ = ["RECURRENT"]


def _list_options(layer: Any) -> dict[str, str]:
    name = layer.activation.__name__ if "activation" in layer.__dataclass_fields__ else ""
    if name and name not in ("tanh", "relu"):
        raise NoCounterpartError("has the activations tanh and relu")
    return {"nonlinearity": name} if name else {}


def _convert_weights(ps: Any, suffix: str, layer: Any) -> dict[str, Any]:
    """Return a cell's parameters in PyTorch's layout, by PyTorch's names; without a recurrent bias `bias_hh` is 0."""
    found = {name: swap_recurrent_weight(ps[name]) for name in ("weight_ih", "weight_hh")}
    if layer.use_bias:
        found["bias_ih"] = ps["bias_ih"]
        found["bias_hh"] = ps["bias_hh"] if layer.use_recurrent_bias else ps["bias_ih"] * 0.0
    return {name + suffix: value for name, value in found.items()}


def _list_differences(layer: Any) -> tuple[str, ...]:
    return ("two biases",) if layer.use_bias and not layer.use_recurrent_bias else ()


def _make_start(ps: Any, samples: int) -> tuple[Any, ...] | None:
    trained = [ps[name] for name in ("hidden_state", "memory") if name in ps]
    return tuple([value.expand(samples, -1) for value in trained]) or None


def _make_cell_builder(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        import torch

        cell = find_module(name)(layer.in_dims, layer.out_dims, layer.use_bias, **_list_options(layer))

        def call(x: Any, ps: Any) -> Any:
            x, carry = x if isinstance(x, tuple) else (x, _make_start(ps, x.shape[0]))
            if carry is not None and name != "LSTMCell":
                (carry,) = carry
            carry = torch.func.functional_call(cell, _convert_weights(ps, "", layer), (x, carry))
            carry = carry if isinstance(carry, tuple) else (carry,)
            return carry[0], carry

        return Counterpart(call, differences=_list_differences(layer))

    return build


def _make_layer_builder(name: str) -> Build:
    def build(layer: Any, x: Any, st: Any) -> Counterpart:
        import torch

        if layer.train_state:
            raise NoCounterpartError("has no initial states that are trained")
        if layer.masked and x[1].ndim != 1:
            raise NoCounterpartError("takes lengths, no masks")
        if layer.masked and not x[1].all():
            raise NoCounterpartError("takes no sequence of length 0")
        run = find_module(name)(
            *(layer.in_dims, layer.out_dims, layer.num_layers),
            bias=layer.use_bias,
            batch_first=not layer.time_major,
            dropout=layer.dropout,
            bidirectional=layer.bidirectional,
            **_list_options(layer),
        )
        run.eval()

        def call(x: Any, ps: Any) -> Any:
            x, lengths, carry = take_sequence_apart(layer, x)
            if carry is not None:
                carry = tuple([part[None] for part in carry]) if name == "LSTM" else carry[0][None]
            weights: dict[str, Any] = {}
            for position, level in enumerate(list_levels(layer, ps)):
                ways = {"": level}
                if layer.bidirectional:
                    ways = {"": level["forward_rnn"], "_reverse": level["backward_rnn"]["rnn"]}
                for way, part in ways.items():
                    weights |= _convert_weights(part, f"_l{position}{way}", layer)
            y, end = torch.func.functional_call(run, weights, (_pack(layer, x, lengths), carry))
            if lengths is not None:
                axis = 0 if layer.time_major else 1
                unpacked = torch.nn.utils.rnn.pad_packed_sequence(y, not layer.time_major, 0.0, x.shape[axis])
                y = unpacked[0]
            end = tuple([part[0] for part in (end if isinstance(end, tuple) else (end,))])
            return (y, end) if layer.return_state else y

        return Counterpart(call, differences=_list_differences(layer))

    return build


def _pack(layer: Any, x: Any, lengths: Any) -> Any:
    import torch

    if lengths is None:
        return x
    return torch.nn.utils.rnn.pack_padded_sequence(x, lengths.long(), not layer.time_major, enforce_sorted=False)


def _build_recurrence(layer: Any, x: Any, st: Any) -> Counterpart:
    """Build PyTorch's recurrent layer of the cell's kind, because PyTorch cannot run a cell along a sequence."""
    cell = layer.cell
    whole = {"RNNCell": luxport.RNN, "LSTMCell": luxport.LSTM, "GRUCell": luxport.GRU}.get(type(cell).__name__)
    if whole is None or layer.reverse or cell.train_state:
        raise NoCounterpartError("has its own cells forward alone, and no initial states that are trained")
    kept = {"use_bias", "use_recurrent_bias", "activation"} & cell.__dataclass_fields__.keys()
    options = {name: getattr(cell, name) for name in kept}
    options |= {name: getattr(layer, name) for name in ("masked", "time_major")}
    made = _make_layer_builder(whole.__name__)(whole(cell.in_dims, cell.out_dims, return_state=True, **options), x, st)

    def call(x: Any, ps: Any) -> Any:
        y, end = made.call(x, ps)
        y = y if layer.return_sequence else end[0]
        return (y, end) if layer.return_state else y

    return replace(made, call=call, remark="has no layer for any cell: its whole layer of this one")


_RESET = "applies the reset gate after the product"

RECURRENT: dict[str, Callable[..., Counterpart]] = {
    "GRU": _make_layer_builder("GRU"),
    "GRUCell": _make_cell_builder("GRUCell"),
    "GRUv3": refuse(_RESET),
    "GRUv3Cell": refuse(_RESET),
    "LSTM": _make_layer_builder("LSTM"),
    "LSTMCell": _make_cell_builder("LSTMCell"),
    "RNN": _make_layer_builder("RNN"),
    "RNNCell": _make_cell_builder("RNNCell"),
    "Recurrence": _build_recurrence,
}
