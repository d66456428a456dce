"""Examples of the layers in `luxport.layers.conv`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, sum_of

__all__ = ["EXAMPLES"]

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "Conv": (
        Example(layer=luxport.Conv((3, 2), 2, 4), x=(3, 2, 6, 5), parameters=6 * 2 * 4 + 4, tolerance=sum_of(12)),
        Example(
            layer=luxport.Conv(
                (3, 4), 4, 2, luxport.tanh, stride=2, padding=((2, 0), (0, 1)), dilation=(2, 1), groups=2
            ),
            x=(2, 4, 7, 6),
            parameters=12 * 4 * 2 // 2 + 2,
            tolerance=sum_of(24),
        ),
        Example(
            layer=luxport.Conv((4,), 3, 3, stride=2, padding=luxport.SamePad(), groups=3, use_bias=False),
            x=(2, 3, 7),
            parameters=4 * 3 * 3 // 3,
            tolerance=sum_of(4),
        ),
        Example(layer=luxport.Conv((2, 1, 2), 1, 2), x=(2, 1, 3, 2, 3), parameters=4 * 2 + 2, tolerance=sum_of(4)),
    ),
    "CrossCor": (
        Example(layer=luxport.CrossCor((3, 2), 2, 4), x=(3, 2, 6, 5), parameters=6 * 2 * 4 + 4, tolerance=sum_of(12)),
    ),
}
