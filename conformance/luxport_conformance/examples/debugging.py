"""Examples of the layers in `luxport.layers._debugging`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, tolerate_sum

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "DebugLayer": (
        Example(
            layer=luxport.DebugLayer(luxport.BatchNorm(3), ("layer_1",), infinities=True),
            x=(5, 3),
            parameters=3 + 3,
            states=3 + 3 + 1,
            tolerance=tolerate_sum(5),
        ),
    )
}
