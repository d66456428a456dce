"""Examples of the operations in `luxport.ops._recurrent`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

import luxport
from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

_MASK = np.array([[True, True], [False, True], [False, True], [True, False]])
# The weights are of size 1, and so are the terms, which cancel, in the gradient of the initial state.
_SUMS = Tolerance(reduction=4 * (3 + 2), magnitude=1.0)


def _draw_arrays(gates: int, carries: int, mask: Any = None, *, biases: str = "ih hh", batch: bool = True) -> tuple:
    leading = (2,) if batch else ()
    return (
        *(draw(4, *leading, 3), draw(3, 2 * gates, seed=4), draw(2, 2 * gates, seed=5)),
        *(draw(2 * gates, seed=6) if "ih" in biases else None, draw(2 * gates, seed=7) if "hh" in biases else None),
        *[draw(*leading, 2, seed=8 + i) for i in range(carries)],
        mask,
    )


def _draw_v3_arrays(**options: Any) -> tuple:
    x, weight_ih, weight_hh, bias_ih, _, *rest = _draw_arrays(3, 1, **options)
    return (x, weight_ih, weight_hh, draw(2, 2, seed=9), bias_ih, *rest)


def _make_examples(arrays: Callable[..., tuple]) -> tuple[OverrideExample, ...]:
    # JAX compiles six programs for each example: sequences without a batch and other biases are tested by cases only.
    return (
        OverrideExample(arrays(), {"reverse": True}, _SUMS),
        OverrideExample(arrays(mask=_MASK, biases="ih"), {}, _SUMS),
    )


OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "rnn_sweep": (
        *_make_examples(partial(_draw_arrays, 1, 1)),
        OverrideExample(_draw_arrays(1, 1, biases=""), {"activation": luxport.relu}, _SUMS),
    ),
    "lstm_sweep": _make_examples(partial(_draw_arrays, 4, 2)),
    "gru_sweep": _make_examples(partial(_draw_arrays, 3, 1)),
    "gru_v3_sweep": _make_examples(_draw_v3_arrays),
}
