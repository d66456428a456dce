"""Examples of the layers in `luxport.layers._dense` and `luxport.layers._bilinear`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, tolerate_sum

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "Dense": (
        Example(layer=luxport.Dense(3, 2), x=(5, 3), parameters=3 * 2 + 2, tolerance=tolerate_sum(3)),
        Example(layer=luxport.Dense(3, 4, luxport.tanh), x=(5, 3), parameters=3 * 4 + 4, tolerance=tolerate_sum(3)),
        Example(
            layer=luxport.Dense(3, 2, luxport.relu, use_bias=False), x=(5, 3), parameters=6, tolerance=tolerate_sum(3)
        ),
        Example(
            layer=luxport.Dense(3, 2, luxport.sigmoid), x=(5, 4, 3), parameters=3 * 2 + 2, tolerance=tolerate_sum(3)
        ),
    ),
    "Scale": (
        Example(layer=luxport.Scale(3, luxport.tanh), x=(5, 3), parameters=3 + 3),
        Example(layer=luxport.Scale(2, 3, use_bias=False), x=(5, 2, 3), parameters=2 * 3),
    ),
    "Diagonal": (Example(layer=luxport.Diagonal(3), x=(5, 3), parameters=3 + 3),),
    "Bilinear": (
        Example(
            layer=luxport.Bilinear((3, 4), 2, luxport.tanh),
            x=((5, 3), (5, 4)),
            parameters=4 * 3 * 2 + 2,
            tolerance=tolerate_sum(3 * 4),
        ),
        Example(
            layer=luxport.Bilinear(3, 2, use_bias=False),
            x=(5, 2, 3),
            parameters=3 * 3 * 2,
            tolerance=tolerate_sum(3 * 3),
        ),
    ),
}
