"""Planted faults in recurrent cells and in what runs them."""

from __future__ import annotations

import pytest

import luxport
from luxport.ops import _recurrent as recurrent

from .planting import Mutants, case, edited, expect_caught

MUTANTS: Mutants = {
    "LSTM swaps its input and forget gates": (
        edited(recurrent.lstm_step, "i, f, g, o =", "f, i, g, o ="),
        case("lstm_cell.steps"),
    ),
    "LSTM has Keras' order of candidate and output": (
        edited(recurrent.lstm_step, "i, f, g, o =", "i, f, o, g ="),
        case("lstm_cell.steps"),
    ),
    "LSTM forgets nothing": (edited(recurrent.lstm_step, "sigmoid(f) * memory", "memory"), case("lstm_cell.steps")),
    "LSTM drops its output gate": (
        edited(recurrent.lstm_step, "sigmoid(o) * tanh(memory)", "tanh(memory)"),
        case("lstm_cell.steps"),
    ),
    "LSTM puts its memory out": (
        edited(recurrent.lstm_step, "sigmoid(o) * tanh(memory)", "sigmoid(o) * memory"),
        case("lstm_cell.steps"),
    ),
    "LSTM does not hand its memory on": (
        edited(luxport.LSTMCell.step, "(hidden, (hidden, memory))", "(hidden, (hidden, carry[1]))"),
        case("lstm_cell.steps"),
    ),
    "LSTM's sweep returns the carry it was given": (
        edited(luxport.LSTMCell.sweep, "(hidden, memory), st", "(carry[0], carry[1]), st"),
        case("lstm.levels"),
    ),
    "GRU updates the other way round": (
        edited(recurrent.gru_step, "(1.0 - z) * n + z * hidden", "z * n + (1.0 - z) * hidden"),
        case("gru_cell.steps"),
    ),
    "GRU swaps reset and update": (
        edited(recurrent.gru_step, "r_x, z_x, n_x =", "z_x, r_x, n_x ="),
        case("gru_cell.steps"),
    ),
    "GRU drops its reset gate": (
        edited(recurrent.gru_step, "sigmoid(r_x + r_h) * n_h", "n_h"),
        case("gru_cell.steps"),
    ),
    "GRU's bias of the candidate outside the reset": (
        edited(
            recurrent.gru_step,
            "sigmoid(r_x + r_h) * n_h",
            "sigmoid(r_x + r_h) * (n_h - split_gates(bias_hh, 3)[2]) + split_gates(bias_hh, 3)[2]",
        ),
        case("gru_cell.two_biases"),
    ),
    "GRUv3 resets after the product": (
        edited(
            recurrent.gru_v3_step,
            "dense(sigmoid(r_x + r_h) * hidden, weight_hn, None)",
            "sigmoid(r_x + r_h) * dense(hidden, weight_hn, None)",
        ),
        case("gru_v3_cell.steps"),
    ),
    "RNN drops its second bias": (
        edited(recurrent.sum_of_biases, "return bias_ih + bias_hh", "return bias_ih"),
        case("rnn_cell.two_biases"),
    ),
    "RNN activates too early": (
        edited(
            recurrent.rnn_step,
            "activation(dense(hidden, weight_hh, None) + projected)",
            "dense(hidden, weight_hh, None) + activation(projected)",
        ),
        case("rnn_cell.steps"),
    ),
    "a mask does not hold the state": (
        edited(recurrent.hold_masked, "if keep is None:", "if True:"),
        case("recurrence.orders_masks_and_directions"),
    ),
    "a mask the other way round": (
        edited(
            recurrent.zero_masked,
            "_as_wide(keep, leaf), leaf, namespace(leaf).zeros_like(leaf)",
            "_as_wide(keep, leaf), namespace(leaf).zeros_like(leaf), leaf",
        ),
        case("recurrence.orders_masks_and_directions"),
    ),
    "reverse runs forwards": (
        edited(recurrent.sweep, "reverse=reverse", "reverse=False", op="gru_sweep"),
        case("recurrence.orders_masks_and_directions"),
    ),
    "a stateful cell forgets": (
        edited(luxport.StatefulRecurrentCell.__call__, '"carry": carry}', '"carry": st["carry"]}'),
        case("stateful_recurrent_cell.remembers"),
    ),
    "a cell shares one hidden state": (
        edited(
            luxport.RNNCell.step,
            "return (y, (y,)), st",
            "return (y, (namespace(y).mean(y, axis=0, keepdims=True) + 0.0 * y,)), st",
        ),
        case("rnn_cell.steps"),
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutant_is_caught(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expect_caught(*MUTANTS[mutant], monkeypatch)
