"""Examples of the layers in `luxport.layers._alternate_precision`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, tolerate_sum

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "AlternatePrecision": (
        Example(
            layer=luxport.AlternatePrecision(
                luxport.Chain(luxport.BatchNorm(3), luxport.Dense(3, 2), luxport.Dropout(0.5)), "float32"
            ),
            x=(5, 3),
            parameters=(3 + 3) + (3 * 2 + 2),
            states=(3 + 3 + 1) + 2,
            tolerance=tolerate_sum(5 * 3 + 3),
            dtypes=("float16", "bfloat16", "float32"),
        ),
    )
}
