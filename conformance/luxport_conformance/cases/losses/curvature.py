"""Cases of second derivatives of losses: by differences at ordinary numbers, and by formulas at special ones."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import luxport
from luxport import losses
from luxport.backend import get_backend
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program
from luxport_conformance.compare import Tolerance

INF = np.inf
_A = np.array([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]])
_B = np.array([[0.6, 0.3, 0.1], [0.25, 0.35, 0.4]])
_SIGNS = np.array([[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]])
_LABELS = np.array([2, 0], np.int32)
_FAR = np.array([[3.0, -0.2, 0.4], [-2.0, 1.5, 0.1]])
_STEPS = np.stack([_FAR, _FAR[::-1] + 0.5, _FAR * _B])

# The name of each public loss: arrays at which it is smooth.
ORDINARY: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("mse", "mae", "siamese_contrastive_loss", "dice_coeff_loss", "tversky_loss"), (_A, _B)),
    **dict.fromkeys(("crossentropy", "binarycrossentropy", "kldivergence", "focal_loss"), (_A, _B)),
    **dict.fromkeys(("binary_focal_loss", "poisson_loss", "msle", "cosine_similarity_loss"), (_A, _B)),
    **dict.fromkeys(("logitcrossentropy", "logitbinarycrossentropy", "huber_loss"), (_FAR, _B)),
    **dict.fromkeys(("hinge_loss", "squared_hinge_loss"), (_FAR, _SIGNS)),
    **dict.fromkeys(("sparse_logitcrossentropy", "nll_loss"), (_FAR, _LABELS)),
    "sparse_crossentropy": (_A, _LABELS),
    "gaussian_nll": (_FAR, _A, _B),
    "triplet_margin_loss": (_A, _FAR, _B),
    "ctc_loss": (_STEPS, np.array([[1], [0], [1]], np.int32)),
}
if missing := {name for name in losses.__all__ if name.islower()} - {*ORDINARY, "label_smoothing"}:
    raise AssertionError(f"second derivatives of {missing} are missing")


def _make_direction(array: Any, position: int) -> Any:
    return np.cos(np.arange(array.size) + position).reshape(array.shape)


def _differentiate_along(name: str, arrays: tuple[Any, ...], directions: tuple[Any, ...]) -> Any:
    """Return the second derivative of a loss along a direction in all of its floating arrays."""
    xp = luxport.namespace(*arrays)
    places = [i for i, array in enumerate(arrays) if "float" in str(array.dtype)]
    moves = [directions[i] for i in places]

    def compute_loss(*moved: Any) -> Any:
        given = list(arrays)
        for place, array in zip(places, moved, strict=True):
            given[place] = array
        return getattr(losses, name)(*given, agg="sum")

    def sum_products(values: Any) -> Any:
        products = [xp.sum(value * move) for value, move in zip(values, moves, strict=True)]
        return sum(products[1:], start=products[0])

    every = tuple(range(len(places)))
    floating = [arrays[i] for i in places]
    return sum_products(
        luxport.grad(lambda *moved: sum_products(luxport.grad(compute_loss, every)(*moved)), every)(*floating)
    )


def _compute_all(*leaves: Any) -> dict[str, Any]:
    given, found = iter(leaves), {}
    for name, arrays in ORDINARY.items():
        pairs = [(next(given), next(given)) for _ in arrays]
        found[name] = _differentiate_along(name, tuple([a for a, _ in pairs]), tuple([d for _, d in pairs]))
    return found


_H = 2.0**-9


def _expect_by_differences(*leaves: Any) -> dict[str, Any]:
    """Estimate second derivatives by five values in float64, with errors of about 1e-16 / h² = 4e-11 and h⁴ = 1e-11."""
    given, found, strict = iter(leaves), {}, get_backend("strict")
    for name, arrays in ORDINARY.items():
        pairs = [(next(given), next(given)) for _ in arrays]

        def compute_value(t: float, name: str = name, pairs: Any = pairs) -> float:
            moved = [a + t * _H * d if a.dtype.kind == "f" else a for a, d in pairs]
            return float(getattr(losses, name)(*[strict.asarray(a) for a in moved], agg="sum"))

        at = [compute_value(t) for t in (-2, -1, 0, 1, 2)]
        found[name] = np.array((-at[0] + 16 * at[1] - 30 * at[2] + 16 * at[3] - at[4]) / (12 * _H**2))
    return found


def _make_entry(loss: str, y_hat: list[Any], y: list[Any], expected: Any, **options: Any) -> tuple[Any, ...]:
    return partial(getattr(losses, loss), **options), np.array(y_hat), np.array(y), expected, loss


_E = 2.0**-7
_LABEL, _TWO = [0.0, 0.0, 1.0, 1.0, 0.5], [0.0, 1.0, 0.0, 1.0, 0.5]
_HIDDEN = [[0.0, -INF, 1.0], [50.0, -50.0, -INF]]
_P = np.exp(1.0) / (1.0 + np.exp(1.0))


def _derive_log(q: Any, y: Any) -> Any:
    return y / (q + _E) ** 2


def _derive_quotient(q: Any, y: Any) -> Any:
    return 2 * (1 - np.log((q + _E) / (y + _E))) / (q + _E) ** 2


def _derive_focal(q: Any, y: Any) -> Any:
    p = q + _E  # the loss is 0 where p is above 1
    return y * np.where(p < 1, -2 * np.log(p) + 4 * (1 - p) / p + (1 - p) ** 2 / p**2, 0.0)


def _derive_binary_focal(q: Any, y: Any) -> Any:
    return _derive_focal(q, y) + _derive_focal(np.maximum(1 - q - 2 * _E, 0.0), 1 - y)


# Formulas of losses with diagonal Hessians, where prediction and target are equal, 0, 1 or infinite.
SPECIAL = {
    f"{name} {number}": (f, y_hat, y, expected)
    for number, (f, y_hat, y, expected, name) in enumerate(
        (
            _make_entry("mse", [0.0, 1.0, 1e15, INF], [0.0, 1.0, -1e15, 1.0], lambda q, y: 2.0),
            _make_entry("mae", [0.0, 1.0, 1e30, INF, -INF], [0.0, 1.0, 1.0, 1.0, 1.0], lambda q, y: 0.0),
            _make_entry("huber_loss", [0.0, 0.5, 3.0, INF, -INF], [0.0] * 5, lambda q, y: np.abs(q) < 1),
            _make_entry("msle", _LABEL, _TWO, _derive_quotient, epsilon=_E),
            _make_entry("msle", [INF], [1.0], lambda q, y: 0.0),
            _make_entry("hinge_loss", [1.0, 0.0, INF, -INF], [1.0, -1.0, 1.0, 1.0], lambda q, y: 0.0),
            _make_entry("squared_hinge_loss", [0.0, -5.0, 5.0, INF], [1.0] * 4, lambda q, y: 2.0 * (q < 1)),
            _make_entry(
                "poisson_loss", [0.0, 1.0, 2.0, INF], [0.0, 0.0, 4.0, 3.0], lambda q, y: np.array([0, 0, 1, 0])
            ),
            _make_entry(
                "binarycrossentropy",
                _LABEL,
                _TWO,
                lambda q, y: _derive_log(q, y) + _derive_log(1 - q, 1 - y),
                epsilon=_E,
            ),
            _make_entry(
                "logitbinarycrossentropy",
                [0.0, 200.0, -200.0, INF, -INF],
                [0.5, 0.0, 1.0, 1.0, 0.0],
                lambda q, y: np.array([0.25, 0, 0, 0, 0]),
            ),
            _make_entry("crossentropy", [_LABEL], [_TWO], _derive_log, epsilon=_E),
            _make_entry("kldivergence", [_LABEL], [_TWO], _derive_log, epsilon=_E),
            _make_entry("focal_loss", [_LABEL], [_TWO], _derive_focal, epsilon=_E),
            _make_entry("binary_focal_loss", _LABEL[:4], _TWO[:4], _derive_binary_focal, epsilon=_E),
            _make_entry(
                "siamese_contrastive_loss",
                [0.0, 0.0, 0.5, 3.0, INF, INF],
                [0.0, 1.0, 1.0, 1.0, 1.0, 0.0],
                lambda q, y: np.where((y == 0) | (q < 1), 2.0, 0.0),
            ),
            _make_entry("dice_coeff_loss", [0.0, 0.0], [0.0, 0.0], lambda q, y: 2.0),
            _make_entry("logitcrossentropy", _HIDDEN, [[1.0, 0.0, 0.0]] * 2, lambda q, y: 0.0),
        )
    )
}


def _compute_diagonals(*pairs: Any) -> dict[str, Any]:
    given, found = iter(pairs), {}
    for name, (f, *_) in SPECIAL.items():
        y_hat, y = next(given), next(given)
        xp = luxport.namespace(y_hat)
        slope = luxport.grad(lambda y_hat, f=f, y=y: f(y_hat, y, agg="sum"))
        found[name] = luxport.grad(lambda y_hat, slope=slope, xp=xp: xp.sum(slope(y_hat)))(y_hat)
    return found


def _expect_by_formulas(*pairs: Any) -> dict[str, Any]:
    given = iter(pairs)
    return {
        name: np.broadcast_to(np.asarray(expected(q, y), np.float64), q.shape)
        for name, (_, _, _, expected) in SPECIAL.items()
        for q, y in [(next(given), next(given))]
    }


CASES: list[Case] = [
    check_program(
        "losses.curvature",
        ("differences of the definitions' values in float64",),
        _compute_all,
        {
            f"{name}_{place}_{what}": given
            for name, arrays in ORDINARY.items()
            for place, array in enumerate(arrays)
            for what, given in (("at", array), ("along", _make_direction(array, place)))
        },
        expected=_expect_by_differences,
        tolerance=Tolerance(
            factor=64.0, rounding=1e-6, reason="second derivatives of logarithms near 0, and differences of five values"
        ),
        dtypes=("float32",),
        differentiates=True,
        compiles=False,
    ),
    check_program(
        "losses.curvature_at_edges",
        ("mathematics: the second derivatives of the formulas",),
        _compute_diagonals,
        {
            f"{name}_{what}": given
            for name, (_, *both, _) in SPECIAL.items()
            for what, given in zip(("y_hat", "y"), both, strict=True)
        },
        expected=_expect_by_formulas,
        tolerance=Tolerance(magnitude=1.0),
        dtypes=("float32",),
        differentiates=True,
        compiles=False,
    ),
]
