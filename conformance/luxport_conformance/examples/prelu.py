"""Examples of the layer in `luxport.layers._prelu`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "PReLU": (
        Example(layer=luxport.PReLU(), x=(5, 3), parameters=1),
        Example(layer=luxport.PReLU(3), x=(2, 3, 4), parameters=3),
        Example(layer=luxport.PReLU((1, 4)), x=(2, 3, 4), parameters=4),
    )
}
