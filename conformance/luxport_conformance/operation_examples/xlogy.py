"""Examples of the operations in `luxport.ops.xlogy`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from luxport_conformance.operation_examples.example import OverrideExample

SOME = np.asarray([0.0, 0.5, 2.0])

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "xlogx": (OverrideExample((SOME,)),),
    "xlogy": (OverrideExample((SOME, np.asarray([0.0, 3.0, 0.25]))),),
}
