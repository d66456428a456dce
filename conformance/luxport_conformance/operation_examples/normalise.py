"""Examples of the operations in `luxport.ops.normalise`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

__all__ = ["OPERATIONS"]

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "batch_norm": tuple(
        OverrideExample(
            (draw(*shape), draw(3), draw(3), draw(3), np.abs(draw(3)) + 0.1),
            {"training": training, "momentum": 0.1, "epsilon": 1e-5},
            Tolerance(reduction=6 * 4),
        )
        for shape in ((6, 3), (6, 3, 2, 2))
        for training in (True, False)
    ),
}
