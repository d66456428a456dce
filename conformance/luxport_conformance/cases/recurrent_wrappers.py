"""Cases of layers that run recurrent cells: order of axes, masks, directions, stacked layers, stored carries."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import LSTM, BidirectionalRNN, Recurrence, StatefulRecurrentCell, tree
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program, draw
from luxport_conformance.cases.recurrent import (
    BATCH,
    CELLS,
    DEEP,
    IN,
    OUT,
    STEPS,
    draw_carries,
    draw_parameters,
    make_states,
    run_by_formula,
    step_by_formula,
)
from luxport_conformance.compare import Tolerance

_FLAGS = np.array([[True, False, True], [False, True, False]])
_LENGTHS = np.array([2, 3])


def _run_wrappers(x: Any, ps: Any, flags: Any, lengths: Any, carry: Any) -> Any:
    cell = CELLS["gru"]
    st = make_states(cell)
    whole: dict[str, Any] = {"return_sequence": True, "masked": True}
    xp = luxport.namespace(x)
    time_first = xp.permute_dims(x, (1, 0, 2))

    def run(layer: Any, x: Any, ps: Any = ps, st: Any = st) -> Any:
        return layer(x, ps, st)[0]

    both = {"forward_rnn": ps, "backward_rnn": {"rnn": ps}}
    two = {"forward_rnn": st, "backward_rnn": {"rnn": st}}
    return {
        "last": run(Recurrence(cell), (x, carry)),
        "reversed": run(Recurrence(cell, reverse=True, return_sequence=True), (x, carry)),
        "reversed_last": run(Recurrence(cell, reverse=True), (x, carry)),
        "flags": run(Recurrence(cell, return_state=True, **whole), (x, flags, carry)),
        "flags_last": run(Recurrence(cell, masked=True), (x, flags, carry)),
        "lengths_reversed": run(Recurrence(cell, reverse=True, **whole), (x, lengths, carry)),
        "time_first": run(Recurrence(cell, time_major=True, return_sequence=True), (time_first, carry)),
        "list": run(Recurrence(cell, return_sequence=True), ([x[:, t, :] for t in range(STEPS)], carry)),
        "both": run(BidirectionalRNN(cell), (x, (carry, carry)), both, two),
        "both_lengths": run(BidirectionalRNN(cell, merge_mode=None, masked=True), (x, lengths), both, two),
        "sum": run(BidirectionalRNN(cell, merge_mode="sum", return_sequence=False), (x, (carry, carry)), both, two),
        "mul": run(BidirectionalRNN(cell, merge_mode="mul", return_sequence=False), (x, (carry, carry)), both, two),
        "ave": run(BidirectionalRNN(cell, merge_mode="ave", return_sequence=False), (x, (carry, carry)), both, two),
    }


def _expect_wrapped(x: Any, ps: Any, flags: Any, lengths: Any, carry: Any) -> Any:
    def run(counts: Any = None, start: Any = carry, *, reverse: bool = False) -> Any:
        return run_by_formula("gru", ps, x, start, counts, reverse=reverse)

    counts = np.arange(STEPS) < np.asarray(lengths)[:, None]
    zeros = tree.map(np.zeros_like, carry)
    (y, _), (back, _) = run(), run(reverse=True)
    last, first = y[:, -1], back[:, 0]
    flagged = run(flags)
    return {
        "last": last,
        "reversed": back,
        "reversed_last": first,
        "flags": flagged,
        "flags_last": flagged[1][0],
        "lengths_reversed": run(counts, reverse=True)[0],
        "time_first": np.swapaxes(y, 0, 1),
        "list": y,
        "both": np.concatenate([y, back], axis=-1),
        "both_lengths": (run(counts, zeros)[0], run(counts, zeros, reverse=True)[0]),
        "sum": last + first,
        "mul": last * first,
        "ave": (last + first) / 2,
    }


_LEVELS = LSTM(IN, OUT, num_layers=2, return_state=True, use_recurrent_bias=True)


def _run_levels(x: Any, ps: Any, st: Any, carry: Any) -> Any:
    return _LEVELS((x, carry), ps, st)[0]


def _expect_levels(x: Any, ps: Any, st: Any, carry: Any) -> Any:
    middle, first = run_by_formula("lstm", ps["layer_1"], x, carry[0])
    y, second = run_by_formula("lstm", ps["layer_2"], middle, carry[1])
    return y, (first, second)


def _run_remembering(x: Any, ps: Any, st: Any) -> Any:
    model = StatefulRecurrentCell(CELLS["lstm"])
    first, st = model(x, ps, st)
    second, st = model(x, ps, st)
    again, _ = model(x, ps, luxport.update_state(st, "carry", None))
    return {"first": first, "second": second, "again": again, "carry": st["carry"]}


def _expect_remembered(x: Any, ps: Any, st: Any) -> Any:
    zeros = (np.zeros((BATCH, OUT)),) * 2
    first = step_by_formula("lstm", ps, x, zeros)
    second = step_by_formula("lstm", ps, x, first)
    return {"first": first[0], "second": second[0], "again": first[0], "carry": second}


CASES: list[Case] = [
    check_program(
        "recurrence.orders_masks_and_directions",
        ("definition: each sample by itself, over the steps that count",),
        _run_wrappers,
        {
            "x": draw(BATCH, STEPS, IN),
            "ps": draw_parameters(CELLS["gru"]),
            "flags": _FLAGS,
            "lengths": _LENGTHS,
            "carry": draw_carries("gru", BATCH, OUT),
        },
        expected=_expect_wrapped,
        tolerance=DEEP,
        compiles=False,  # PyTorch's compiler cannot trace the construction of layers and states
    ),
    check_program(
        "lstm.levels",
        ("torch: nn.LSTM(num_layers=2)",),
        _run_levels,
        {
            "x": draw(BATCH, STEPS, IN),
            "ps": draw_parameters(_LEVELS),
            "st": make_states(_LEVELS),
            "carry": (draw_carries("lstm", BATCH, OUT), draw_carries("lstm", BATCH, OUT)),
        },
        expected=_expect_levels,
        tolerance=Tolerance(reduction=60),
    ),
    check_program(
        "stateful_recurrent_cell.remembers",
        ("lux: StatefulRecurrentCell, update_state(st, :carry, nothing)",),
        _run_remembering,
        {
            "x": draw(BATCH, IN),
            "ps": draw_parameters(CELLS["lstm"]),
            "st": make_states(StatefulRecurrentCell(CELLS["lstm"])),
        },
        expected=_expect_remembered,
        tolerance=DEEP,
    ),
]
