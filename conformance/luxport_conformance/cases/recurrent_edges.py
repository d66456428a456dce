"""Cases of recurrent cells where the sum before a gate overflows in float16: one step, a sequence, and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport_conformance.case import Case

# The sum of two of these overflows in float16; each is exact in every dtype.
LARGE = 7.0 * 2.0**13
CELLS = {
    "rnn": luxport.RNNCell(2, 2, use_bias=False),
    "lstm": luxport.LSTMCell(2, 2, use_bias=False),
    "gru": luxport.GRUCell(2, 2, use_bias=False),
    "gru_v3": luxport.GRUv3Cell(2, 2, use_bias=False),
}


def _compute_steps_and_sweeps(x: Any, hidden: Any, ps: Any) -> Any:
    return {name: _compute_both(cell, x, hidden, ps[name]) for name, cell in CELLS.items()}


def _compute_both(cell: Any, x: Any, hidden: Any, ps: Any) -> Any:
    xp = luxport.namespace(x)
    more = (xp.zeros_like(hidden),) if isinstance(cell, luxport.LSTMCell) else ()
    st = cell.initial_states(luxport.random.Rng(0))
    run = luxport.Recurrence(cell)

    def step(x: Any, hidden: Any) -> Any:
        return xp.sum(cell((x, (hidden, *more)), ps, st)[0][0][:, 0])

    def sweep(x: Any, hidden: Any) -> Any:
        return xp.sum(run((x[:, None, :], (hidden, *more)), ps, st)[0][:, 0])

    return {f.__name__: luxport.value_and_grad(f, 0)(x, hidden) for f in (step, sweep)}


def _expect_both(value: float, slope: float) -> Any:
    return dict.fromkeys(("step", "sweep"), (np.array(value), np.full((1, 2), slope)))


CASES: list[Case] = [
    Case(
        id="recurrent_cells.sums_beyond_float16",
        subject="RNNCell",
        source=("mathematics: the formulas of the cells where input and state cancel out before a gate",),
        program=_compute_steps_and_sweeps,
        inputs={
            "x": np.full((1, 2), LARGE),
            "hidden": np.full((1, 2), -LARGE),
            "ps": {
                name: {"weight_ih": np.ones((2, 2 * cell.gates)), "weight_hh": np.ones((2, 2 * cell.gates))}
                | ({"weight_hn": np.ones((2, 2))} if name == "gru_v3" else {})
                for name, cell in CELLS.items()
            },
        },
        # The sums are 0, so all gates are 1/2; a GRU's candidate is 1, as its reset gate halves only one of two terms.
        expected={
            "rnn": _expect_both(0.0, 1.0),
            "lstm": _expect_both(0.0, 0.25),
            **dict.fromkeys(("gru", "gru_v3"), _expect_both((1.0 - LARGE) / 2.0, (-LARGE - 1.0) / 4.0)),
        },
        dtypes=("float16", "bfloat16", "float32", "float64"),
        differentiates=True,
        compiles=False,  # PyTorch's compiler cannot trace the construction of layers and states
    )
]
