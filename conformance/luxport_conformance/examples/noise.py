"""Examples of the layers in `luxport.layers._noise`."""

from collections.abc import Mapping
from typing import Any

import luxport
from luxport_conformance.compare import Tolerance
from luxport_conformance.examples.example import Example

# The noise is computed in float32 even for a float64 input, and the last bits of logarithms differ between backends.
_DRAWN: dict[str, Any] = {"dtypes": ("float16", "bfloat16", "float32"), "tolerance": Tolerance(reduction=8)}

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "GaussianDropout": (Example(layer=luxport.GaussianDropout(0.4), x=(6, 7), states=2, **_DRAWN),),
    "GaussianNoise": (Example(layer=luxport.GaussianNoise(0.3), x=(6, 7), states=2, **_DRAWN),),
}
