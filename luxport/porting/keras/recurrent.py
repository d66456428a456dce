"""Keras's recurrent layers."""

from __future__ import annotations

from typing import Any

import luxport
from luxport import ops
from luxport.porting.keras import functions
from luxport.porting.keras.conventions import gru_gates, reset_first_weights
from luxport.porting.keras.steps import Step, arrays

__all__ = ["bidirectional", "recurrent"]


def _cell(cell: Any) -> tuple[Any, dict[str, Any]]:
    """Return a cell with its arrays; of the gates only the GRU's are in another order there."""
    name = type(cell).__name__
    if name not in ("SimpleRNNCell", "LSTMCell", "GRUCell"):
        raise ValueError(f"the cell {name}")
    if cell.dropout or cell.recurrent_dropout:
        raise ValueError("dropout or recurrent_dropout, which act inside the cell")
    activation = functions.activation(cell.activation)
    ps = arrays(cell, weight_ih="kernel", weight_hh="recurrent_kernel", bias_ih="bias")
    sizes = ps["weight_ih"].shape[0], cell.units
    bias: dict[str, Any] = {"use_bias": "bias_ih" in ps}
    if name == "SimpleRNNCell":
        if not functions.is_elementwise(activation):
            raise ValueError(f"the activation {cell.activation.__name__}")
        return luxport.RNNCell(*sizes, activation, use_recurrent_bias=False, **bias), ps
    gate = functions.activation(cell.recurrent_activation)
    if activation is not ops.tanh or gate is not ops.sigmoid:
        raise ValueError("activations other than tanh and sigmoid")
    if name == "LSTMCell":
        return luxport.LSTMCell(*sizes, use_recurrent_bias=False, **bias), ps
    ps = {ours: gru_gates(value) for ours, value in ps.items()}
    if cell.reset_after:
        if "bias_ih" in ps:
            ps["bias_ih"], ps["bias_hh"] = ps["bias_ih"]
        return luxport.GRUCell(*sizes, use_recurrent_bias="bias_hh" in ps, **bias), ps
    ps["weight_hh"], ps["weight_hn"] = reset_first_weights(ps["weight_hh"])
    return luxport.GRUv3Cell(*sizes, **bias), ps


def recurrent(layer: Any) -> Step:
    """Return a SimpleRNN, LSTM or GRU."""
    if layer.stateful or (layer.go_backwards and layer.return_sequences):
        raise ValueError("stateful=True" if layer.stateful else "go_backwards=True with return_sequences=True")
    cell, ps = _cell(layer.cell)
    run = luxport.Recurrence(
        cell,
        return_sequence=layer.return_sequences,
        return_state=layer.return_state,
        reverse=layer.go_backwards,
    )
    return Step(run, ps, needs="keras")


def bidirectional(layer: Any) -> Step:
    """Return a Bidirectional around one of these."""
    parts = layer.forward_layer, layer.backward_layer
    if any(part.stateful or part.return_state for part in parts) or parts[0].go_backwards:
        raise ValueError("stateful=True, return_state=True or go_backwards=True")
    if not parts[1].go_backwards:
        raise ValueError("a backward_layer that goes forwards")
    (forward, ps), (backward, others) = (_cell(part.cell) for part in parts)
    both = luxport.BidirectionalRNN(
        forward, backward, merge_mode=layer.merge_mode, return_sequence=parts[0].return_sequences
    )
    return Step(both, {"forward_rnn": ps, "backward_rnn": {"rnn": others}}, needs="keras")
