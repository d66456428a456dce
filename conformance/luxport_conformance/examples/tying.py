"""Examples of the layers in `luxport.layers._tying`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, tolerate_sum

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "Tied": (
        Example(
            layer=luxport.Tied(
                luxport.Chain(luxport.Dense(3, 3, luxport.tanh), luxport.Dense(3, 3), luxport.Scale(3)),
                (("layer_1.weight", "layer_2.weight"), ("layer_2.bias", "layer_3.weight")),  # type: ignore[arg-type]
            ),
            x=(5, 3),
            parameters=(3 * 3 + 3) + 3 + 3,
            tolerance=tolerate_sum(3 + 3),
        ),
    )
}
