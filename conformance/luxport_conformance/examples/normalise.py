"""Examples of the layers in `luxport.layers.normalise`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, sum_of

__all__ = ["EXAMPLES"]

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "BatchNorm": (
        Example(layer=luxport.BatchNorm(3), x=(6, 3), parameters=2 * 3, states=2 * 3 + 1, tolerance=sum_of(6)),
        Example(
            layer=luxport.BatchNorm(2, luxport.relu, momentum=0.3, epsilon=0.1),
            x=(4, 2, 3, 3),
            parameters=2 * 2,
            states=2 * 2 + 1,
            tolerance=sum_of(4 * 3 * 3),
        ),
        Example(layer=luxport.BatchNorm(3, affine=False), x=(6, 3, 2), states=2 * 3 + 1, tolerance=sum_of(12)),
        Example(
            layer=luxport.BatchNorm(3, track_stats=False),
            x=(6, 3),
            parameters=2 * 3,
            states=1,
            tolerance=sum_of(6),
            per_sample=False,  # without running statistics a test batch is normalised by its own
        ),
    ),
}
