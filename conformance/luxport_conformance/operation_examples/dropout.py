"""Examples of the operations in `luxport.ops.dropout`."""

from __future__ import annotations

from collections.abc import Mapping

from luxport_conformance.operation_examples.example import COUNTER, KEY, OverrideExample, draw

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "alpha_dropout": (OverrideExample((draw(5, 7), KEY, COUNTER), {"p": 0.4}),),
    "dropout": (
        OverrideExample((draw(5, 7), KEY, COUNTER), {"p": 0.4}),
        OverrideExample((draw(5, 7), KEY, COUNTER), {"p": 0.4, "axes": (0,)}),
    ),
    "keep_mask": (OverrideExample((KEY, COUNTER), {"shape": (3, 5), "p": 0.3}),),
}
