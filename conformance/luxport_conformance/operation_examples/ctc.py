"""Examples of the operations in `luxport.ops._ctc`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

_LABELS = np.array([[0, 1, 1], [2, 0, 0]], np.int32)
_SKIPS = np.array([[0, 0, 0, 1, 0], [0, 0, 0, 0, 0]], bool)
_SUM = Tolerance(reduction=60)

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "ctc_loss": (
        OverrideExample((draw(2, 6, 4), _LABELS), tolerance=_SUM),
        OverrideExample((draw(2, 6, 4), _LABELS, np.array([5, 6]), np.array([2, 1])), tolerance=_SUM),
        OverrideExample((draw(5, 4), _LABELS[0]), tolerance=_SUM),
    ),
    "ctc_sweep": (
        OverrideExample((draw(6, 2, 5), _SKIPS), tolerance=_SUM),
        OverrideExample((draw(6, 2, 5), _SKIPS, np.array([4, 6], np.int32)), tolerance=_SUM),
    ),
}
