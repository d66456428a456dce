"""Examples of every public layer, on which the laws are checked.

A test fails if a public layer has no example here. The counts of parameters are written out from the formulas of
Lux's documentation (a Dense has in x out + out parameters), and not computed by the layer.
"""

from collections.abc import Mapping

from luxport_conformance.discovery import merge_tables
from luxport_conformance.examples.example import Example, Flags, Indices

__all__ = ["EXAMPLES", "Example", "Flags", "Indices"]

EXAMPLES: Mapping[str, tuple[Example, ...]] = merge_tables(__name__, "EXAMPLES")
