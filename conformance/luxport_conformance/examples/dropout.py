"""Examples of the layers in `luxport.layers._dropout`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "AlphaDropout": (Example(layer=luxport.AlphaDropout(0.4), x=(6, 7), states=2),),
    "Dropout": (
        Example(layer=luxport.Dropout(0.4), x=(6, 7), states=2),
        Example(layer=luxport.Dropout(0.5, axes=(0, 1)), x=(6, 5, 3), states=2),
    ),
    "VariationalHiddenDropout": (
        Example(layer=luxport.VariationalHiddenDropout(0.4), x=(6, 7), states=3),
        Example(layer=luxport.VariationalHiddenDropout(0.5, axes=1), x=(6, 5), states=3),
    ),
}
