"""Examples of the layers in `luxport.layers._parallel` and `luxport.layers._pairwise`."""

import operator
from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, double, tolerate_sum

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "Parallel": (
        Example(
            layer=luxport.Parallel(operator.mul, luxport.Dense(3, 2, luxport.tanh), double),
            x=((5, 3), (5, 2)),
            parameters=3 * 2 + 2,
            tolerance=tolerate_sum(3),
        ),
        Example(
            layer=luxport.Parallel(luxport.Bilinear((2, 3), 2), a=luxport.Dense(3, 2), b=luxport.Dropout(0.5)),
            x=(5, 3),
            parameters=(3 * 2 + 2) + (3 * 2 * 2 + 2),
            states=2,
            tolerance=tolerate_sum(3 + 6),
        ),
    ),
    "BranchLayer": (
        Example(
            layer=luxport.BranchLayer(luxport.Scale(3), luxport.NoOpLayer(), fusion=luxport.Bilinear(3, 2)),
            x=(5, 3),
            parameters=(3 + 3) + (3 * 3 * 2 + 2),
            tolerance=tolerate_sum(9),
        ),
    ),
    "SkipConnection": (
        Example(
            layer=luxport.SkipConnection(luxport.Dense(3, 2), luxport.Bilinear((2, 3), 2)),
            x=(5, 3),
            parameters=(3 * 2 + 2) + (3 * 2 * 2 + 2),
            tolerance=tolerate_sum(3 + 6),
        ),
    ),
    "Maxout": (
        Example(
            layer=luxport.Maxout(luxport.Dense(3, 4), luxport.Dense(3, 4), luxport.Dense(3, 4)),
            x=(5, 3),
            parameters=3 * (3 * 4 + 4),
            tolerance=tolerate_sum(3),
        ),
    ),
    "PairwiseFusion": (
        Example(
            layer=luxport.PairwiseFusion(operator.mul, luxport.Dense(2, 3), luxport.Dense(3, 2, luxport.tanh)),
            x=((5, 2), (5, 3)),
            parameters=(2 * 3 + 3) + (3 * 2 + 2),
            tolerance=tolerate_sum(2 + 3),
        ),
    ),
    "PairwiseFold": (
        Example(
            layer=luxport.PairwiseFold(operator.sub, luxport.Dense(2, 3), luxport.Dense(3, 2, luxport.tanh)),
            x=((5, 2), (5, 3), (5, 2)),
            parameters=(2 * 3 + 3) + (3 * 2 + 2),
            tolerance=tolerate_sum(2 + 3),
        ),
    ),
}
