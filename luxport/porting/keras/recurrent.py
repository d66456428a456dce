"""Keras's recurrent layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import luxport
from luxport import ops
from luxport.core.anatomy import NamedLayers
from luxport.porting.keras import cells, functions, windows
from luxport.porting.keras.conventions import convert_conv_weight, reset_first_weights, swap_gru_gates
from luxport.porting.keras.steps import Step, collect_arrays, copy_to_host, make_function_step

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
    ps = collect_arrays(cell, weight_ih="kernel", weight_hh="recurrent_kernel", bias_ih="bias")
    sizes = ps["weight_ih"].shape[0], cell.units
    use_bias = "bias_ih" in ps
    if name == "SimpleRNNCell":
        if not functions.is_elementwise(activation):
            raise ValueError(f"the activation {cell.activation.__name__}")
        return luxport.RNNCell(*sizes, activation, use_recurrent_bias=False, use_bias=use_bias), ps
    gate = functions.activation(cell.recurrent_activation)
    made, ps = _make_gated(name, sizes, use_bias, ps, reset_after=name == "GRUCell" and cell.reset_after)
    usual = activation is ops.tanh and gate is ops.sigmoid
    return made if usual else cells.GatedCell(made, activation, gate), ps


def _make_gated(name: str, sizes: Any, use_bias: bool, ps: dict[str, Any], *, reset_after: bool) -> tuple[Any, Any]:
    """Return the cell of an LSTM or a GRU with its arrays."""
    if name == "LSTMCell":
        return luxport.LSTMCell(*sizes, use_recurrent_bias=False, use_bias=use_bias), ps
    ps = {ours: swap_gru_gates(value) for ours, value in ps.items()}
    if reset_after:
        if use_bias:
            ps["bias_ih"], ps["bias_hh"] = ps["bias_ih"]
        return luxport.GRUCell(*sizes, use_recurrent_bias=use_bias, use_bias=use_bias), ps
    ps["weight_hh"], ps["weight_hn"] = reset_first_weights(ps["weight_hh"])
    return luxport.GRUv3Cell(*sizes, use_bias=use_bias), ps


def _conv_cell(cell: Any) -> tuple[Any, dict[str, Any]]:
    """Return the cell of a ConvLSTM with its arrays."""
    ps = collect_arrays(cell, weight="kernel", bias="bias")
    recurrent = {"weight": convert_conv_weight(copy_to_host(cell.recurrent_kernel))}
    ps["weight"] = convert_conv_weight(ps["weight"])
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
    return [step, make_function_step(functions.backwards, "keras", with_state=layer.return_state)]


def bidirectional(layer: Any) -> Step:
    """Return a Bidirectional around one of these."""
    parts = layer.forward_layer, layer.backward_layer
    if any(part.stateful or part.return_state for part in parts) or parts[0].go_backwards:
        raise ValueError("stateful=True, return_state=True or go_backwards=True")
    if not parts[1].go_backwards:
        raise ValueError("a backward_layer that goes forward")
    (forward, ps), (backward, others) = (_cell(part.cell) for part in parts)
    both = luxport.BidirectionalRNN(
        forward, backward, merge_mode=layer.merge_mode, return_sequence=parts[0].return_sequences
    )
    return Step(both, {"forward_rnn": ps, "backward_rnn": {"rnn": others}}, needs="keras")
