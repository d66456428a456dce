"""Examples of every operation, on which a backend's override is compared with the definition."""

from collections.abc import Mapping

from luxport_conformance.discovery import merge_tables
from luxport_conformance.operation_examples.example import OverrideExample

__all__ = ["OPERATIONS", "OverrideExample"]

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = merge_tables(__name__, "OPERATIONS")
