"""What a rule is, and the arithmetic that all rules share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from luxport.backend import Array, backend_of, dtype_name, namespace
from luxport.tree import Tree

__all__ = [
    "Compound",
    "HigherOrder",
    "Replacement",
    "Rule",
    "StepIf",
    "abs2",
    "apply_rule",
    "check_eta",
    "check_real",
    "in_dtype_of",
    "is_number",
    "round_ahead",
    "round_in_all_dtypes",
    "scalar_like",
    "subtract",
]


class Rule(Protocol):
    """A hashable value, best a frozen dataclass of hyper-parameters, that optimizes one array.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from luxport import optimizers
    >>> @dataclass(frozen=True)
    ... class SignDescent:
    ...     eta: float = 0.1
    ...     def init(self, x):
    ...         return None
    ...     def apply(self, state, x, dx):
    ...         return state, in_dtype_of(x, self.eta) * namespace(x).sign(dx)
    >>> ps = {"weight": np.ones(2)}
    >>> state = optimizers.setup(SignDescent(0.5), ps)
    >>> optimizers.update(state, ps, {"weight": np.array([3.0, -4.0])})[1]
    {'weight': array([0.5, 1.5])}
    """

    def init(self, x: Array) -> Tree:
        """Make the state for an array: a tree of arrays, or None."""
        ...

    def apply(self, state: Tree, x: Array, dx: Array) -> tuple[Tree, Step]:
        """Return the next state and the step to subtract from x, or None for no step; dx has the dtype of x."""
        ...


class HigherOrder(ABC):
    """A rule that takes more than the gradient: whatever further trees `update` was given, in their order.

    Other rules are not shown them.
    """

    @abstractmethod
    def apply(self, state: Tree, x: Array, dx: Array, *more: Array) -> tuple[Tree, Step]:
        """Return the next state and the step."""


class Compound(HigherOrder):
    """A rule made of other rules."""

    @property
    @abstractmethod
    def inner_rules(self) -> tuple[Rule, ...]:
        """The rules it is made of."""

    @abstractmethod
    def map_rules(self, f: Callable[[Rule], Rule]) -> Rule:
        """Return the same, made of ``f(rule)`` for each of them."""


class StepIf(NamedTuple):
    """A step that is taken only where a scalar condition holds; a compiled program learns it when it runs.

    The rules after it in a chain step as well, and keep their states unless the condition holds.
    """

    condition: Array
    step: Array


class Replacement(NamedTuple):
    """New values of a parameter in place of a step, where subtraction would round them."""

    x: Array


Step = Array | StepIf | Replacement | None


def apply_rule(rule: Rule, state: Tree, x: Array, dx: Array, more: tuple[Array, ...]) -> tuple[Tree, Step]:
    """Apply a rule, with the further gradients if it takes them."""
    return rule.apply(state, x, dx, *more) if more and isinstance(rule, HigherOrder) else rule.apply(state, x, dx)


def subtract(x: Array, step: Step) -> Array:
    """Take a step from x."""
    if step is None:
        return x
    if isinstance(step, Replacement):
        return step.x
    if isinstance(step, StepIf):
        return namespace(x).where(step.condition, x - step.step, x)
    return x - step


def in_dtype_of(x: Array, value: Any) -> Any:
    """Round a hyper-parameter to the precision of x, so that arithmetic such as ``1 - beta`` starts from there.

    A hyper-parameter that is an array, as `adjust` can make it, becomes one of the dtype of x.

    >>> import numpy as np
    >>> in_dtype_of(np.ones(1, np.float32), 0.9)
    0.8999999761581421
    """
    if not is_number(value):
        return value if value.dtype == x.dtype else backend_of(x, value).xp.astype(value, x.dtype)
    key = (dtype_name(x), value)
    try:
        known = _ROUNDED.get(key)
    except TypeError:  # torch.compile's stand-in for a number that has changed since it last compiled: no key
        return scalar_like(x, value)
    if known is None:
        finfo = namespace(x).finfo(x.dtype)
        precision = _PRECISIONS[key[0]] = float(finfo.eps), float(finfo.smallest_normal)
        known = _remember(key, precision)
    return known


def round_ahead(x: Array, *values: float) -> None:
    """Round hyper-parameters early: `torch.compile` compiles again if it sees the table of them grow."""
    for value in values:
        in_dtype_of(x, value)


def round_in_all_dtypes(values: Any) -> None:
    """Round hyper-parameters early, for every dtype that parameters have had so far."""
    for value in values if isinstance(values, tuple) else (values,):
        for dtype, precision in _PRECISIONS.items():
            _remember((dtype, value), precision)


def _remember(key: tuple[str, float], precision: tuple[float, float]) -> float:
    if key in _ROUNDED:
        return _ROUNDED[key]
    if len(_ROUNDED) >= MOST_ROUNDED:  # a loop may adjust forever
        del _ROUNDED[next(iter(_ROUNDED))]
    rounded = _ROUNDED[key] = _round(key[1], *precision)
    return rounded


def is_number(value: Any) -> bool:
    """Tell a number of Python's from an array."""
    return isinstance(value, (int, float))


def abs2(x: Array) -> Array:
    """Return ``|x|²`` in the dtype of x."""
    if "complex" not in dtype_name(x):
        return x * x
    xp = namespace(x)
    real, imaginary = xp.real(x), xp.imag(x)
    return xp.astype(real * real + imaginary * imaginary, x.dtype)


def scalar_like(x: Array, value: float, dtype: Any = None) -> Array:
    """Make an array without axes on the device of x, in its dtype unless told another."""
    xp = namespace(x)
    zero = xp.sum(xp.zeros_like(x), dtype=x.dtype)
    return (zero if dtype is None else xp.astype(zero, dtype)) + value


def check_eta(rule: Any) -> None:
    """Expect a learning rate that is not negative."""
    if is_number(rule.eta) and rule.eta < 0:
        raise ValueError(f"{type(rule).__name__} expects a learning rate eta >= 0, got {rule.eta}")


def check_real(rule: Any, x: Array) -> None:
    """Expect parameters that have an order."""
    if "complex" in dtype_name(x):
        raise ValueError(f"{type(rule).__name__} expects real parameters, got {dtype_name(x)}")


MOST_ROUNDED = 10_000
_ROUNDED: dict[tuple[str, float], float] = {}
_PRECISIONS: dict[str, tuple[float, float]] = {}


def _round(value: float, eps: float, smallest_normal: float) -> float:
    """Round to the nearest multiple of the spacing of floats at value, ties to even; below the normal ones too."""
    spacing = eps * 2.0 ** (math.frexp(value)[1] - 1)
    spacing = max(spacing, eps * smallest_normal)
    return round(value / spacing) * spacing
