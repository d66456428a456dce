"""Examples of the layers in `luxport.layers.pooling`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, sum_of

__all__ = ["EXAMPLES"]

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "MaxPool": (
        Example(layer=luxport.MaxPool((2, 2)), x=(2, 3, 5, 6)),
        Example(layer=luxport.MaxPool((3, 2), stride=(1, 2), padding=((1, 0), (0, 1)), dilation=2), x=(2, 2, 6, 7)),
        Example(layer=luxport.MaxPool((3,), stride=2, padding=luxport.SamePad()), x=(2, 2, 7)),
    ),
    "MeanPool": (
        Example(layer=luxport.MeanPool((2, 2)), x=(2, 3, 5, 6), tolerance=sum_of(4)),
        Example(
            layer=luxport.MeanPool((3, 2), stride=(1, 2), padding=((1, 0), (0, 1)), count_include_pad=False),
            x=(2, 2, 6, 7),
            tolerance=sum_of(6),
        ),
        Example(layer=luxport.MeanPool((2, 1, 2), padding=(1, 0, 1)), x=(2, 1, 3, 2, 3), tolerance=sum_of(4)),
    ),
}
