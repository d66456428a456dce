"""Examples of the layers in `luxport.layers._conv`."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, tolerate_sum

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "Conv": (
        Example(layer=luxport.Conv((3, 2), 2, 4), x=(3, 2, 6, 5), parameters=6 * 2 * 4 + 4, tolerance=tolerate_sum(12)),
        Example(
            layer=luxport.Conv(
                (3, 4), 4, 2, luxport.tanh, stride=2, padding=((2, 0), (0, 1)), dilation=(2, 1), groups=2
            ),
            x=(2, 4, 7, 6),
            parameters=12 * 4 * 2 // 2 + 2,
            tolerance=tolerate_sum(24),
        ),
        Example(
            layer=luxport.Conv((4,), 3, 3, stride=2, padding=luxport.SamePad(), groups=3, use_bias=False),
            x=(2, 3, 7),
            parameters=4 * 3 * 3 // 3,
            tolerance=tolerate_sum(4),
        ),
        Example(
            layer=luxport.Conv((2, 1, 2), 1, 2), x=(2, 1, 3, 2, 3), parameters=4 * 2 + 2, tolerance=tolerate_sum(4)
        ),
        Example(
            layer=luxport.Conv((3, 2), 2, 2, padding=luxport.SamePad(), padding_mode="reflect"),
            x=(2, 2, 4, 3),
            parameters=6 * 2 * 2 + 2,
            tolerance=tolerate_sum(12),
        ),
        Example(
            layer=luxport.Conv((3,), 2, 2, padding=((1, 2),), padding_mode="circular"),
            x=(2, 2, 4),
            parameters=3 * 2 * 2 + 2,
            tolerance=tolerate_sum(6),
        ),
        Example(  # with a single input channel a backend may compute a matrix product instead
            layer=luxport.Conv((3, 2), 1, 3, padding=((2, 0), (0, 1))),
            x=(2, 1, 4, 3),
            parameters=6 * 3 + 3,
            tolerance=tolerate_sum(6),
        ),
    ),
    "ConvTranspose": (
        Example(
            layer=luxport.ConvTranspose((3, 2), 2, 4),
            x=(2, 2, 4, 3),
            parameters=6 * 2 * 4 + 4,
            tolerance=tolerate_sum(12),
        ),
        Example(
            layer=luxport.ConvTranspose(
                *((3, 2), 4, 2, luxport.tanh),
                stride=(2, 3),
                padding=((2, 0), (0, 1)),
                output_padding=(1, 0),
                dilation=(1, 2),
                groups=2,
                cross_correlation=True,
            ),
            x=(2, 4, 3, 2),
            parameters=6 * 4 * 2 // 2 + 2,
            tolerance=tolerate_sum(24),
        ),
        Example(
            layer=luxport.ConvTranspose((4,), 3, 3, stride=2, padding=luxport.SamePad(), groups=3, use_bias=False),
            x=(2, 3, 4),
            parameters=4 * 3 * 3 // 3,
            tolerance=tolerate_sum(4),
        ),
        Example(
            layer=luxport.ConvTranspose((2, 1, 2), 1, 2, stride=(1, 2, 3)),
            x=(2, 1, 2, 2, 2),
            parameters=4 * 2 + 2,
            tolerance=tolerate_sum(4),
        ),
    ),
    "CrossCor": (
        Example(
            layer=luxport.CrossCor((3, 2), 2, 4), x=(3, 2, 6, 5), parameters=6 * 2 * 4 + 4, tolerance=tolerate_sum(12)
        ),
    ),
    "DepthwiseConv": (
        Example(
            layer=luxport.DepthwiseConv((2, 3), 2, 4), x=(2, 2, 4, 4), parameters=6 * 4 + 4, tolerance=tolerate_sum(6)
        ),
    ),
}
