"""Examples of the layers in `luxport.layers._containers`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.compare import Tolerance
from luxport_conformance.examples.example import Example, double, tolerate_sum

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "Chain": (
        Example(
            layer=luxport.Chain(luxport.Dense(3, 4, luxport.tanh), double, luxport.Dense(4, 2)),
            x=(5, 3),
            parameters=(3 * 4 + 4) + (4 * 2 + 2),
            tolerance=Tolerance(3 + 4, magnitude=4.0),  # terms of 4 cancel to 0.4 in the first bias' gradient
        ),
        Example(
            layer=luxport.Chain(
                luxport.BatchNorm(3),
                luxport.Chain(inner=luxport.Dense(3, 4), drop=luxport.Dropout(0.5)),
                luxport.Scale(4),
            ),
            x=(5, 3),
            parameters=(3 + 3) + (3 * 4 + 4) + (4 + 4),
            states=(3 + 3 + 1) + 2,
            tolerance=tolerate_sum(5 * 3 + 3),
        ),
        Example(
            layer=luxport.Chain(
                luxport.Dense(4, 3),
                *[luxport.Chain(luxport.Dense(3, 3, luxport.tanh), luxport.BatchNorm(3), luxport.Dropout(0.5))] * 3,
                scan=True,
            ),
            x=(5, 4),
            parameters=(4 * 3 + 3) + 3 * ((3 * 3 + 3) + (3 + 3)),
            states=3 * ((3 + 3 + 1) + 2),
            # The gradient from a BatchNorm to the block before it is a sum of terms of order 1 that cancels to 0.04.
            tolerance=Tolerance(3 * (5 * 3 + 3), magnitude=1.0),
        ),
    ),
    "RepeatedLayer": (
        Example(
            layer=luxport.RepeatedLayer(luxport.Bilinear(2, 2, luxport.tanh), repeats=2, input_injection=True),
            x=(5, 2),
            parameters=2 * 2 * 2 + 2,
            tolerance=tolerate_sum(2 * 4),
        ),
    ),
}
