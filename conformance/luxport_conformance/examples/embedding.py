"""Examples of the layers in `luxport.layers._embedding`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, Flags, Indices, tolerate_sum

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "Embedding": (
        Example(
            layer=luxport.Embedding(4, 3, padding_idx=1),
            x=Indices((5, 2), 4),
            parameters=4 * 3,
            tolerance=tolerate_sum(10),
        ),
        Example(
            layer=luxport.Embedding((2, 3), 2),
            x=(Indices((5, 2), 2), Indices((5, 2), 3)),
            parameters=2 * 3 * 2,
            tolerance=tolerate_sum(10),
        ),
        Example(
            layer=luxport.Embedding(4, 3, padding_idx=2), x=Flags((5, 4)), parameters=4 * 3, tolerance=tolerate_sum(4)
        ),
    ),
    "EmbeddingBag": (
        Example(layer=luxport.EmbeddingBag(6, 2), x=Indices((5, 3), 6), parameters=6 * 2, tolerance=tolerate_sum(15)),
        Example(layer=luxport.EmbeddingBag(3, 2, "sum"), x=(5, 2, 3), parameters=3 * 2, tolerance=tolerate_sum(6)),
    ),
}
