"""Cases of recurrent layers: upstream's tests of shapes and equalities, and numbers by the formulas in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import GRU, LSTM, RNN, GRUCell, GRUv3, GRUv3Cell, LSTMCell, Recurrence, RNNCell, tree
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, check_fact, check_program, cite, draw, set_up
from luxport_conformance.compare import Tolerance

RECURRENT = "flux:layers/recurrent.jl"
GPU = "flux:test_common/gpu_recurrent.jl"

# Each of three steps sums in + out products.
DEEP = Tolerance(reduction=3 * (2 + 3))
STEPS, BATCH, IN, OUT = 3, 2, 2, 3

FLUX: dict[str, Any] = {"use_recurrent_bias": False}
"""Options for a cell like Flux's, which has one bias."""

CELLS: dict[str, Any] = {
    "rnn": RNNCell(IN, OUT, **FLUX),
    "lstm": LSTMCell(IN, OUT, **FLUX),
    "gru": GRUCell(IN, OUT, **FLUX),
    "gru_v3": GRUv3Cell(IN, OUT),
}
LAYERS: dict[str, Any] = {
    "rnn": RNN(IN, OUT, return_state=True),
    "lstm": LSTM(IN, OUT, return_state=True),
    "gru": GRU(IN, OUT, return_state=True),
    "gru_v3": GRUv3(IN, OUT, return_state=True),
}


def _sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


def step_by_formula(kind: str, ps: Any, x: Any, carry: Any) -> tuple[Any, ...]:
    """Return the next carry, whose first part is the output, gate by gate by the formulas of the papers."""
    hidden = carry[0]
    out = ps["weight_hh"].shape[0]
    both = [np.zeros(ps["weight_ih"].shape[-1]) + ps.get(name, 0.0) for name in ("bias_ih", "bias_hh")]

    def compute_gate(k: int, reset: Any = 1.0) -> Any:
        part = slice(k * out, (k + 1) * out)
        recurrent = hidden @ ps["weight_hh"][:, part] + both[1][part]
        return x @ ps["weight_ih"][:, part] + both[0][part] + reset * recurrent

    if kind == "rnn":
        return (np.tanh(compute_gate(0)),)
    if kind == "lstm":
        memory = _sigmoid(compute_gate(1)) * carry[1] + _sigmoid(compute_gate(0)) * np.tanh(compute_gate(2))
        return _sigmoid(compute_gate(3)) * np.tanh(memory), memory
    reset, update = _sigmoid(compute_gate(0)), _sigmoid(compute_gate(1))
    if kind == "gru":
        new = np.tanh(compute_gate(2, reset))
    else:
        new = np.tanh(compute_gate(2, 0.0) + (reset * hidden) @ ps["weight_hn"])
    return (new + update * (hidden - new),)


def run_by_formula(
    kind: str, ps: Any, x: Any, carry: Any, counts: Any = None, *, reverse: bool = False
) -> tuple[Any, Any]:
    """Return outputs and last carries: run each sample (T, in) over its valid steps, those with a true `counts`."""
    outputs, ends = np.zeros((*x.shape[:2], carry[0].shape[-1]), np.result_type(x, *tree.leaves(ps))), []
    for n, sample in enumerate(x):
        end = tuple([part[n] if part.ndim > 1 else part for part in carry])
        steps = [t for t in range(len(sample)) if counts is None or counts[n][t]]
        for t in reversed(steps) if reverse else steps:
            end = step_by_formula(kind, ps, sample[t], end)
            outputs[n, t] = end[0]
        ends.append(end)
    return outputs, tuple([np.stack(parts) for parts in zip(*ends, strict=True)])


def draw_carries(kind: str, *shape: int) -> tuple[Any, ...]:
    """Return a random carry: two arrays for an LSTM, else one."""
    return tuple(draw(*shape, seed=20 + i) for i in range(2 if kind == "lstm" else 1))


def draw_parameters(layer: Any, seed: int = 1) -> Any:
    """Return random parameters, which differ from the initial values also where those are zeros."""
    values = luxport.setup(seed, layer, backend="numpy")[0]
    return tree.map(lambda leaf: 0.6 * draw(*leaf.shape, seed=leaf.size), values)


def make_states(layer: Any) -> Any:
    """Return the initial states of a layer."""
    return set_up(layer)[1]


def _count_arrays(layer: Any, **options: Any) -> Callable[[], int]:
    return lambda: len(set_up(type(layer)(3, 5, **options))[0])


def _check_two_biases(kind: str, cell: Any) -> Case:
    return check_program(
        f"{kind}_cell.two_biases",
        ("torch: a bias for the input and one for the hidden state",),
        lambda x, ps, st, carry: cell((x, carry), ps, st)[0][1],
        {"x": draw(BATCH, IN), "ps": _draw_apart(cell), "st": set_up(cell)[1], "carry": draw_carries(kind, BATCH, OUT)},
        subject=type(cell).__name__,
        expected=lambda x, ps, st, carry: step_by_formula(kind, ps, x, carry),
        tolerance=DEEP,
    )


def _draw_apart(cell: Any) -> Any:
    """Return random parameters that differ also between arrays of the same shape."""
    values = set_up(cell)[0]
    return {name: 0.6 * draw(*leaf.shape, seed=30 + i) for i, (name, leaf) in enumerate(values.items())}


