"""Planted faults in recurrent cells and in the layers that run them."""

from __future__ import annotations

import luxport
from luxport import ops

from .planting import Mutants, catch_each, fault

MUTANTS: Mutants = {
    "LSTM swaps its input and forget gates": fault(luxport.LSTMCell, "i, f, g, o", "f, i, g, o", "lstm_cell.steps"),
    "LSTM has Keras' order of candidate and output": fault(
        luxport.LSTMCell, "i, f, g, o", "i, f, o, g", "lstm_cell.steps"
    ),
    "LSTM forgets nothing": fault(luxport.LSTMCell, "sigmoid(f) * memory", "memory", "lstm_cell.steps"),
    "LSTM drops its output gate": fault(
        luxport.LSTMCell, "sigmoid(o) * tanh(memory)", "tanh(memory)", "lstm_cell.steps"
    ),
    "LSTM puts its memory out": fault(
        luxport.LSTMCell, "sigmoid(o) * tanh(memory)", "sigmoid(o) * memory", "lstm_cell.steps"
    ),
    "LSTM does not hand its memory on": fault(
        luxport.LSTMCell, "(new[0], new)", "(new[0], (new[0], *carry[1:]))", "lstm_cell.steps"
    ),
    "LSTM's sweep returns the carry it was given": fault(
        luxport.LSTMCell, "(y, tuple(new), st)", "(y, tuple(carry), st)", "lstm.levels"
    ),
    "GRU updates the other way round": fault(
        luxport.GRUCell, "(1 - z) * n + z * hidden", "z * n + (1.0 - z) * hidden", "gru_cell.steps"
    ),
    "GRU swaps reset and update": fault(luxport.GRUCell, "r_x, z_x, n_x", "z_x, r_x, n_x", "gru_cell.steps"),
    "GRU drops its reset gate": fault(luxport.GRUCell, "sigmoid(r_x + r_h) * n_h", "n_h", "gru_cell.steps"),
    "GRU's bias of the candidate outside the reset": fault(
        luxport.GRUCell,
        "sigmoid(r_x + r_h) * n_h",
        "sigmoid(r_x + r_h) * (n_h - split_gates(bias_hh, 3)[2]) + split_gates(bias_hh, 3)[2]",
        "gru_cell.two_biases",
    ),
    "GRUv3 resets after the product": fault(
        luxport.GRUv3Cell,
        "dense(sigmoid(r_x + r_h) * hidden, weight_hn, None)",
        "sigmoid(r_x + r_h) * dense(hidden, weight_hn, None)",
        "gru_v3_cell.steps",
    ),
    "RNN drops its second bias": fault(
        luxport.RNNCell, "return bias_ih + bias_hh", "return bias_ih", "rnn_cell.two_biases"
    ),
    "RNN activates too early": fault(
        luxport.RNNCell,
        "activation(dense(hidden, weight_hh, None) + projected)",
        "dense(hidden, weight_hh, None) + activation(projected)",
        "rnn_cell.steps",
    ),
    "a mask does not hold the state": fault(
        luxport.Recurrence, "if keep is None: return new", "return new", "recurrence.orders_masks_and_directions"
    ),
    "a mask the other way round": fault(
        luxport.Recurrence,
        "_(_1, leaf, namespace(leaf).zeros_like(leaf))",
        "_(_1, namespace(leaf).zeros_like(leaf), leaf)",
        "recurrence.orders_masks_and_directions",
    ),
    "reverse runs forward": fault(
        ops.gru_sweep, "reverse=reverse", "reverse=False", "recurrence.orders_masks_and_directions"
    ),
    "a stateful cell forgets": fault(
        luxport.StatefulRecurrentCell,
        '{"cell": cell, "carry": carry}',
        '{"cell": cell, "carry": st["carry"]}',
        "stateful_recurrent_cell.remembers",
    ),
    "a cell shares one hidden state": fault(
        luxport.RNNCell, "(new[0], new)", "(new[0], (new[0][:1, ...] + 0.0 * new[0],))", "rnn_cell.steps"
    ),
}

test_mutant_is_caught = catch_each(MUTANTS)
