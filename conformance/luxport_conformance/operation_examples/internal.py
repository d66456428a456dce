"""Examples of the private operations that layers, optimizers and flat vectors use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import luxport
from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

_ADAM = {"powers": (0.81, 0.998), "eta": 0.1, "beta": (0.9, 0.999), "epsilon": 1e-8}
_MOMENTS = (draw(3, 4), draw(3, 4, seed=4), np.abs(draw(3, 4, seed=5)))
# Two parameters, their gradients, and an optimizer state for each.
_PAIRS = tuple([draw(*shape, seed=seed) for seed in (6, 7, 8) for shape in ((3, 4), (5,))])
_FOUR = (*_PAIRS, *[np.abs(draw(*shape, seed=9)) for shape in ((3, 4), (5,))])
_EQUAL = np.asarray([[2.0, 5.0, 5.0], [7.0, 7.0, -1.0]])
_LOGITS, _LABELS = draw(4, 3, seed=11), np.asarray([0, 2, 1, 2], np.int64)
_SHARES = np.asarray([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5]])
_FAR = np.asarray([[1.0, -np.inf, 2.0], [30.0, -30.0, 5.0], [-np.inf, 0.0, 1.0], [-np.inf, 4.0, 1.0]])
_APART = np.asarray([[1e25, -np.inf, 0.0], [np.nan, 1e-30, -0.0]])
_BEYOND = np.asarray([[3e38, 2e38], [3e38, -3e38], [3e38, 1.0]])
_INTEGERS = tuple(np.asarray([[3, -2, 9]], dtype) for dtype in (np.int32, np.int64))


def _average_all(x: Any) -> Any:
    return luxport.namespace(x).mean(x)


def _average_rows(x: Any) -> Any:
    return luxport.namespace(x).mean(x, axis=0)


OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "adam_step": (
        OverrideExample(_MOMENTS, _ADAM),
        OverrideExample(_MOMENTS, {**_ADAM, "beta": (0.0, 0.9), "epsilon": 0.0}, Tolerance(reduction=4)),
    ),
    "adam_update": tuple(
        [OverrideExample(_FOUR, {**_ADAM, "decay": decay, "in_place": False}) for decay in (None, 0.5)]
    ),
    "are_fixed": (OverrideExample((draw(2, 3),), tells=True), OverrideExample((draw(0, 3),), tells=True)),
    "crossentropy_of_labels": tuple(
        OverrideExample((_LOGITS, _LABELS), {"axis": -1, "agg": agg, "ignore_index": ignored}, Tolerance(reduction=6))
        for agg in ("mean", "sum", None)
        for ignored in (None, 2)
    )
    + (
        OverrideExample(
            (draw(2, 3, 4), np.asarray([[0, 2, 1, 1], [2, 2, 0, 0]], np.int32)),
            {"axis": 1, "agg": "mean", "ignore_index": None},
            Tolerance(reduction=6),
        ),
    ),
    "average": tuple(
        OverrideExample((values,), {"mean": mean}, Tolerance(reduction=12))
        for values in (draw(3, 4), _BEYOND, np.asarray([[1.0, np.inf], [np.nan, 2.0]]), draw(0, 3))
        for mean in (_average_all, _average_rows)
    ),
    "crossentropy_of_logits": tuple(
        OverrideExample((_LOGITS, _SHARES), {"axis": -1, "agg": agg}, Tolerance(reduction=6))
        for agg in ("mean", "sum", None)
    )
    + (OverrideExample((_FAR, _SHARES), {"axis": -1, "agg": "sum"}, Tolerance(reduction=6)),)
    + (
        OverrideExample(
            (draw(2, 3, 4), draw(2, 3, 4, seed=5) ** 2), {"axis": 1, "agg": "mean"}, Tolerance(reduction=6)
        ),
    ),
    "descent_update": (OverrideExample(_PAIRS[:4], {"eta": 0.1, "in_place": False}),),
    "finite_norm": (OverrideExample((np.abs(draw()),), {"p": 2.0, "shape": (3, 4)}, looks=True),),
    "take_largest": tuple(OverrideExample((_EQUAL,), {"axis": axis}) for axis in (0, 1)),
    "may_look": (OverrideExample((draw(2, 3),), looks=True), OverrideExample((draw(0),), looks=True)),
    "momentum_update": (OverrideExample(_PAIRS, {"eta": 0.1, "rho": 0.9, "in_place": False}),),
    "pick": (
        OverrideExample((draw(3, 4), np.asarray([[3], [0], [3]], np.int64)), {"axis": 1}),
        OverrideExample((draw(3, 4), np.asarray([[2, 1, 0, 0], [2, 2, 2, 1]], np.int64)), {"axis": 0}),
    ),
    "find_reliance": (OverrideExample((draw(2, 3),), tells=True),),
    "reshape_samples": (OverrideExample((draw(2, 6),), {"sizes": (3, 2)}),),
    "rotation_taps": tuple(
        OverrideExample((draw(1, 1, 5, 4),), {"angle": 0.7, "center": (2, 1.5), "bilinear": bilinear})
        for bilinear in (True, False)
    ),
    "running_sizes": (OverrideExample((draw(2, 3),), tells=True), OverrideExample((draw(),), tells=True)),
    "split_vector": (
        OverrideExample((draw(9),), {"sizes": (2, 0, 3, 4)}),
        OverrideExample((draw(3),), {"sizes": (3,)}),
    ),
    "value_range": tuple(OverrideExample((values,), looks=True) for values in (*_INTEGERS, np.zeros((0, 2), np.int32))),
    "squared_error": tuple(
        OverrideExample(arrays, {"agg": agg}, Tolerance(reduction=12))
        for arrays in ((draw(3, 4), draw(3, 4, seed=4)), (_APART, np.zeros_like(_APART)), (draw(0, 3), draw(0, 3)))
        for agg in ("mean", "sum", None)
    ),
}
