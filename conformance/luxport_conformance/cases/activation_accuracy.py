"""Cases of how exact `tanh_fast` and `sigmoid_fast` are: NNlib's bounds, in steps from one number to the next."""

from __future__ import annotations

import functools
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import numpy as np

from luxport.ops import activations
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import check_function, cite

FILE = "nnlib:activations.jl"
# Every 50th of upstream's 50,000 places: exact values take long.
PLACES = np.arange(1e-6, 5.0, 50e-4)


def _tanh(x: Decimal) -> Decimal:
    square = (2 * x).exp()
    return (square - 1) / (square + 1)


def _sigmoid(x: Decimal) -> Decimal:
    return 1 / (1 + (-x).exp())


@functools.cache
def _compute_exactly(f: Callable[[Decimal], Decimal], x: tuple[float, ...]) -> Any:
    with localcontext(prec=40):
        return np.array([float(f(Decimal(place))) for place in x])


def _expect_within(exact: Any, limits: dict[str, tuple[float, int]]) -> Property:
    """Expect a mean number of steps below, and a largest one at most, the limits of the dtype."""

    def holds(y: Any) -> bool:
        bits = {4: np.int32, 8: np.int64}[y.dtype.itemsize]
        steps = np.abs(y.view(bits).astype(np.int64) - exact.astype(y.dtype).view(bits))
        mean, largest = limits[y.dtype.name]
        return bool(steps.mean() < mean and steps.max() <= largest)

    return Property(f"steps from the exact numbers within (mean, largest) {limits}", holds)


def _check_accuracy(name: str, f: Callable[[Decimal], Decimal], lines: tuple[int, ...], *limits: Any) -> Case:
    operation = getattr(activations, f"{name}_fast")

    def expected(x0: Any) -> Any:
        places = tuple(x0.tolist())
        return tuple(
            [
                _expect_within(_compute_exactly(f, tuple([sign * x for x in places])), limits[i])
                for i, sign in enumerate((1, -1))
            ]
        )

    return check_function(
        f"{name}_fast.accuracy",
        cite(FILE, *lines),
        lambda x: (operation(x), operation(-x)),
        PLACES,
        subject=f"{name}_fast",
        expected=expected,
        traces=False,  # the suite's quick compilers choose less exact instructions than those that users get
    )


# In float64 the mean is 0.7 where XLA or Eigen computes it; upstream's own approximation stays below 0.2.
OF_TANH = {"float64": (1.0, 5), "float32": (0.8, 5)}
# In float32 TensorFlow's own is off by 1.3 in the mean, and by 5; NumPy's formula by 3.
OF_SIGMOID, OF_SIGMOID_BELOW_0 = (
    {"float64": (0.5, 5), "float32": (0.5, 2)},
    {"float64": (0.6, 5), "float32": (1.5, 5)},
)

CASES: list[Case] = [
    _check_accuracy("tanh", _tanh, (254, 257, 289, 290, 292, 293), OF_TANH, OF_TANH),
    _check_accuracy("sigmoid", _sigmoid, (266, 267, 272, 273, 302, 303), OF_SIGMOID, OF_SIGMOID_BELOW_0),
]
