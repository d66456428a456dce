"""Examples of the operations in `luxport.ops.random_bits`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from luxport_conformance.operation_examples.example import COUNTER, KEY, OverrideExample

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "threefry_2x32": (OverrideExample((KEY, np.arange(10, dtype=np.int32).reshape(5, 2))),),
    "random_bits": (OverrideExample((KEY, COUNTER), {"shape": (3, 5)}),),
    "uniform": (OverrideExample((KEY, COUNTER), {"shape": (3, 5)}),),
    "normal": (OverrideExample((KEY, COUNTER), {"shape": (3, 5)}),),
}
