"""An example or more of every public layer: what the laws are tried on.

A layer that is public has an example here, or the suite fails. Counts are written out from the formulas of Lux's
documentation (a Dense has in x out + out parameters), not asked of the layer.
"""

from collections.abc import Mapping

from luxport_conformance.examples import (
    attention,
    compacted,
    containers,
    conv,
    debugging,
    dense,
    dropout,
    embedding,
    freezing,
    normalize,
    parallel,
    pooling,
    positional,
    precision,
    recurrent,
    reparameterize,
    reshape,
    tying,
    upsample,
    wrapped,
)
from luxport_conformance.examples.example import Example, Flags, Indices

__all__ = ["EXAMPLES", "Example", "Flags", "Indices"]

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    **attention.EXAMPLES,
    **compacted.EXAMPLES,
    **containers.EXAMPLES,
    **conv.EXAMPLES,
    **debugging.EXAMPLES,
    **dense.EXAMPLES,
    **dropout.EXAMPLES,
    **freezing.EXAMPLES,
    **embedding.EXAMPLES,
    **normalize.EXAMPLES,
    **parallel.EXAMPLES,
    **pooling.EXAMPLES,
    **positional.EXAMPLES,
    **precision.EXAMPLES,
    **recurrent.EXAMPLES,
    **reparameterize.EXAMPLES,
    **reshape.EXAMPLES,
    **tying.EXAMPLES,
    **upsample.EXAMPLES,
    **wrapped.EXAMPLES,
}
