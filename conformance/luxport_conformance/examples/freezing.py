"""Examples of the layers in `luxport.layers._freezing`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, tolerate_sum

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "FrozenLayer": (
        Example(
            layer=luxport.FrozenLayer(
                luxport.Chain(luxport.BatchNorm(3), luxport.Dense(3, 4), luxport.Dropout(0.5)),
                ("layer_1", "layer_2.weight"),
            ),
            x=(5, 3),
            parameters=4,
            states=(3 + 3 + 3 * 4) + (3 + 3 + 1) + 2,
            tolerance=tolerate_sum(3 * 5),
        ),
    )
}
