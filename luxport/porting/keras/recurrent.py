"""Port Keras's recurrent layers: SimpleRNN, LSTM, GRU, ConvLSTM and Bidirectional."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import luxport
from luxport import ops
from luxport.core.layer_base import NamedLayers
from luxport.porting.keras import cells, functions, windows
from luxport.porting.keras.conventions import convert_conv_weight, split_reset_first_weights, swap_gru_gates
from luxport.porting.keras.steps import Step, collect_arrays, copy_to_host, make_function_step

__all__ = ["port_bidirectional", "port_recurrent"]


def _port_cell(cell: Any) -> tuple[Any, dict[str, Any]]:
    """Return a cell with its parameters; only the gates of a GRU have another order in Keras."""
    name = type(cell).__name__
    if name not in ("SimpleRNNCell", "LSTMCell", "GRUCell", "ConvLSTMCell"):
        raise ValueError(f"it has the cell {name}, which luxport does not have")
    if cell.dropout or cell.recurrent_dropout:
        raise ValueError("it has dropout or recurrent_dropout, which act inside the cell")
    if name == "ConvLSTMCell":
        return _port_conv_cell(cell)
    activation = functions.find_activation(cell.activation)
    ps = collect_arrays(cell, weight_ih="kernel", weight_hh="recurrent_kernel", bias_ih="bias")
    sizes = ps["weight_ih"].shape[0], cell.units
    use_bias = "bias_ih" in ps
    if name == "SimpleRNNCell":
        if not functions.is_elementwise(activation):
            raise ValueError(f"it has the activation {cell.activation.__name__}, which is not elementwise")
        return luxport.RNNCell(*sizes, activation, use_recurrent_bias=False, use_bias=use_bias), ps
    gate = functions.find_activation(cell.recurrent_activation)
    made, ps = _port_gated_cell(name, sizes, use_bias, ps, reset_after=name == "GRUCell" and cell.reset_after)
    usual = activation is ops.tanh and gate is ops.sigmoid
    return made if usual else cells.GatedCell(made, activation, gate), ps


def _port_gated_cell(
    name: str, sizes: Any, use_bias: bool, ps: dict[str, Any], *, reset_after: bool
) -> tuple[Any, Any]:
    """Return the cell of an LSTM or a GRU with its parameters."""
    if name == "LSTMCell":
        return luxport.LSTMCell(*sizes, use_recurrent_bias=False, use_bias=use_bias), ps
    ps = {ours: swap_gru_gates(value) for ours, value in ps.items()}
    if reset_after:
        if use_bias:
            ps["bias_ih"], ps["bias_hh"] = ps["bias_ih"]
        return luxport.GRUCell(*sizes, use_recurrent_bias=use_bias, use_bias=use_bias), ps
    ps["weight_hh"], ps["weight_hn"] = split_reset_first_weights(ps["weight_hh"])
    return luxport.GRUv3Cell(*sizes, use_bias=use_bias), ps


def _port_conv_cell(cell: Any) -> tuple[Any, dict[str, Any]]:
    """Return the cell of a ConvLSTM with its parameters."""
    ps = collect_arrays(cell, weight="kernel", bias="bias")
    recurrent = {"weight": convert_conv_weight(copy_to_host(cell.recurrent_kernel))}
    ps["weight"] = convert_conv_weight(ps["weight"])
    out, channels, *kernel = ps["weight"].shape
    first = windows.make_convolution_builder(cell, luxport.CrossCor, kernel, (channels, out), ps)(luxport.identity)
    plain = luxport.CrossCor(tuple(kernel), out // 4, out, use_bias=False)
    pads = functions.compute_same_pads(plain._windows.window, plain._windows)
    activations = functions.find_activation(cell.activation), functions.find_activation(cell.recurrent_activation)
    if not all(map(functions.is_elementwise, activations)):
        raise ValueError("it has an activation that is not elementwise")
    made = cells.ConvLSTMCell(
        NamedLayers({"input": first, "recurrent": replace(plain, padding=pads)}),
        cell.data_format == "channels_last",
        *activations,
    )
    return made, {"input": ps, "recurrent": recurrent}


def port_recurrent(layer: Any) -> Step | list[Step]:
    """Return a SimpleRNN, LSTM, GRU or ConvLSTM."""
    if layer.stateful:
        raise ValueError("it has stateful=True")
    cell, ps = _port_cell(layer.cell)
    run = luxport.Recurrence(
        cell,
        return_sequence=layer.return_sequences,
        return_state=layer.return_state,
        reverse=layer.go_backwards,
    )
    step = Step(run, ps, layout="keras")
    if not (layer.go_backwards and layer.return_sequences):
        return step
    # Keras returns the outputs in the order of computation, here the reverse order of the steps.
    return [step, make_function_step(functions.reverse_time, "keras", with_state=layer.return_state)]


def port_bidirectional(layer: Any) -> Step:
    """Return a Bidirectional of a recurrent layer."""
    parts = layer.forward_layer, layer.backward_layer
    if any(part.stateful or part.return_state for part in parts) or parts[0].go_backwards:
        raise ValueError("it has stateful=True, return_state=True or go_backwards=True")
    if not parts[1].go_backwards:
        raise ValueError("its backward_layer has go_backwards=False")
    (forward, ps), (backward, others) = (_port_cell(part.cell) for part in parts)
    both = luxport.BidirectionalRNN(
        forward, backward, merge_mode=layer.merge_mode, return_sequence=parts[0].return_sequences
    )
    return Step(both, {"forward_rnn": ps, "backward_rnn": {"rnn": others}}, layout="keras")
