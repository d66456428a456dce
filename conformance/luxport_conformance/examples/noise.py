"""Examples of the layers in `luxport.layers._noise`."""

from collections.abc import Mapping
from typing import Any

import luxport
from luxport_conformance.compare import Tolerance
from luxport_conformance.examples.example import Example

# The noise is float32 for an input of float64, too, and backends differ in the last bits of their logarithms.
_DRAWN: dict[str, Any] = {"dtypes": ("float16", "bfloat16", "float32"), "tolerance": Tolerance(reduction=8)}

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "GaussianDropout": (Example(layer=luxport.GaussianDropout(0.4), x=(6, 7), states=2, **_DRAWN),),
    "GaussianNoise": (Example(layer=luxport.GaussianNoise(0.3), x=(6, 7), states=2, **_DRAWN),),
}
