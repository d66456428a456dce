"""Build Lux's recurrent cells, and the layers that run them over sequences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import luxport
from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.flux.building import Ported, make_stateful, make_states
from luxport.porting.flux.layers import CONNECTIONS
from luxport.porting.julia.nodes import is_array, read_entries, unwrap_node
from luxport.porting.lux.building import Source, describe_value
from luxport.porting.lux.structs import read_fields

__all__ = ["build_bidirectional", "build_cell", "build_recurrence", "build_stateful_cell"]


def build_cell(source: Source) -> Ported:
    """Build a recurrent cell; the names of its parameters tell how many biases it has."""
    options: dict[str, Any] = {
        "use_bias": source.read_flag("use_bias", True),
        "train_state": source.read_flag("train_state", False),
    }
    sizes = [source.read_int("in_dims"), source.read_int("out_dims")]
    ps = None
    if source.ps is not None:
        given = read_entries(unwrap_node(source.ps))
        ps = {_CELL_NAMES.get(name, name): unwrap_node(entry) for name, entry in given.items()}
        if source.kind != "GRUCell" and "bias_hh" not in ps:
            options["use_recurrent_bias"] = False  # until Lux 0.5 there is only the input's bias
        elif source.kind == "GRUCell" and is_array(ps.get("bias_ih")) and ps["bias_ih"].size == sizes[1]:
            # Until Lux 0.5 only the last of the input's three gates has a bias of its own.
            ps["bias_ih"] = np.concatenate([np.zeros(2 * sizes[1], ps["bias_ih"].dtype), ps["bias_ih"].reshape(-1)])
    if source.kind == "RNNCell":
        options["activation"] = source.read_activation()
    if source.kind == "LSTMCell":
        options["train_memory"] = source.read_flag("train_memory", False)
    return source.finish(getattr(luxport, source.kind)(*sizes, **options), ps)


_CELL_NAMES = {
    "bias": "bias_ih",
    "bias_h": "bias_hh",
    "bias_i": "bias_ih",
    "weight_h": "weight_hh",
    "weight_i": "weight_ih",
}
"""Today's names of a cell's parameters, by their names in older versions."""


def _build_inner_cell(source: Source) -> Ported:
    inner = source.build(source["cell"], source.join_path("cell"), source.ps, ())
    if not isinstance(inner.layer, luxport.RecurrentCell):
        raise FileFormatError(f"{source.join_path('cell')}: a recurrent cell of Lux expected, got {inner.layer}")
    return inner


def build_recurrence(source: Source) -> Ported:
    """Build a Recurrence; ``TimeLastIndex`` in Julia means that time comes before the batch here."""
    inner, ordering = _build_inner_cell(source), source.fields.get("ordering")
    last = "TimeLastIndex" in (describe_value(ordering).rpartition(".")[2], *_list_types(source.struct))
    layer = luxport.Recurrence(
        inner.layer,  # type: ignore[arg-type]
        return_sequence=source.read_flag("return_sequence", False),
        time_major=last,
    )
    return Ported(layer, inner.ps, make_states(layer, 0))


def _list_types(struct: julia.Struct) -> list[str]:
    return [param.name for param in struct.type.params if isinstance(param, julia.TypeName)]


def build_stateful_cell(source: Source) -> Ported:
    """Build a cell that keeps its state between calls."""
    return make_stateful(_build_inner_cell(source))


def build_bidirectional(source: Source) -> Ported:
    """Build a BidirectionalRNN from Lux's Parallel of a recurrence and of one between two reversals of time."""
    inner = source.build(source["model"], source.join_path("model"), source.ps, source.st)
    layers = dict(inner.layer.layers) if isinstance(inner.layer, luxport.Parallel) else {}
    forward, backward = layers.get("forward_rnn"), layers.get("backward_rnn")
    run = dict(backward.layers).get("rnn") if isinstance(backward, luxport.Chain) else None
    if not isinstance(forward, luxport.Recurrence) or not isinstance(run, luxport.Recurrence):
        raise FileFormatError(f"{source.join_path('model')}: two recurrences expected, got {inner.layer}")
    joint = Source.read_connection(replace(source, fields=read_fields(source["model"])))
    merge: Any = next((name for name, join in _MERGED.items() if joint is join), joint)
    layer = luxport.BidirectionalRNN(forward.cell, run.cell, merge_mode=merge, time_major=forward.time_major)
    ps = inner.ps and {"forward_rnn": inner.ps["forward_rnn"], "backward_rnn": {"rnn": inner.ps["backward_rnn"]["rnn"]}}
    return Ported(layer, ps, make_states(layer, 0))


_MERGED = {"concat": CONNECTIONS["vcat"], "sum": CONNECTIONS["+"], "mul": CONNECTIONS["*"]}
