"""Recurrent layers of every version of Flux are read, with trained initial states."""

# torch and NumPy are the second implementations.
# pyright: reportArgumentType=false, reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

import bson_writer as bw
import numpy as np
import pytest
import torch
from flux_files import IDENTITY, TANH, assert_close, compute_outputs, draw, flux, load
from test_flux_models import GATES, WH, WI

import luxport as lp
from luxport.porting import FileFormatError, load_parameters


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru_step(x, h, wi, wh, b, version3=None):
    """Source: src/layers/recurrent.jl at v0.12.7, v0.14.25, v0.16.11."""
    gx, bias = np.split(x @ wi, 3, -1), np.split(b, 3)
    gh = np.split(h @ wh, 2 if version3 is not None else 3, -1)
    r, z = sigmoid(gx[0] + gh[0] + bias[0]), sigmoid(gx[1] + gh[1] + bias[1])
    inner = (r * h) @ version3 if version3 is not None else r * gh[2]
    return (1 - z) * np.tanh(gx[2] + inner + bias[2]) + z * h


def run_cell(step, x, h):
    found = []
    for i in range(x.shape[1]):
        h = step(x[:, i], h)
        found.append(h)
    return np.stack(found, 1)


CELLS = {
    "RNN": ([TANH], (2, 2), lambda x, h, a: np.tanh(x @ a[0] + h @ a[1] + a[2])),
    "GRU": ([], (6, 6), lambda x, h, a: gru_step(x, h, *a)),
    "GRUv3": ([], (6, 4), lambda x, h, a: gru_step(x, h, *a)),
}


def make_cell(name, state=None):
    """Return a cell, its formula and its arrays; since 0.15 it has no state of its own."""
    first, (wide, recurrent), step = CELLS[name]
    arrays = [draw(3, wide), draw(2, recurrent), draw(wide)] + ([draw(2, 2)] if name == "GRUv3" else [])
    written = map(bw.array, arrays)
    return flux(f"{name}Cell", *first, *written, *([] if state is None else [bw.array(state)])), step, arrays


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("trained", [False, True])
def test_recur_is_read_until_0_14(name, trained, tmp_path):
    # "state0 is trainable": src/layers/recurrent.jl at v0.14.25; its size in Julia is (2, 1), and (2,) until 0.11.
    start = draw(1, 2) if trained else np.zeros((1, 2), np.float32)
    inner, step, arrays = make_cell(name, start)
    layer, ps, st = load(flux("Recur", inner, bw.array(draw(1, 2))), tmp_path)
    x, steps = draw(4, 3, 3), []
    for i in range(3):
        y, st = layer(x[:, i], ps, st)
        steps.append(y)
    assert_close(np.stack(steps, 1), run_cell(lambda x, h: step(x, h, arrays), x, np.tile(start, (4, 1))))
    assert ("hidden_state" in ps) == trained


def test_a_trained_lstm_state_is_read_until_0_11(tmp_path):
    h, c = draw(2), draw(2)
    inner = flux("LSTMCell", *map(bw.array, (WI, WH, GATES, h, c)))
    layer, ps, st = load(flux("Recur", inner, bw.tuple_of(), bw.tuple_of()), tmp_path)
    x = draw(4, 3)
    reference = torch.nn.LSTMCell(3, 2)
    with torch.no_grad():
        for parameter, value in zip(reference.parameters(), (WI.T, WH.T, GATES, GATES * 0), strict=True):
            parameter.copy_(torch.tensor(value))
        start = torch.tensor(np.tile(h, (4, 1))), torch.tensor(np.tile(c, (4, 1)))
        want, _ = reference(torch.tensor(x), start)
    assert_close(layer(x, ps, st)[0], want)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("returned", [None, False, True], ids=["0.15", "0.16", "0.16 with its state"])
def test_sequences_are_read_since_0_15(name, returned, tmp_path):
    inner, step, arrays = make_cell(name)
    params = [] if returned is None else [returned, bw.datatype(f"Flux.{name}Cell")]
    x = draw(4, 5, 3)
    want = run_cell(lambda x, h: step(x, h, arrays), x, np.zeros((4, 2), np.float32))
    for kind in (name, "Recurrence") if returned is not None else (name,):
        got = compute_outputs(flux(kind, inner, params=params), x, tmp_path)
        if returned:
            got, (state,) = got
            assert_close(state, want[:, -1])
        assert_close(got, want)


def test_a_value_that_is_not_a_cell_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match=r"cell: expected a recurrent cell of Flux, got Dense\(2, 2"):
        load(flux("Recur", flux("Dense", bw.array(draw(2, 2)), False, IDENTITY), None), tmp_path)


LSTM = lp.StatefulRecurrentCell(lp.LSTMCell(3, 2, use_recurrent_bias=False))
TRAINED_LSTM = lp.StatefulRecurrentCell(
    lp.LSTMCell(3, 2, use_recurrent_bias=False, train_state=True, train_memory=True)
)


@pytest.mark.parametrize("form", ["params", "state", "model"])
@pytest.mark.parametrize("trained", [False, True])
def test_initial_states_among_parameters_are_read(form, trained, tmp_path):
    """Flux 0.12 to 0.14 count them as parameters; those of zeros have no place in the model and need none."""
    h, c = (draw(1, 2), draw(1, 2)) if trained else (np.zeros((1, 2), np.float32),) * 2
    arrays = [bw.array(a) for a in (WI, WH, GATES)]
    start = bw.tuple_of(bw.array(h), bw.array(c))
    names = bw.tuple_of(*map(bw.symbol, ("Wi", "Wh", "b", "state0")))
    saved = {
        "params": [*arrays, bw.array(h), bw.array(c)],
        "state": {"cell": bw.struct_of(bw.datatype("Core.NamedTuple", names, bw.datatype("Core.Tuple")),
                                       *arrays, start)},
        "model": flux("Recur", flux("LSTMCell", *arrays, start), start),
    }[form]  # fmt: skip
    path = tmp_path / "lstm.bson"
    path.write_bytes(bw.bson({"p": saved}))
    ps, _ = load_parameters(path, TRAINED_LSTM, backend="numpy")
    np.testing.assert_array_equal(ps["hidden_state"], h[0])
    np.testing.assert_array_equal(ps["memory"], c[0])
    if trained:
        wrong = "expected 3 arrays, got 5" if form == "params" else "state0 is left over; c is left over"
        with pytest.raises(FileFormatError, match=wrong):
            load_parameters(path, LSTM)
    else:
        np.testing.assert_array_equal(load_parameters(path, LSTM, backend="numpy")[0]["bias_ih"], GATES)
