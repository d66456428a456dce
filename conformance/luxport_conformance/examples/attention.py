"""Examples of the layers in `luxport.layers._attention`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.compare import Tolerance
from luxport_conformance.examples.example import Example, Flags, tolerate_sum

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "MultiHeadAttention": (
        Example(
            layer=luxport.MultiHeadAttention(4, nheads=2, is_causal=True, attention_dropout_probability=0.3),
            x=(3, 4, 4),
            parameters=4 * (4 * 4),
            states=2,
            tolerance=tolerate_sum(4 + 4 + 4 + 4),
        ),
        Example(
            layer=luxport.MultiHeadAttention((3, 2, 4), (4, 2), 3, nheads=2, use_bias=True, return_scores=False),
            x=((3, 3, 3), (3, 5, 2), (3, 5, 4), Flags((3, 1, 3, 5))),
            parameters=(3 * 4 + 4) + (2 * 4 + 4) + (4 * 2 + 2) + (2 * 3 + 3),
            tolerance=Tolerance(4 + 2 + 5 + 2, magnitude=1.0),  # the gradient of the keys' bias cancels to 0
        ),
    )
}
