"""Examples of the layers in `luxport.layers._reshape`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "FlattenLayer": (
        Example(layer=luxport.FlattenLayer(), x=(5, 2, 3, 4)),
        Example(layer=luxport.FlattenLayer(2), x=(5, 2, 3, 4)),
    ),
    "ReshapeLayer": (Example(layer=luxport.ReshapeLayer(3, -1), x=(5, 2, 6)),),
    "ReverseSequence": (Example(layer=luxport.ReverseSequence(), x=(5, 4, 3)),),
    "SelectDim": (
        Example(layer=luxport.SelectDim(1, 2), x=(5, 4, 3)),
        Example(layer=luxport.SelectDim(0, -1), x=(5, 4), per_sample=False),  # the output is a single sample
    ),
}
