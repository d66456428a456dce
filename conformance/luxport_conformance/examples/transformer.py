"""Examples of the layers in `luxport.layers._transformer`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.compare import Tolerance
from luxport_conformance.examples.example import Example, Flags

ROUNDED = Tolerance(reduction=4 + 4 + 6 + 4 + 4, magnitude=4.0)  # norms divide sums that partly cancel

CROSSED = Tolerance(reduction=ROUNDED.reduction + 4 + 4 + 5 + 4, magnitude=4.0)  # cross-attention adds its sums

# One example of each is enough: the layers inside have their own examples, and cases test every option.
EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "TransformerEncoderLayer": (
        Example(
            layer=luxport.TransformerEncoderLayer(4, 6, luxport.tanh, nheads=2, dropout_probability=0.2),
            x=((2, 3, 4), Flags((2, 1, 3, 3))),
            parameters=4 * (4 * 4 + 4) + (4 * 6 + 6) + (6 * 4 + 4) + 2 * 8,
            states=4 * 2,
            tolerance=ROUNDED,
        ),
    ),
    "TransformerDecoderLayer": (
        Example(
            layer=luxport.TransformerDecoderLayer(4, 6, luxport.tanh, nheads=2, is_causal=True, norm_first=True),
            x=((2, 3, 4), (2, 5, 4)),
            parameters=8 * (4 * 4 + 4) + (4 * 6 + 6) + (6 * 4 + 4) + 3 * 8,
            tolerance=CROSSED,
        ),
    ),
}
