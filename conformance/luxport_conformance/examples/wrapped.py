"""Examples of the layers in `luxport.layers._function_layers`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, double

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "NoOpLayer": (Example(layer=luxport.NoOpLayer(), x=(5, 3)),),
    "WrappedFunction": (Example(layer=luxport.WrappedFunction(double), x=(5, 3)),),
}
