"""An example or more of every public layer: what the laws are tried on.

A layer that is public has an example here, or the suite fails. Counts are written out from the formulas of Lux's
documentation (a Dense has in x out + out parameters), not asked of the layer.
"""

from collections.abc import Mapping

from luxport_conformance.discovery import merge_tables
from luxport_conformance.examples.example import Example, Flags, Indices

__all__ = ["EXAMPLES", "Example", "Flags", "Indices"]

EXAMPLES: Mapping[str, tuple[Example, ...]] = merge_tables(__name__, "EXAMPLES")
