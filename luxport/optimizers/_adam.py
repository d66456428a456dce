"""Adaptive moments: `Adam` and `AdamW`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from luxport.backend import Array, dtype_name, namespace
from luxport.ops._operation import operation
from luxport.optimizers._making import explains_itself
from luxport.optimizers._rule import abs2, check_eta, in_dtype_of, is_number, round_ahead, scalar_like

__all__ = ["Adam", "AdamLike", "AdamW", "Moments", "adam_step", "initial_moments", "rounded_epsilon"]

Moments: TypeAlias = tuple[Array, Array, Array]
"""``(m, v, powers)``: the two moments, and the powers of the two betas that the next step divides by."""


@explains_itself
@dataclass(frozen=True)
class AdamLike:
    """The hyper-parameters of `Adam` and most of its variants."""

    eta: float = 0.001
    beta: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        check_eta(self)


@explains_itself
@dataclass(frozen=True)
class Adam(AdamLike):
    """Steps of ``eta m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)``.

    The moments become ``m = beta1 m + (1 - beta1) dx`` and ``v = beta2 v + (1 - beta2) |dx|²`` first. In
    float16 epsilon is at least 1e-7, unless it is 0.

    State: m like x and v like x, from 0; powers (2,), from beta
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``Adam``; D. P. Kingma, J. Ba (2015)
    """

    def init(self, x: Array) -> Moments:
        """Start from moments of 0."""
        return initial_moments(self, x)

    def apply(self, state: Moments, x: Array, dx: Array) -> tuple[Moments, Array]:
        """Move the moments, then step."""
        *moments, step = adam_step(dx, *state, eta=self.eta, beta=self.beta, epsilon=self.epsilon)
        return tuple(moments), step  # type: ignore[return-value]


@explains_itself
@dataclass(frozen=True)
class AdamW:
    """`Adam` with weight decay: steps of ``eta (direction + lambda_ x)``, or ``eta direction + lambda_ x``.

    The first if `couple`, as in PyTorch and Optax; the second, with a decay that does not scale with eta, is
    the paper's.

    State: as `Adam`
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``AdamW``; I. Loshchilov, F. Hutter (2019)
    """

    eta: float = 0.001
    beta: tuple[float, float] = (0.9, 0.999)
    lambda_: float = 0.0
    epsilon: float = 1e-8
    couple: bool = True

    def __post_init__(self) -> None:
        check_eta(self)

    def init(self, x: Array) -> Moments:
        """Start from moments of 0."""
        round_ahead(x, self.lambda_)
        return initial_moments(self, x)

    def apply(self, state: Moments, x: Array, dx: Array) -> tuple[Moments, Array]:
        """Step as `Adam`, and toward 0."""
        *moments, step = adam_step(dx, *state, eta=self.eta, beta=self.beta, epsilon=self.epsilon)
        if not is_number(self.lambda_) or self.lambda_ != 0:
            decay = in_dtype_of(x, self.lambda_)
            step = step + (in_dtype_of(x, self.eta) * decay if self.couple else decay) * x
        return tuple(moments), step  # type: ignore[return-value]


@operation
def adam_step(
    dx: Array, m: Array, v: Array, powers: Array, *, eta: Any, beta: tuple[Any, Any], epsilon: Any
) -> tuple[Array, Array, Array, Array]:
    """Return the next moments and powers, and the step; eta, beta and epsilon are numbers, or arrays like x.

    Shapes: dx, m, v (...), powers (2,) -> m, v, powers, step (...)
    Source: Optimisers.jl ``Adam``
    """
    xp = namespace(dx)
    beta1, beta2 = in_dtype_of(dx, beta[0]), in_dtype_of(dx, beta[1])
    m = beta1 * m + (1.0 - beta1) * dx
    v = beta2 * v + (1.0 - beta2) * abs2(dx)
    direction = m / (1.0 - powers[0]) / (xp.sqrt(v / (1.0 - powers[1])) + rounded_epsilon(dx, epsilon))
    return m, v, xp.stack([beta1 * powers[0], beta2 * powers[1]]), direction * in_dtype_of(dx, eta)


def rounded_epsilon(x: Array, epsilon: Any) -> Any:
    """Round epsilon to the precision of x; the default would vanish in float16, and 0 / 0 with it."""
    if is_number(epsilon) and epsilon != 0 and dtype_name(x) == "float16":
        epsilon = max(epsilon, 1e-7)
    return in_dtype_of(x, epsilon)


def initial_moments(rule: AdamLike | AdamW, x: Array) -> Moments:
    """Start from moments of 0 and the first powers of beta."""
    round_ahead(x, rule.eta, *rule.beta, rule.epsilon, 1.0)
    rounded_epsilon(x, rule.epsilon)  # ahead as well
    xp = namespace(x)
    powers = xp.stack([scalar_like(x, in_dtype_of(x, beta)) for beta in rule.beta])
    return xp.zeros_like(x), xp.zeros_like(x), powers
