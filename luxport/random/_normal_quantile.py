"""Quantiles and probabilities of the standard normal distribution, with the same bits on every machine."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

__all__ = ["standard_normal_cdf", "standard_normal_quantile"]


def standard_normal_quantile(p: Any) -> Any:
    """Return x with P(X <= x) = p for a standard normal X, in float64.

    Only additions, products, quotients and square roots of IEEE doubles are used, which are correctly rounded on every
    machine; logarithms of libraries are not, so there is one here.

    Shapes: p (...), float64 in (0, 1) -> x (...)
    Source: M. Wichura, "Algorithm AS 241: the percentage points of the normal distribution" (1988), PPND16

    >>> float(standard_normal_quantile(np.array(0.5)))
    0.0
    """
    q = p - 0.5
    central = np.abs(q) <= 0.425
    # Each branch is computed for all entries, outside its range at some point where it is finite.
    r = np.where(central, 0.180625 - q * q, 0.0)
    middle = q * _evaluate_polynomial(_A, r) / _evaluate_polynomial(_B, r)
    tail = np.where(central, 0.25, np.minimum(p, 1.0 - p))
    r = np.sqrt(-_log(tail))
    near = _evaluate_polynomial(_C, r - 1.6) / _evaluate_polynomial(_D, r - 1.6)
    far = _evaluate_polynomial(_E, r - 5.0) / _evaluate_polynomial(_F, r - 5.0)
    outer = np.where(r <= 5.0, near, far)
    return np.where(central, middle, np.where(q < 0, -outer, outer))


@functools.lru_cache(maxsize=256)
def standard_normal_cdf(x: float) -> float:
    """Return P(X <= x) for a standard normal X, found by searching where `standard_normal_quantile` is x.

    Error functions of libraries differ in the last bits between machines.

    >>> standard_normal_cdf(0.0)
    0.5
    """
    if x > 0:
        return 1.0 - standard_normal_cdf(-x)
    powers = np.ldexp(1.0, -np.arange(1, 1001))
    above = np.count_nonzero(standard_normal_quantile(powers) >= x)
    low = width = float(np.ldexp(1.0, -above - 1))
    for _ in range(6):  # each adds nine bits
        grid = low + width * (np.arange(512) / 512)
        low, width = float(grid[max(0, np.count_nonzero(standard_normal_quantile(grid) <= x) - 1)]), width / 512
    return low


def _log(x: Any) -> Any:
    """Return the natural logarithm: log(m 2^e) = e log 2 + 2 artanh((m - 1) / (m + 1))."""
    mantissa, exponent = np.frexp(x)
    small = mantissa < math.sqrt(0.5)
    mantissa = np.where(small, 2.0 * mantissa, mantissa)
    exponent = np.where(small, exponent - 1, exponent)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    series = _evaluate_polynomial([1.0 / (2 * k + 1) for k in range(13)], s * s)
    return exponent * math.log(2.0) + 2.0 * s * series


def _evaluate_polynomial(coefficients: list[float], x: Any) -> Any:
    value = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + coefficient
    return value


# The coefficients of PPND16: numerator and denominator for the center, the near tail and the far tail.
_A = [
    3.3871328727963666080,
    133.14166789178437745,
    1971.5909503065514427,
    13731.693765509461125,
    45921.953931549871457,
    67265.770927008700853,
    33430.575583588128105,
    2509.0809287301226727,
]


_B = [
    1.0,
    42.313330701600911252,
    687.18700749205790830,
    5394.1960214247511077,
    21213.794301586595867,
    39307.895800092710610,
    28729.085735721942674,
    5226.4952788528545610,
]


_C = [
    1.42343711074968357734,
    4.63033784615654529590,
    5.76949722146069140550,
    3.64784832476320460504,
    1.27045825245236838258,
    0.241780725177450611770,
    0.0227238449892691845833,
    0.000774545014278341407640,
]


_D = [
    1.0,
    2.05319162663775882187,
    1.67638483018380384940,
    0.689767334985100004550,
    0.148103976427480074590,
    0.0151986665636164571966,
    0.000547593808499534494600,
    1.05075007164441684324e-9,
]


_E = [
    6.65790464350110377720,
    5.46378491116411436990,
    1.78482653991729133580,
    0.296560571828504891230,
    0.0265321895265761230930,
    0.00124266094738807843860,
    2.71155556874348757815e-5,
    2.01033439929228813265e-7,
]


_F = [
    1.0,
    0.599832206555887937690,
    0.136929880922735805310,
    0.0148753612908506148525,
    0.000786869131145613259100,
    1.84631831751005468180e-5,
    1.42151175831644588870e-7,
    2.04426310338993978564e-15,
]
