"""Planted faults in recurrent cells and in what runs them."""

from __future__ import annotations

import luxport
from luxport import ops

from .planting import Mutants, case, catch_each, edited

MUTANTS: Mutants = {
    "LSTM swaps its input and forget gates": (
        edited(luxport.LSTMCell, "i, f, g, o", "f, i, g, o"),
        case("lstm_cell.steps"),
    ),
    "LSTM has Keras' order of candidate and output": (
        edited(luxport.LSTMCell, "i, f, g, o", "i, f, o, g"),
        case("lstm_cell.steps"),
    ),
    "LSTM forgets nothing": (edited(luxport.LSTMCell, "sigmoid(f) * memory", "memory"), case("lstm_cell.steps")),
    "LSTM drops its output gate": (
        edited(luxport.LSTMCell, "sigmoid(o) * tanh(memory)", "tanh(memory)"),
        case("lstm_cell.steps"),
    ),
    "LSTM puts its memory out": (
        edited(luxport.LSTMCell, "sigmoid(o) * tanh(memory)", "sigmoid(o) * memory"),
        case("lstm_cell.steps"),
    ),
    "LSTM does not hand its memory on": (
        edited(luxport.LSTMCell, "(hidden, (hidden, memory))", "(hidden, (hidden, carry[1]))"),
        case("lstm_cell.steps"),
    ),
    "LSTM's sweep returns the carry it was given": (
        edited(luxport.LSTMCell, "(y, (hidden, memory), st)", "(y, (carry[0], carry[1]), st)"),
        case("lstm.levels"),
    ),
    "GRU updates the other way round": (
        edited(luxport.GRUCell, "(1 - z) * n + z * hidden", "z * n + (1.0 - z) * hidden"),
        case("gru_cell.steps"),
    ),
    "GRU swaps reset and update": (
        edited(luxport.GRUCell, "r_x, z_x, n_x", "z_x, r_x, n_x"),
        case("gru_cell.steps"),
    ),
    "GRU drops its reset gate": (
        edited(luxport.GRUCell, "sigmoid(r_x + r_h) * n_h", "n_h"),
        case("gru_cell.steps"),
    ),
    "GRU's bias of the candidate outside the reset": (
        edited(
            luxport.GRUCell,
            "sigmoid(r_x + r_h) * n_h",
            "sigmoid(r_x + r_h) * (n_h - split_gates(bias_hh, 3)[2]) + split_gates(bias_hh, 3)[2]",
        ),
        case("gru_cell.two_biases"),
    ),
    "GRUv3 resets after the product": (
        edited(
            luxport.GRUv3Cell,
            "dense(sigmoid(r_x + r_h) * hidden, weight_hn, None)",
            "sigmoid(r_x + r_h) * dense(hidden, weight_hn, None)",
        ),
        case("gru_v3_cell.steps"),
    ),
    "RNN drops its second bias": (
        edited(luxport.RNNCell, "return bias_ih + bias_hh", "return bias_ih"),
        case("rnn_cell.two_biases"),
    ),
    "RNN activates too early": (
        edited(
            luxport.RNNCell,
            "activation(dense(hidden, weight_hh, None) + projected)",
            "dense(hidden, weight_hh, None) + activation(projected)",
        ),
        case("rnn_cell.steps"),
    ),
    "a mask does not hold the state": (
        edited(luxport.Recurrence, "if keep is None: return new", "return new"),
        case("recurrence.orders_masks_and_directions"),
    ),
    "a mask the other way round": (
        edited(
            luxport.Recurrence,
            "_(_1, leaf, namespace(leaf).zeros_like(leaf))",
            "_(_1, namespace(leaf).zeros_like(leaf), leaf)",
        ),
        case("recurrence.orders_masks_and_directions"),
    ),
    "reverse runs forward": (
        edited(ops.gru_sweep, "reverse=reverse", "reverse=False"),
        case("recurrence.orders_masks_and_directions"),
    ),
    "a stateful cell forgets": (
        edited(luxport.StatefulRecurrentCell, '{"cell": cell, "carry": carry}', '{"cell": cell, "carry": st["carry"]}'),
        case("stateful_recurrent_cell.remembers"),
    ),
    "a cell shares one hidden state": (
        edited(
            luxport.RNNCell,
            "return (y, (y,)), st",
            "return (y, (y[:1, ...] + 0.0 * y,)), st",
        ),
        case("rnn_cell.steps"),
    ),
}

test_mutant_is_caught = catch_each(MUTANTS)
