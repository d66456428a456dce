"""Examples of the operations in `luxport.ops._padding`."""

from __future__ import annotations

from collections.abc import Mapping

from luxport_conformance.operation_examples.example import OverrideExample, draw

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "pad_constant": (
        OverrideExample((draw(2, 3),), {"padding": ((1, 0), (0, 2)), "value": 1.5}),
        OverrideExample((draw(2, 3),), {"padding": 1}),
    ),
    **{
        name: (OverrideExample((draw(2, 2, 3, 4),), {"padding": ((1, 2), (2, 0))}),)
        for name in ("pad_circular", "pad_edge", "pad_reflect", "pad_symmetric")
    },
}
