"""Examples of the operations in `luxport.ops._rotary`."""

from __future__ import annotations

from collections.abc import Mapping

from luxport_conformance.operation_examples.example import OverrideExample, draw

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "apply_rotary_embedding": (OverrideExample((draw(2, 3, 2, 4), draw(5, 2), draw(5, 2, seed=4))),)
}
