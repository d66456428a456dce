"""Examples of the layers in `luxport.layers._pooling`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, tolerate_sum

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "MaxPool": (
        Example(layer=luxport.MaxPool((2, 2)), x=(2, 3, 5, 6)),
        Example(layer=luxport.MaxPool((3, 2), stride=(1, 2), padding=((1, 0), (0, 1)), dilation=2), x=(2, 2, 6, 7)),
        Example(layer=luxport.MaxPool((3,), stride=2, padding=luxport.SamePad()), x=(2, 2, 7)),
    ),
    "MeanPool": (
        Example(layer=luxport.MeanPool((2, 2)), x=(2, 3, 5, 6), tolerance=tolerate_sum(4)),
        Example(
            layer=luxport.MeanPool((3, 2), stride=(1, 2), padding=((1, 0), (0, 1)), count_include_pad=False),
            x=(2, 2, 6, 7),
            tolerance=tolerate_sum(6),
        ),
        Example(layer=luxport.MeanPool((2, 1, 2), padding=(1, 0, 1)), x=(2, 1, 3, 2, 3), tolerance=tolerate_sum(4)),
    ),
    "LPPool": (
        Example(layer=luxport.LPPool((2, 2)), x=(2, 3, 5, 4), tolerance=tolerate_sum(4)),
        Example(layer=luxport.LPPool((2,), stride=1, padding=((1, 0),), p=4), x=(2, 2, 5), tolerance=tolerate_sum(4)),
    ),
    "GlobalMaxPool": (Example(layer=luxport.GlobalMaxPool(), x=(2, 3, 3, 4)),),
    "GlobalMeanPool": (Example(layer=luxport.GlobalMeanPool(), x=(2, 3, 3, 4), tolerance=tolerate_sum(12)),),
    "GlobalLPPool": (Example(layer=luxport.GlobalLPPool(), x=(2, 3, 5), tolerance=tolerate_sum(5)),),
    "AdaptiveMaxPool": (
        Example(layer=luxport.AdaptiveMaxPool((2, 3)), x=(2, 2, 5, 6)),
        Example(layer=luxport.AdaptiveMaxPool((3, 2), variable_windows=True), x=(2, 2, 5, 4)),
    ),
    "AdaptiveMeanPool": (
        Example(layer=luxport.AdaptiveMeanPool((2, 3)), x=(2, 2, 5, 6), tolerance=tolerate_sum(6)),
        Example(
            layer=luxport.AdaptiveMeanPool((3, 2), variable_windows=True), x=(2, 2, 5, 4), tolerance=tolerate_sum(6)
        ),
    ),
    "AdaptiveLPPool": (
        Example(layer=luxport.AdaptiveLPPool((2,)), x=(2, 2, 5), tolerance=tolerate_sum(3)),
        Example(layer=luxport.AdaptiveLPPool((3,), variable_windows=True, p=4), x=(2, 2, 5), tolerance=tolerate_sum(4)),
    ),
}
