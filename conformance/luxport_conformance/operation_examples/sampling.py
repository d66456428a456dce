"""Examples of the operations in `luxport.ops._sampling`."""

from __future__ import annotations

from collections.abc import Mapping

from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "grid_sample": tuple(
        OverrideExample((draw(2, 2, 3, 4), draw(2, 2, 3, 2, seed=4)), {"padding_mode": mode}, Tolerance(reduction=24))
        for mode in ("zeros", "border")
    ),
    "imrotate": (
        OverrideExample((draw(2, 2, 5, 4),), {"angle": 0.7}, Tolerance(reduction=8)),
        OverrideExample((draw(2, 2, 5, 4),), {"angle": -2.0, "method": "nearest", "rotation_center": (2.0, 1.5)}),
    ),
}
