"""Keras's recurrent layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import luxport
from luxport import ops
from luxport.core.anatomy import NamedLayers
from luxport.porting.keras import cells, functions, windows
from luxport.porting.keras.conventions import conv_weight, gru_gates, reset_first_weights
from luxport.porting.keras.steps import Step, arrays, function_step, host

__all__ = ["bidirectional", "recurrent"]


def _cell(cell: Any) -> tuple[Any, dict[str, Any]]:
    """Return a cell with its arrays; of the gates only the GRU's are in another order there."""
    name = type(cell).__name__
    if name not in ("SimpleRNNCell", "LSTMCell", "GRUCell", "ConvLSTMCell"):
        raise ValueError(f"the cell {name}")
    if cell.dropout or cell.recurrent_dropout:
        raise ValueError("dropout or recurrent_dropout, which act inside the cell")
    if name == "ConvLSTMCell":
        return _conv_cell(cell)
    activation = functions.activation(cell.activation)
    ps = arrays(cell, weight_ih="kernel", weight_hh="recurrent_kernel", bias_ih="bias")
    sizes = ps["weight_ih"].shape[0], cell.units
    bias: dict[str, Any] = {"use_bias": "bias_ih" in ps}
    if name == "SimpleRNNCell":
        if not functions.is_elementwise(activation):
            raise ValueError(f"the activation {cell.activation.__name__}")
        return luxport.RNNCell(*sizes, activation, use_recurrent_bias=False, **bias), ps
    gate = functions.activation(cell.recurrent_activation)
    usual = activation is ops.tanh and gate is ops.sigmoid
    bias |= {} if usual else {"activation": activation, "gate": gate}
    if name == "LSTMCell":
        kind: Any = luxport.LSTMCell if usual else cells.GatedLSTMCell
        return kind(*sizes, use_recurrent_bias=False, **bias), ps
    ps = {ours: gru_gates(value) for ours, value in ps.items()}
    if cell.reset_after:
        if "bias_ih" in ps:
            ps["bias_ih"], ps["bias_hh"] = ps["bias_ih"]
        kind = luxport.GRUCell if usual else cells.GatedGRUCell
        return kind(*sizes, use_recurrent_bias="bias_hh" in ps, **bias), ps
    ps["weight_hh"], ps["weight_hn"] = reset_first_weights(ps["weight_hh"])
    kind = luxport.GRUv3Cell if usual else cells.GatedGRUv3Cell
    return kind(*sizes, **bias), ps


def _conv_cell(cell: Any) -> tuple[Any, dict[str, Any]]:
    """Return the cell of a ConvLSTM with its arrays."""
    ps = arrays(cell, weight="kernel", bias="bias")
    recurrent = {"weight": conv_weight(host(cell.recurrent_kernel))}
    ps["weight"] = conv_weight(ps["weight"])
    out, channels, *kernel = ps["weight"].shape
    first = windows.convolution(cell, luxport.CrossCor, kernel, (channels, out), ps)(luxport.identity)
    plain = luxport.CrossCor(tuple(kernel), out // 4, out, use_bias=False)
    pads = functions.same_pads(plain._windows.window, plain._windows)
    activations = functions.activation(cell.activation), functions.activation(cell.recurrent_activation)
    if not all(map(functions.is_elementwise, activations)):
        raise ValueError("an activation over all channels")
    made = cells.ConvLSTMCell(
        NamedLayers({"input": first, "recurrent": replace(plain, padding=pads)}),
        cell.data_format == "channels_last",
        *activations,
    )
    return made, {"input": ps, "recurrent": recurrent}


def recurrent(layer: Any) -> Step | list[Step]:
    """Return a SimpleRNN, LSTM, GRU or ConvLSTM."""
    if layer.stateful:
        raise ValueError("stateful=True")
    cell, ps = _cell(layer.cell)
    run = luxport.Recurrence(
        cell,
        return_sequence=layer.return_sequences,
        return_state=layer.return_state,
        reverse=layer.go_backwards,
    )
    step = Step(run, ps, needs="keras")
    if not (layer.go_backwards and layer.return_sequences):
        return step
    # Keras leaves the outputs in the order in which they come.
    return [step, function_step(functions.backwards, "keras", with_state=layer.return_state)]


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
