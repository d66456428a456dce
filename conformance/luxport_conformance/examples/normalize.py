"""Examples of the layers in `luxport.layers._normalize`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, tolerate_sum

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "BatchNorm": (
        Example(layer=luxport.BatchNorm(3), x=(6, 3), parameters=2 * 3, states=2 * 3 + 1, tolerance=tolerate_sum(6)),
        Example(
            layer=luxport.BatchNorm(2, luxport.relu, momentum=0.3, epsilon=0.1),
            x=(4, 2, 3, 3),
            parameters=2 * 2,
            states=2 * 2 + 1,
            tolerance=tolerate_sum(4 * 3 * 3),
        ),
        Example(layer=luxport.BatchNorm(3, affine=False), x=(6, 3, 2), states=2 * 3 + 1, tolerance=tolerate_sum(12)),
        Example(
            layer=luxport.BatchNorm(3, track_stats=False),
            x=(6, 3),
            parameters=2 * 3,
            states=1,
            tolerance=tolerate_sum(6),
            per_sample=False,  # without running statistics, test mode uses those of the batch
        ),
    ),
    "GroupNorm": (
        Example(layer=luxport.GroupNorm(6, 2), x=(3, 6), parameters=2 * 6, tolerance=tolerate_sum(3)),
        Example(
            layer=luxport.GroupNorm(4, 2, luxport.tanh, epsilon=0.1),
            x=(2, 4, 3, 2),
            parameters=2 * 4,
            tolerance=tolerate_sum(2 * 3 * 2),
        ),
        Example(layer=luxport.GroupNorm(3, 3, affine=False), x=(2, 3, 4), tolerance=tolerate_sum(4)),
    ),
    "InstanceNorm": (
        Example(layer=luxport.InstanceNorm(2, luxport.tanh), x=(3, 2, 5), states=1, tolerance=tolerate_sum(5)),
        Example(
            layer=luxport.InstanceNorm(3, affine=True, track_stats=True, momentum=0.3, epsilon=0.1),
            x=(2, 3, 3, 2),
            parameters=2 * 3,
            states=2 * 3 + 1,
            tolerance=tolerate_sum(2 * 3 * 2),
        ),
    ),
    "LayerNorm": (
        Example(layer=luxport.LayerNorm(5), x=(3, 5), parameters=2 * 5, tolerance=tolerate_sum(5)),
        Example(
            layer=luxport.LayerNorm((3, 2), luxport.tanh, epsilon=0.1),
            x=(4, 2, 3, 2),
            parameters=2 * 3 * 2,
            tolerance=tolerate_sum(3 * 2),
        ),
        Example(layer=luxport.LayerNorm(4, affine=False), x=(2, 3, 4), tolerance=tolerate_sum(4)),
        Example(layer=luxport.LayerNorm(4, use_bias=False), x=(2, 3, 4), parameters=4, tolerance=tolerate_sum(4)),
    ),
    "RMSNorm": (
        Example(layer=luxport.RMSNorm(5), x=(3, 5), parameters=5, tolerance=tolerate_sum(5)),
        Example(layer=luxport.RMSNorm((3, 2), affine=False, epsilon=0.1), x=(4, 3, 2), tolerance=tolerate_sum(3 * 2)),
    ),
}
