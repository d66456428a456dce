"""Cases of `GaussianNoise` and `GaussianDropout`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import luxport
from luxport import GaussianDropout, GaussianNoise, NoOpLayer, ops
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import check_error, check_output, draw
from luxport_conformance.compare import Tolerance

THOUSAND = draw(1000)
DOCUMENTED = ("keras: the identity in testing, and noise of this deviation in training",)
# The limits are four standard errors of the mean and of the deviation of a thousand numbers.
AROUND = "a mean of {} and a deviation of {}"

# The noise is float32, and the logarithms of backends differ in their last bits.
DRAWN: dict[str, Any] = {"dtypes": ("float32",), "tolerance": Tolerance(reduction=4)}


def _expect_noise(mean: float, std: float) -> Property:
    error = std / math.sqrt(1000)
    return Property(
        AROUND.format(mean, std), lambda y: abs(y.mean() - mean) < 4 * error and abs(y.std() - std) < 3 * error
    )


def _draw(st: Any) -> Any:
    return ops.normal(st["rng"]["key"], st["rng"]["counter"], shape=(1000,))


_SHARE = "keras: a deviation of sqrt(p / (1 - p)) around 1"

CASES: list[Case] = [
    *[
        check_output(id, DOCUMENTED, layer, THOUSAND, y=THOUSAND)
        for id, layer in (("gaussian_noise.test", GaussianNoise(0.5)), ("gaussian_dropout.test", GaussianDropout(0.5)))
    ],
    *[
        check_output(id, source, layer, np.full(1000, mean), training=True, y=_expect_noise(mean, std))
        for id, source, layer, mean, std in (
            ("gaussian_noise.deviation", DOCUMENTED, GaussianNoise(2.5), 7.0, 2.5),
            ("gaussian_dropout.deviation", (_SHARE,), GaussianDropout(0.2), 3.0, 1.5),
        )
    ],
    *[
        check_output(id, (source,), layer, THOUSAND, training=True, y=formula, **DRAWN)
        for id, source, layer, formula in (
            (
                "gaussian_noise.values",
                "formula: x + std noise",
                GaussianNoise(0.5),
                lambda x, ps, st: x + 0.5 * _draw(st),
            ),
            (
                "gaussian_dropout.values",
                "formula: x (1 + sqrt(p / (1 - p)) noise)",
                GaussianDropout(0.2),
                lambda x, ps, st: x * (1.0 + 0.5 * _draw(st)),
            ),
        )
    ],
]

for kind, wrong, text in (
    (GaussianNoise, -0.5, "GaussianNoise expects a standard deviation of at least 0, got -0.5"),
    (GaussianNoise, float("inf"), "GaussianNoise expects std as a finite number, got inf"),
    (GaussianDropout, 1.0, r"GaussianDropout expects a probability in \[0, 1\), got 1.0"),
):
    CASES.append(
        check_error(
            f"{kind.__name__}.refuses_{wrong}",
            ("definition: there is no such noise",),
            lambda kind=kind, wrong=wrong: kind(wrong),
            subject=kind.__name__,
            raises=ValueError,
            message=text,
        )
    )
for kind in (GaussianNoise, GaussianDropout):
    CASES.append(
        check_output(
            f"{kind.__name__}.none",
            ("definition: without noise there is no layer",),
            luxport.Chain(kind(0), NoOpLayer()),
            THOUSAND,
            training=True,
            y=THOUSAND,
            subject=kind.__name__,
        )
    )
