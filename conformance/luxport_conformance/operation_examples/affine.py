"""Examples of the operations in `luxport.ops._affine`."""

from __future__ import annotations

from collections.abc import Mapping

from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "dense": (
        OverrideExample((draw(4, 3), draw(3, 2), draw(2)), tolerance=Tolerance(reduction=4)),
        OverrideExample((draw(2, 4, 3), draw(3, 2), None), tolerance=Tolerance(reduction=8)),
        OverrideExample((draw(3), draw(3, 2), draw(2)), tolerance=Tolerance(reduction=3)),
    )
}
