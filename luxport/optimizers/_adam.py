"""Adaptive moments: `Adam` and `AdamW`."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from luxport.backend import Array, dtype_name, namespace
from luxport.ops._operation import operation
from luxport.optimizers._construction import explains_itself
from luxport.optimizers._hyperparameters import make_scalars_like
from luxport.optimizers._root import take_root
from luxport.optimizers._rule import Batched, Clocked
from luxport.optimizers._rule_arithmetic import abs2, expect_arrays_of_floats, in_dtype_of, is_number

__all__ = ["Adam", "AdamLike", "AdamW", "Moments", "Powers", "adam_step", "adam_update", "round_epsilon"]

Moments: TypeAlias = tuple[Array, Array]
"""``(m, v)``."""

Powers: TypeAlias = tuple[Array, Array]
"""``(beta1^t, beta2^t)``, for the bias corrections of step t."""


class _WithMoments(Clocked):
    """A rule with two moments, which start from 0, and with the powers of beta as its clock."""

    beta: tuple[float, float]

    def start_clock(self, x: Array) -> Any:
        """Start from the first powers of beta."""
        return make_scalars_like(x, self.beta)

    def start(self, x: Array) -> Any:
        """Start from moments of 0."""
        xp = namespace(x)
        return xp.zeros_like(x), xp.zeros_like(x)

    def tick(self, clock: Any) -> Any:
        """Return the next powers."""
        return _multiply_powers(self.beta, clock)


@explains_itself
@dataclass(frozen=True)
class AdamLike(_WithMoments):
    """A variant of `Adam`, with its hyper-parameters, moments and powers of beta."""

    eta: float = 0.001
    beta: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8


class _AdamSteps(_WithMoments, Batched):
    """The steps that `Adam` and `AdamW` take; the latter adds a decay."""

    eta: float
    epsilon: float

    def apply_at(self, clock: Powers, state: Moments, x: Array, dx: Array) -> tuple[Moments, Array]:
        """Update the moments, then step."""
        m, v, step = adam_step(dx, *state, powers=clock, eta=self.eta, beta=self.beta, epsilon=self.epsilon)
        decay = self._choose_decay(x)
        return (m, v), step if decay is None else step + decay * x

    def update_all(
        self, clock: Powers, states: Sequence[Moments], xs: Sequence[Array], dxs: Sequence[Array], *, in_place: bool
    ) -> tuple[list[Moments], list[Array]]:
        """Step all arrays; return the given lists themselves if a backend has overwritten all their arrays."""
        ms, vs = zip(*states, strict=True)
        found = adam_update(
            *(*xs, *dxs, *ms, *vs),
            powers=clock,
            eta=self.eta,
            beta=self.beta,
            epsilon=self.epsilon,
            decay=self._choose_decay(xs[0]),
            in_place=in_place,
        )
        n = len(xs)
        if in_place and all(map(operator.is_, found, (*xs, *ms, *vs))):
            return states, xs  # type: ignore[return-value]
        return list(zip(found[n : 2 * n], found[2 * n :], strict=True)), list(found[:n])

    def _choose_decay(self, x: Array) -> Any:
        """Return the factor of x that is added to a step, or None for no decay."""
        return None


@explains_itself
@dataclass(frozen=True)
class Adam(_AdamSteps, AdamLike):
    """Steps of ``eta m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)``.

    First the moments are updated: ``m = beta1 m + (1 - beta1) dx`` and ``v = beta2 v + (1 - beta2) |dx|²``. In
    float16 an epsilon other than 0 counts as at least 1e-7.

    Args:
        eta: the learning rate, at least 0
        beta: how much of the two moments each step keeps, as ``(beta1, beta2)``
        epsilon: a small number added to the divisor

    State: m like x and v like x, from 0; shared, the two powers of beta (), from beta
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``Adam``; D. P. Kingma, J. Ba (2015)
    """


@explains_itself
@dataclass(frozen=True)
class AdamW(_AdamSteps):
    """`Adam` with weight decay: steps of ``eta (direction + lambda_ x)``, or ``eta direction + lambda_ x``.

    Args:
        eta: the learning rate, at least 0
        beta: how much of the two moments each step keeps, as ``(beta1, beta2)``
        lambda_: how strong the decay is
        epsilon: a small number added to the divisor
        couple: whether eta scales the decay, as in PyTorch and Optax, or not, as in the paper

    State: as `Adam`
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``AdamW``; I. Loshchilov, F. Hutter (2019)
    """

    eta: float = 0.001
    beta: tuple[float, float] = (0.9, 0.999)
    lambda_: float = 0.0
    epsilon: float = 1e-8
    couple: bool = True

    def _choose_decay(self, x: Array) -> Any:
        decay = in_dtype_of(x, self.lambda_)
        return in_dtype_of(x, self.eta) * decay if self.couple else decay


@operation(check=expect_arrays_of_floats, early=False)
def adam_update(
    *arrays: Array,
    powers: Powers,
    eta: Any,
    beta: tuple[Any, Any],
    epsilon: Any,
    decay: Any,
    in_place: bool,
) -> tuple[Array, ...]:
    """Step n arrays by Adam, given them, their gradients and their two moments.

    A decay is a scalar: ``decay x`` is added to the step. If `in_place`, a backend may overwrite the arrays and the
    moments, but not the gradients; this definition overwrites nothing.

    Shapes: n x (...), n dx (...), n m (...), n v (...) -> n x, n m, n v (...)
    Source: Optimisers.jl ``Adam``
    """
    n = len(arrays) // 4
    xs, dxs, ms, vs = arrays[:n], arrays[n : 2 * n], arrays[2 * n : 3 * n], arrays[3 * n :]
    constants = _compute_constants(dxs[0], powers, eta, beta, epsilon)
    new_xs, new_ms, new_vs = [], [], []
    for x, dx, m, v in zip(xs, dxs, ms, vs, strict=True):
        m, v, step = _step(dx, m, v, constants)
        new_xs.append(x - (step if decay is None else step + decay * x))
        new_ms.append(m)
        new_vs.append(v)
    return (*new_xs, *new_ms, *new_vs)


@operation(check=expect_arrays_of_floats, early=False)
def adam_step(
    dx: Array, m: Array, v: Array, *, powers: Powers, eta: Any, beta: tuple[Any, Any], epsilon: Any
) -> tuple[Array, Array, Array]:
    """Return the next moments and the step; eta, beta and epsilon are numbers, or arrays without axes.

    Shapes: dx, m, v (...) -> m, v, step (...)
    Source: Optimisers.jl ``Adam``
    """
    return _step(dx, m, v, _compute_constants(dx, powers, eta, beta, epsilon))


class _Constants(NamedTuple):
    """The scalars of a step of Adam; `rest` is 1 - beta, `correction` is 1 - beta^t."""

    beta1: Any
    beta2: Any
    rest1: Any
    rest2: Any
    correction1: Any
    correction2: Any
    epsilon: Any
    eta: Any


def _compute_constants(dx: Array, powers: Powers, eta: Any, beta: tuple[Any, Any], epsilon: Any) -> _Constants:
    beta1, beta2 = in_dtype_of(dx, beta[0]), in_dtype_of(dx, beta[1])
    power1, power2 = in_dtype_of(dx, powers[0]), in_dtype_of(dx, powers[1])
    return _Constants(
        *(beta1, beta2, 1.0 - beta1, 1.0 - beta2, 1.0 - power1, 1.0 - power2),
        *(round_epsilon(dx, epsilon), in_dtype_of(dx, eta)),
    )


def _step(dx: Array, m: Array, v: Array, by: _Constants) -> tuple[Array, Array, Array]:
    """Return the next moments and the step."""
    m = by.beta1 * m + by.rest1 * dx
    v = by.beta2 * v + by.rest2 * abs2(dx)
    direction = m / by.correction1 / (take_root(v / by.correction2) + by.epsilon)
    return m, v, direction * by.eta


def round_epsilon(x: Array, epsilon: Any) -> Any:
    """Round epsilon to the precision of x; in float16 the default would become 0, and a step 0 / 0."""
    if dtype_name(x) == "float16":
        if is_number(epsilon):
            epsilon = max(epsilon, 1e-7) if epsilon != 0 else epsilon
        else:
            xp = namespace(x)
            epsilon = xp.where(epsilon == 0.0, epsilon, xp.maximum(epsilon, xp.full_like(epsilon, 1e-7)))
    return in_dtype_of(x, epsilon)


def _multiply_powers(beta: tuple[Any, Any], powers: Powers) -> Powers:
    return in_dtype_of(powers[0], beta[0]) * powers[0], in_dtype_of(powers[1], beta[1]) * powers[1]
