"""Examples of the layers in `luxport.layers._upsample`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, tolerate_sum

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "Upsample": (
        Example(layer=luxport.Upsample((2, 3)), x=(2, 2, 3, 2)),
        Example(layer=luxport.Upsample((1.5, 2), "bilinear"), x=(2, 2, 3, 2), tolerance=tolerate_sum(4)),
        Example(
            layer=luxport.Upsample(mode="linear", size=7, align_corners=False), x=(2, 2, 4), tolerance=tolerate_sum(2)
        ),
    ),
    "PixelShuffle": (
        Example(layer=luxport.PixelShuffle(2), x=(2, 8, 2, 3)),
        Example(layer=luxport.PixelShuffle(3), x=(2, 6, 2)),
    ),
}
