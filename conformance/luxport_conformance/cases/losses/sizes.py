"""Cases of losses of numbers whose squares, sums or quotients overflow or underflow in float32, by float64 formulas."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import luxport
from luxport import losses
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program
from luxport_conformance.compare import Tolerance

_SIZES = 2.0 ** np.array([60, -60, 100, -100])[:, None, None]
_DRAW = np.random.default_rng(5)
_A, _B, _C = _DRAW.uniform(0.25, 2.0, size=(3, 3, 4)).astype(np.float32).astype(np.float64)
_SIGNS = np.sign(_DRAW.normal(size=(3, 4)))
_FLAGS = (_DRAW.normal(size=(3, 4)) > 0) * 1.0
_ONES = np.ones_like(_SIZES)
_FAR, _NEAR = _A * _SIZES, _A * _ONES
_EPSILON = 2.0**-23  # float32's

Formula = Callable[..., tuple[Any, Any]]


class _At(NamedTuple):
    """A loss, its arrays, and a formula of its values and of its gradient with respect to the first array."""

    loss: Callable[..., Any]
    arrays: tuple[Any, ...]
    formula: Formula


def _take_norm(x: Any) -> Any:
    return np.sqrt(np.sum(x * x, axis=-1, keepdims=True))


def _derive_cosine(q: Any, y: Any) -> tuple[Any, Any]:
    (n, m), product = (np.maximum(_take_norm(x), _EPSILON) for x in (q, y)), np.sum(q * y, axis=-1, keepdims=True)
    cosine = product / n / m
    held = np.where(_take_norm(q) > _EPSILON, cosine * q / n / n, 0.0)
    return 1 - cosine[..., 0], held - y / n / m


def _derive_triplet(a: Any, p: Any, n: Any, epsilon: float = 1e-6) -> tuple[Any, Any]:
    apart = [a - x + epsilon for x in (p, n)]
    far = [_take_norm(x) for x in apart]
    value = far[0] - far[1] + 1
    return np.maximum(value, 0)[..., 0], np.where(value > 0, apart[0] / far[0] - apart[1] / far[1], 0.0)


def _derive_gaussian(q: Any, y: Any, variance: Any) -> tuple[Any, Any]:
    v = np.maximum(variance, 1e-6)
    return (np.log(v) + (q - y) / v * (q - y)) / 2, (q - y) / v


def _derive_logits(q: Any, y: Any) -> tuple[Any, Any]:
    shifted = q - np.max(q, axis=-1, keepdims=True)
    logarithms = shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))
    return -np.sum(y * logarithms, axis=-1), np.exp(logarithms) - y


def _derive_binary_logits(q: Any, y: Any) -> tuple[Any, Any]:
    right = np.exp(-np.abs(q))
    return np.maximum(q, 0) - y * q + np.log1p(right), np.where(q >= 0, 1, right) / (1 + right) - y


def _derive_dice(q: Any, y: Any) -> tuple[Any, Any]:
    over, under = 2 * np.sum(q * y) + 1, np.sum(q * q) + np.sum(y * y) + 1
    return 1 - over / under, 2 * (over / under * q - y) / under


def _derive_logarithm(q: Any, y: Any) -> tuple[Any, Any]:
    return -np.sum(y * np.log(q + _EPSILON), axis=-1), -y / (q + _EPSILON)


def _derive_divergence(q: Any, y: Any) -> tuple[Any, Any]:
    value, slope = _derive_logarithm(q, y)
    return value + np.sum(y * np.log(y), axis=-1), slope


def _derive_quotient(q: Any, y: Any) -> tuple[Any, Any]:
    logarithm = np.log((q + _EPSILON) / (y + _EPSILON))
    return logarithm**2, 2 * logarithm / (q + _EPSILON)


def _derive_hinge(q: Any, y: Any) -> tuple[Any, Any]:
    short = np.maximum(1 - q * y, 0)
    return short, -y * (short > 0)


def _derive_siamese(q: Any, y: Any) -> tuple[Any, Any]:
    short = np.maximum(1 - q, 0)
    return (1 - y) * q * q + y * short**2, 2 * ((1 - y) * q - y * short)


_HOT = np.eye(4)[[0, 3, 1]] * _ONES
_SHARES = (_B / np.sum(_B, axis=-1, keepdims=True)) * _ONES
_LABELS = np.array([[0, 3, 1]] * 4, np.int32)
_SIGNED = _SIGNS * _FAR
_HUNDREDS = 100.0 * _SIGNS * _NEAR

_ASKED = {
    "mse": _At(losses.mse, (_SIGNED, _B * _SIZES), lambda q, y: ((q - y) ** 2, 2 * (q - y))),
    "mae": _At(losses.mae, (_SIGNED, _B * _SIZES), lambda q, y: (np.abs(q - y), np.sign(q - y))),
    "huber": _At(
        losses.huber_loss,
        (_SIGNED, _B * _SIZES),
        lambda q, y: (np.where(np.abs(q - y) <= 1, (q - y) ** 2 / 2, np.abs(q - y) - 0.5), np.clip(q - y, -1, 1)),
    ),
    "msle": _At(losses.msle, (_FAR, _B * _ONES), _derive_quotient),
    "msle, y far": _At(losses.msle, (_NEAR, _B * _SIZES), _derive_quotient),
    "poisson": _At(losses.poisson_loss, (_FAR, _B * _SIZES), lambda q, y: (q - y * np.log(q), 1 - y / q)),
    "gaussian": _At(losses.gaussian_nll, (_SIGNED, _B * _SIZES, _C * _SIZES), _derive_gaussian),
    "gaussian, variance far": _At(losses.gaussian_nll, (_SIGNS * _NEAR, _B * _ONES, _C * _SIZES), _derive_gaussian),
    "crossentropy": _At(losses.crossentropy, (_FAR, _HOT), _derive_logarithm),
    "kldivergence": _At(losses.kldivergence, (_FAR, _SHARES), _derive_divergence),
    "logits": _At(losses.logitcrossentropy, (_SIGNED, _SHARES), _derive_logits),
    "labels": _At(losses.sparse_logitcrossentropy, (_SIGNED, _LABELS), lambda q, y: _derive_logits(q, np.eye(4)[y])),
    "binary logits": _At(losses.logitbinarycrossentropy, (_SIGNED, _FLAGS * _ONES), _derive_binary_logits),
    "hinge": _At(losses.hinge_loss, (_SIGNED, (2 * _FLAGS - 1) * _ONES), _derive_hinge),
    "squared hinge": _At(
        losses.squared_hinge_loss,
        (_SIGNED, (2 * _FLAGS - 1) * _ONES),
        lambda q, y: (_derive_hinge(q, y)[0] ** 2, 2 * _derive_hinge(q, y)[0] * _derive_hinge(q, y)[1]),
    ),
    "siamese": _At(losses.siamese_contrastive_loss, (_FAR, _FLAGS * _ONES), _derive_siamese),
    "cosine": _At(losses.cosine_similarity_loss, (_SIGNED, _B * _SIZES), _derive_cosine),
    "triplet": _At(
        partial(losses.triplet_margin_loss, epsilon=0.0),
        (_SIGNED, 2 * _B * _SIZES, -_C * _SIZES / 4),
        partial(_derive_triplet, epsilon=0.0),
    ),
    # The distances cancel: only the margin is left, or the epsilon that is added to each difference.
    "triplet, equally far": _At(losses.triplet_margin_loss, (_FAR[::2], 0 * _FAR[::2], 2 * _FAR[::2]), _derive_triplet),
    "triplet, coinciding": _At(
        losses.triplet_margin_loss, (_HUNDREDS, _HUNDREDS, _HUNDREDS + 0.125 * _SIGNS), _derive_triplet
    ),
    **{
        f"dice {exponent}": _At(losses.dice_coeff_loss, (_A * 2.0**exponent, _B), _derive_dice)
        for exponent in (60, -60, 100, -100)
    },
}


def _compute_values_and_slopes(*leaves: Any) -> dict[str, Any]:
    given, found = iter(leaves), {}
    for name, (loss, arrays, _) in _ASKED.items():
        first, *others = [next(given) for _ in arrays]

        def sum_values(q: Any, loss: Any = loss, others: list[Any] = others) -> tuple[Any, Any]:
            values = loss(q, *others, agg=None)
            return luxport.namespace(q).sum(values), values

        (_, values), slope = luxport.value_and_grad(sum_values, has_aux=True)(first)
        found[name] = _split_by_size(values, slope)
    return found


def _split_by_size(values: Any, slope: Any) -> dict[str, Any]:
    """Split arrays along the first axis by magnitude, as errors are compared with the largest number of an array."""
    parts = {"value": values, "slope": slope}
    if len(slope.shape) < 3:
        return parts
    return {f"{part} {i}": x[i, ...] for part, x in parts.items() for i in range(slope.shape[0])}


def _expect_formulas(*leaves: Any) -> dict[str, Any]:
    given, largest = iter(leaves), float(np.finfo(np.float32).max)

    def overflow(x: Any) -> Any:
        return np.where(np.abs(x) > largest, np.sign(x) * np.inf, x)

    found = {}
    for name, (_, arrays, formula) in _ASKED.items():
        exact = [np.asarray(array, np.int64 if array.dtype.kind == "i" else np.float64) for array in arrays]
        for _ in arrays:
            next(given)
        value, slope = formula(*exact)
        found[name] = _split_by_size(overflow(value), overflow(slope))
    return found


CASES: list[Case] = [
    check_program(
        "losses.of_any_size",
        ("mathematics: the formulas, and their slopes by the first array, in float64",),
        _compute_values_and_slopes,
        {f"{name}_{place}": array for name, (_, arrays, _) in _ASKED.items() for place, array in enumerate(arrays)},
        expected=_expect_formulas,
        tolerance=Tolerance(reduction=60, rounding=2.0**-125, reason="JAX and TensorFlow make 0 of subnormal numbers"),
        dtypes=("float32",),
        differentiates=True,
    )
]
