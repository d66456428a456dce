"""Examples of the operations in `luxport.ops._batched`."""

from __future__ import annotations

from collections.abc import Mapping

from luxport import ops
from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

_SUM = Tolerance(reduction=12)

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "batched_mul": (OverrideExample((draw(2, 3, 4), draw(1, 4, 2)), tolerance=_SUM),),
    "batched_vec": (OverrideExample((draw(2, 3, 4), draw(2, 4)), tolerance=_SUM),),
    "batched_matmul": (
        OverrideExample((draw(2, 3, 4), draw(2, 4, 3)), tolerance=_SUM),
        OverrideExample((draw(2, 3, 2, 4), draw(2, 4, 3)), {"contract": (1, 2), "batch": ((2,), (0,))}, _SUM),
    ),
    "bias_activation": (OverrideExample((draw(2, 3, 4), draw(3)), {"activation": ops.tanh}),),
}
