"""Examples of the operations in `luxport.ops.observe`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luxport_conformance.operation_examples.example import OverrideExample, draw


def look(x: Any) -> None:
    """Check the shape of the observed array."""
    assert x.shape == (3, 4)


OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "observe": (OverrideExample((draw(3, 4),), {"forward": look, "backward": look}),)
}
