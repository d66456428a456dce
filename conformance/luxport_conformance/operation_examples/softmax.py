"""Examples of the operations in `luxport.ops.softmax`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

_INFINITE = np.array([[1.0, -np.inf, 2.0], [3.0, np.inf, np.inf], [-np.inf, 0.0, -2.0]])
_SUM = Tolerance(reduction=5)
_X = OverrideExample((draw(3, 4, 5),), tolerance=_SUM)
_AXES = (
    OverrideExample((draw(3, 4, 2),), {"axis": 1}, _SUM),
    OverrideExample((draw(2, 3, 2),), {"axis": (0, 1)}, _SUM),
    OverrideExample((draw(2, 3),), {"axis": None}, _SUM),
)

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "softmax": (_X, OverrideExample((_INFINITE,)), *_AXES),
    # No output may be -inf: the suite multiplies outputs by weights, which makes the gradient NaN there.
    "logsoftmax": (_X, OverrideExample((np.maximum(_INFINITE, -9.0)[[0, 2]],)), *_AXES),
    "logsumexp": (_X, *_AXES),
}
