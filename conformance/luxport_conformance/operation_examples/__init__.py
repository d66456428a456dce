"""Examples of every operation, on which a backend's own version is held against the definition."""

from collections.abc import Mapping

from luxport_conformance.discovery import merged_in
from luxport_conformance.operation_examples.example import OverrideExample

__all__ = ["OPERATIONS", "OverrideExample"]

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = merged_in(__name__, "OPERATIONS")
