"""Examples of the operations in `luxport.ops.embedding`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "embedding": (
        OverrideExample((draw(4, 3), np.asarray([[2, 0, 2], [3, 2, 0]], np.int32)), tolerance=Tolerance(reduction=3)),
        OverrideExample((draw(4, 3), np.asarray([1, 1], np.int64)), tolerance=Tolerance(reduction=2)),
        OverrideExample((draw(4, 2, 3), np.asarray(3, np.int64))),
    )
}