def _check_steps(kind: str, *lines: int) -> Case:
    """Check one step from a carry, without one, and from zeros; a vector as the carry is used for every sample."""
    cell = CELLS[kind]

    def list_starts(x: Any, carry: Any, vector: Any) -> Any:
        zeros = tree.map(lambda leaf: 0.0 * leaf, carry)
        return (x, carry), (x, zeros), (x, vector), (x[0, ...], vector)

    def program(x: Any, ps: Any, st: Any, carry: Any, vector: Any) -> Any:
        results = [cell(start, ps, st)[0] for start in (*list_starts(x, carry, vector), x)]
        return tuple([{"y": y, "carry": carry} for y, carry in results])

    def expected(x: Any, ps: Any, st: Any, carry: Any, vector: Any) -> Any:
        given = list_starts(x, carry, vector)
        found = [step_by_formula(kind, ps, *start) for start in (*given, given[1])]
        return tuple([{"y": new[0], "carry": new} for new in found])

    return check_program(
        f"{kind}_cell.steps",
        cite(RECURRENT, *lines),
        program,
        {
            "x": draw(BATCH, IN),
            "ps": draw_parameters(cell),
            "st": make_states(cell),
            "carry": draw_carries(kind, BATCH, OUT),
            "vector": draw_carries(kind, OUT),
        },
        subject=type(cell).__name__,
        expected=expected,
        tolerance=DEEP,
    )


def _check_sequences(kind: str, *lines: int) -> Case:
    """Check a layer and `Recurrence` on sequences: batched or not, with a carry or without one, which means zeros."""
    layer = LAYERS[kind]
    rec = Recurrence(CELLS[kind], return_sequence=True, return_state=True)

    def program(x: Any, ps: Any, st: Any, vector: Any) -> Any:
        results = [layer(given, ps, st)[0] for given in ((x, vector), x, (x[0, ...], vector))]
        return (*results, rec((x, vector), ps, st)[0])

    def expected(x: Any, ps: Any, st: Any, vector: Any) -> Any:
        zeros = tree.map(np.zeros_like, vector)
        y, carry = run_by_formula(kind, ps, x, vector)
        from_zeros = run_by_formula(kind, ps, x, zeros)
        alone = y[0], tree.map(lambda leaf: leaf[0], carry)
        return (y, carry), from_zeros, alone, (y, carry)

    return check_program(
        f"{kind}.sequences",
        cite(RECURRENT, *lines),
        program,
        {
            "x": draw(BATCH, STEPS, IN),
            "ps": draw_parameters(layer),
            "st": make_states(layer),
            "vector": draw_carries(kind, OUT),
        },
        subject=type(layer).__name__,
        expected=expected,
        tolerance=DEEP,
    )


CASES: list[Case] = [
    check_fact("rnn_cell.arrays", cite(RECURRENT, 36), _count_arrays(CELLS["rnn"], **FLUX), 3),
    check_fact("rnn_cell.arrays_no_bias", cite(RECURRENT, 67), _count_arrays(CELLS["rnn"], use_bias=False), 2),
    check_fact("rnn_cell.arrays_two_biases", ("lux: RNNCell",), _count_arrays(CELLS["rnn"]), 4),
    check_fact("lstm_cell.arrays", cite(RECURRENT, 116), _count_arrays(CELLS["lstm"], **FLUX), 3),
    check_fact("lstm_cell.arrays_no_bias", cite(RECURRENT, 143), _count_arrays(CELLS["lstm"], use_bias=False), 2),
    check_fact("gru_cell.arrays", cite(RECURRENT, 201), _count_arrays(CELLS["gru"], **FLUX), 3),
    check_fact("gru_cell.arrays_no_bias", cite(RECURRENT, 228), _count_arrays(CELLS["gru"], use_bias=False), 2),
    check_fact("gru.arrays_no_bias", cite(RECURRENT, 259), _count_arrays(LAYERS["gru"], use_bias=False), 2),
    check_fact("gru_v3_cell.arrays", cite(RECURRENT, 275), _count_arrays(CELLS["gru_v3"]), 4),
    _check_two_biases("rnn", RNNCell(IN, OUT)),
    _check_two_biases("lstm", LSTMCell(IN, OUT)),
    _check_two_biases("gru", GRUCell(IN, OUT)),
    _check_steps("rnn", 48, 52, 53),
    _check_steps("lstm", 122, 123, 124, 125, 126, 132, 133, 138, 139),
    _check_steps("gru", 208, 212, 215),
    _check_steps("gru_v3", 281, 285, 288),
    _check_sequences("rnn", *(85, 86, 91, 94, 98, 99, 106, 107, 109, 110), *(341, 348, 350)),
    _check_sequences("lstm", *(161, 162, 167, 168, 174, 175, 179, 180, 184, 190, 191, 193, 194, 195, 196), *(352, 353)),
    _check_sequences("gru", *(245, 246, 252, 255, 266, 267, 269, 270)),
    _check_sequences("gru_v3", *(314, 315, 320, 323, 329, 330, 332, 333)),
    check_error(
        "rnn_cell.wrong_input",
        ("definition: the last axis is in_dims",),
        CELLS["rnn"],
        draw(BATCH, 7),
        message=r"RNNCell expects \(..., 2\), got \(2, 7\)",
    ),
]
