"""Cases of the accuracy of `tanh_fast` and `sigmoid_fast`: NNlib's bounds, in units in the last place."""

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
# Every 50th of the 50,000 points of NNlib's test, because exact values are slow to compute.
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
    """Return the property that the mean and the largest error, in units in the last place, keep the dtype's limits."""

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
        traces=False,  # the suite compiles with fewer optimizations than users do, which gives less exact instructions
    )


# In float64 the mean error of tanh in XLA and Eigen is 0.7; that of NNlib's approximation is below 0.2.
OF_TANH = {"float64": (1.0, 5), "float32": (0.8, 5)}
# In float32 TensorFlow's sigmoid has a mean error of 1.3 and a largest of 5; NumPy's formula has a largest of 3.
OF_SIGMOID, OF_SIGMOID_BELOW_0 = (
    {"float64": (0.5, 5), "float32": (0.5, 2)},
    {"float64": (0.6, 5), "float32": (1.5, 5)},
)

CASES: list[Case] = [
    _check_accuracy("tanh", _tanh, (254, 257, 289, 290, 292, 293), OF_TANH, OF_TANH),
    _check_accuracy("sigmoid", _sigmoid, (266, 267, 272, 273, 302, 303), OF_SIGMOID, OF_SIGMOID_BELOW_0),
]
