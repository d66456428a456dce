"""Examples of the operations in `luxport.ops.gather`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

_SUM = Tolerance(reduction=6)
_SEGMENTS = np.array([3, 0, 3, 1, 3, 0], np.int32)  # segment 2 is empty

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "gather": (OverrideExample((draw(4, 3), np.array([[1, 1], [3, 0]], np.int32))),),
    "scatter": (OverrideExample((draw(6, 2), _SEGMENTS), {"size": 4}, _SUM),),
    "segment_reduce": (OverrideExample((draw(6, 2), _SEGMENTS), {"op": "sum", "size": 4}, _SUM),),
    "reduce_known_segments": (
        *[OverrideExample((draw(6, 2), _SEGMENTS), {"op": op, "size": 4}, _SUM) for op in ("sum", "prod")],
        *[OverrideExample((draw(6, 2)[1:], _SEGMENTS[1:] % 3), {"op": op, "size": 3}, _SUM) for op in ("max", "min")],
    ),
}
