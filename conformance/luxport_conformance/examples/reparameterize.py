"""Examples of the layers in `luxport.layers._reparameterize`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, tolerate_sum

# Weights of nearly rank one, for which a few power iterations find the singular vector. At the exact vector the
# singular value does not depend on it to first order, so finite differences agree with the gradient, which ignores it.
NEARLY_ONES = luxport.initializers.uniform(low=1.0, high=1.1)

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "SpectralNorm": (
        Example(
            layer=luxport.SpectralNorm(luxport.Dense(3, 2, init_weight=NEARLY_ONES), iterations=6),
            x=(4, 3),
            parameters=3 * 2 + 2,
            states=2 + 1,
            tolerance=tolerate_sum(3 + 6),
        ),
        Example(
            layer=luxport.SpectralNorm(luxport.Conv((1, 2), 1, 3, init_weight=NEARLY_ONES), iterations=6),
            x=(2, 1, 3, 3),
            parameters=3 * 2 + 3,
            states=3 + 1,
            tolerance=tolerate_sum(3 + 6),
        ),
    ),
    "WeightNorm": (
        Example(
            layer=luxport.WeightNorm(luxport.Dense(3, 2)),
            x=(4, 3),
            parameters=3 * 2 + 2 + 2,
            tolerance=tolerate_sum(2 * 3),
        ),
        Example(
            layer=luxport.WeightNorm(luxport.Conv((2, 2), 2, 3), axes=1),
            x=(2, 2, 3, 3),
            parameters=3 * 2 * 4 + 3 + 2,
            tolerance=tolerate_sum(3 * 2 * 4),
        ),
    ),
}
