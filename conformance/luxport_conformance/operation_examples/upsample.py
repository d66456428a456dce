"""Examples of the operations in `luxport.ops._upsample`."""

from __future__ import annotations

from collections.abc import Mapping

from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "upsample_nearest": (OverrideExample((draw(2, 2, 3, 2),), {"scale": (2, 3)}),),
    "resize_nearest": (OverrideExample((draw(2, 2, 3, 4),), {"size": (5, 3)}),),
    "upsample_linear": (
        OverrideExample((draw(2, 2, 3, 4),), {"scale": 2.5}, Tolerance(reduction=4)),
        OverrideExample((draw(2, 2, 3, 4),), {"size": (5, 3), "align_corners": False}, Tolerance(reduction=4)),
    ),
    "pixel_shuffle": (OverrideExample((draw(2, 8, 3, 2),), {"factor": 2}),),
}
