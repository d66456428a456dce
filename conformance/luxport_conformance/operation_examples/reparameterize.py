"""Examples of the operations in `luxport.ops._reparameterize`."""

from __future__ import annotations

from collections.abc import Mapping

from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "spectral_norm": (
        OverrideExample((draw(3, 4, 2), draw(4)), {"axis": 1, "iterations": 2}, Tolerance(reduction=2 * 6)),
    ),
    "weight_norm": (
        OverrideExample((draw(3, 4, 2), draw(1, 4, 1)), {}, Tolerance(reduction=6)),
        OverrideExample((draw(5), draw(5)), {}),
    ),
}
