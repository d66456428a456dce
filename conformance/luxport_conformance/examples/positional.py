"""Examples of the layers in `luxport.layers._positional`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, Indices

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "SinusoidalPositionalEmbedding": (
        Example(layer=luxport.SinusoidalPositionalEmbedding(6, full_turns=True), x=(2, 3), states=3),
    ),
    "RotaryPositionalEmbedding": (
        Example(layer=luxport.RotaryPositionalEmbedding(4, max_sequence_length=5), x=(2, 3, 2, 4), states=2 * 5 * 2),
        Example(
            layer=luxport.RotaryPositionalEmbedding(4, max_sequence_length=5, base=100, low_memory_variant=False),
            x=((2, 3, 1, 6), Indices((2, 3), below=5)),
            states=2 * 5 * 4,
        ),
    ),
}
