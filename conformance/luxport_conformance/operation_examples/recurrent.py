"""Examples of the operations in `luxport.ops.recurrent`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import luxport
from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

__all__ = ["OPERATIONS"]

_MASK = np.array([[True, True], [False, True], [False, True], [True, False]])
_SUMS = Tolerance(reduction=4 * (3 + 2))


def _arrays(gates: int, carries: int, mask: Any = None, *, biases: str = "ih hh", batch: bool = True) -> tuple:
    leading = (2,) if batch else ()
    return (
        *(draw(4, *leading, 3), draw(3, 2 * gates, seed=4), draw(2, 2 * gates, seed=5)),
        *(draw(2 * gates, seed=6) if "ih" in biases else None, draw(2 * gates, seed=7) if "hh" in biases else None),
        *[draw(*leading, 2, seed=8 + i) for i in range(carries)],
        mask,
    )


def _examples(gates: int, carries: int) -> tuple[OverrideExample, ...]:
    return (
        OverrideExample(_arrays(gates, carries), {}, _SUMS),
        OverrideExample(_arrays(gates, carries, biases="ih"), {"reverse": True}, _SUMS),
        OverrideExample(_arrays(gates, carries, _MASK, biases=""), {}, _SUMS),
        OverrideExample(_arrays(gates, carries, batch=False), {}, _SUMS),
    )


OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "rnn_sweep": (*_examples(1, 1), OverrideExample(_arrays(1, 1), {"activation": luxport.relu}, _SUMS)),
    "lstm_sweep": _examples(4, 2),
    "gru_sweep": _examples(3, 1),
}
