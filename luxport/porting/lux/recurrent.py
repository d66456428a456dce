"""Lux's recurrent cells and what runs them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import luxport
from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.flux.building import Ported, make_remembering, make_states
from luxport.porting.flux.layers import CONNECTIONS
from luxport.porting.julia.nodes import is_array, read_entries, unwrap_node
from luxport.porting.lux.building import Source, describe_value
from luxport.porting.lux.structs import read_fields

__all__ = ["build_bidirectional", "build_cell", "build_recurrence", "build_stateful_cell"]


def build_cell(source: Source) -> Ported:
    """Build a cell; what its parameters are called says how many biases it has."""
    options: dict[str, Any] = {
        "use_bias": source.flag("use_bias", True),
        "train_state": source.flag("train_state", False),
    }
    sizes = [source.int("in_dims"), source.int("out_dims")]
    ps = None
    if source.ps is not None:
        given = read_entries(unwrap_node(source.ps))
        ps = {_CELL_NAMES.get(name, name): unwrap_node(entry) for name, entry in given.items()}
        if source.kind != "GRUCell" and "bias_hh" not in ps:
            options["use_recurrent_bias"] = False  # one bias until 0.5, that of the input
        elif source.kind == "GRUCell" and is_array(ps.get("bias_ih")) and ps["bias_ih"].size == sizes[1]:
            # Until 0.5 the input's gates but the last had no bias of their own.
            ps["bias_ih"] = np.concatenate([np.zeros(2 * sizes[1], ps["bias_ih"].dtype), ps["bias_ih"].reshape(-1)])
    if source.kind == "RNNCell":
        options["activation"] = source.activation()
    if source.kind == "LSTMCell":
        options["train_memory"] = source.flag("train_memory", False)
    return source.finished(getattr(luxport, source.kind)(*sizes, **options), ps)


_CELL_NAMES = {
    "bias": "bias_ih",
    "bias_h": "bias_hh",
    "bias_i": "bias_ih",
    "weight_h": "weight_hh",
    "weight_i": "weight_ih",
}
"""What a cell's parameters have been called."""


def _build_inner_cell(source: Source) -> Ported:
    inner = source.build(source["cell"], source.at("cell"), source.ps, ())
    if not isinstance(inner.layer, luxport.RecurrentCell):
        raise FileFormatError(f"{source.at('cell')}: a recurrent cell of Lux expected, got {inner.layer}")
    return inner


def build_recurrence(source: Source) -> Ported:
    """Build a Recurrence, with time before the batch for ``TimeLastIndex``."""
    inner, ordering = _build_inner_cell(source), source.fields.get("ordering")
    last = "TimeLastIndex" in (describe_value(ordering).rpartition(".")[2], *_list_types(source.struct))
    layer = luxport.Recurrence(
        inner.layer,  # type: ignore[arg-type]
        return_sequence=source.flag("return_sequence", False),
        time_major=last,
    )
    return Ported(layer, inner.ps, make_states(layer, 0))


def _list_types(struct: julia.Struct) -> list[str]:
    return [param.name for param in struct.type.params if isinstance(param, julia.TypeName)]


def build_stateful_cell(source: Source) -> Ported:
    """Build a cell that remembers."""
    return make_remembering(_build_inner_cell(source))


def build_bidirectional(source: Source) -> Ported:
    """Build two directions: a Parallel of a recurrence and of one between two reversals of time."""
    inner = source.build(source["model"], source.at("model"), source.ps, source.st)
    layers = dict(inner.layer.layers) if isinstance(inner.layer, luxport.Parallel) else {}
    forward, backward = layers.get("forward_rnn"), layers.get("backward_rnn")
    run = dict(backward.layers).get("rnn") if isinstance(backward, luxport.Chain) else None
    if not isinstance(forward, luxport.Recurrence) or not isinstance(run, luxport.Recurrence):
        raise FileFormatError(f"{source.at('model')}: two recurrences expected, got {inner.layer}")
    joint = Source.connection(replace(source, fields=read_fields(source["model"])))
    merge: Any = next((name for name, join in _MERGED.items() if joint is join), joint)
    layer = luxport.BidirectionalRNN(forward.cell, run.cell, merge_mode=merge, time_major=forward.time_major)
    ps = inner.ps and {"forward_rnn": inner.ps["forward_rnn"], "backward_rnn": {"rnn": inner.ps["backward_rnn"]["rnn"]}}
    return Ported(layer, ps, make_states(layer, 0))


_MERGED = {"concat": CONNECTIONS["vcat"], "sum": CONNECTIONS["+"], "mul": CONNECTIONS["*"]}
