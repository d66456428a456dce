"""Variants of Adam: `RAdam`, `AdaMax`, `OAdam`, `AMSGrad`, `NAdam` and `AdaBelief`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from luxport.backend import Array, dtype_name, namespace
from luxport.optimizers._adam import AdamLike, Moments, adam_step, initial_moments, rounded_epsilon
from luxport.optimizers._making import explains_itself
from luxport.optimizers._rule import abs2, check_real, in_dtype_of, is_number, scalar_like

__all__ = ["AMSGrad", "AdaBelief", "AdaMax", "NAdam", "OAdam", "RAdam"]


@explains_itself
@dataclass(frozen=True)
class RAdam(AdamLike):
    """`Adam`, rectified: without the division by ``sqrt(v)`` until enough is known of v, then growing into it.

    With ``r∞ = 2 / (1 - beta2) - 1`` and ``r = r∞ - 2 t beta2^t / (1 - beta2^t)`` at the t-th step, the direction
    of Adam is multiplied by ``sqrt((r - 4) (r - 2) r∞ / ((r∞ - 4) (r∞ - 2) r))`` if r > 4, and is ``m / (1 - beta1^t)``
    alone if not. PyTorch starts at r > 5: one step later.

    State: as `Adam`, and t (), an int32, from 1
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``RAdam``; L. Liu et al. (2020)
    """

    def init(self, x: Array) -> tuple[Array, Array, Array, Array]:
        """Start from moments of 0."""
        xp = namespace(x)
        count = xp.astype(xp.real(scalar_like(x, 0.0)) if "complex" in dtype_name(x) else scalar_like(x, 0.0), xp.int32)
        return *initial_moments(self, x), count + 1

    def apply(
        self, state: tuple[Array, Array, Array, Array], x: Array, dx: Array
    ) -> tuple[tuple[Array, Array, Array, Array], Array]:
        """Move the moments, then step."""
        xp = namespace(x)
        *moments, t = state
        m, v, powers, rectified = _adam(moments, dx, self, 1.0)
        plain = m / (1.0 - moments[2][0])
        beta2, dtype = self.beta[1], _real_dtype(xp, x)
        beta2 = in_dtype_of(x, beta2) if is_number(beta2) else xp.astype(beta2, dtype)
        enough, factor = _rectification(xp, t, beta2, dtype)
        factor = xp.astype(factor, x.dtype)
        step = in_dtype_of(x, self.eta) * xp.where(enough, factor * rectified, plain)
        return (m, v, powers, t + 1), step


def _rectification(xp: Any, t: Array, beta2: Any, dtype: Any) -> tuple[Array, Array]:
    """Tell whether r > 4, and the factor if so.

    At beta2 = 0.999 the fourth r is 3.9975, and a difference of numbers near 2000: only if ``1 - beta2^t`` is exact to
    the last place does single precision see that it is below 4.
    """
    steps = xp.astype(t, dtype)
    beta2 = xp.zeros_like(steps) + beta2
    rest = -xp.expm1(steps * xp.log(beta2))
    longest = 2.0 / (1.0 - beta2) - 1.0
    length = longest - 2.0 * steps * (1.0 - rest) / rest
    enough = length > 4.0
    safe = xp.where(enough, length, xp.zeros_like(length) + 5.0)
    ratio = (safe - 4.0) * (safe - 2.0) / safe * (longest / ((longest - 4.0) * (longest - 2.0)))
    return enough, xp.sqrt(ratio)


@explains_itself
@dataclass(frozen=True)
class AdaMax(AdamLike):
    """Steps of ``eta / (1 - beta1^t) m / (u + epsilon)``, with a maximum in the place of Adam's second moment.

    First ``m = beta1 m + (1 - beta1) dx`` and ``u = max(beta2 u, |dx|)``. PyTorch has epsilon inside the maximum.

    State: m and u like x, from 0; powers (2,), from beta
    Raises: ValueError if eta is negative, or the parameters are complex
    Source: Optimisers.jl ``AdaMax``; D. P. Kingma, J. Ba (2015)
    """

    def init(self, x: Array) -> Moments:
        """Start from moments of 0."""
        check_real(self, x)
        return initial_moments(self, x)

    def apply(self, state: Moments, x: Array, dx: Array) -> tuple[Moments, Array]:
        """Move the moment and the maximum, then step."""
        xp = namespace(x)
        m, u, powers = state
        beta1, beta2 = (in_dtype_of(x, beta) for beta in self.beta)
        m = beta1 * m + (1.0 - beta1) * dx
        u = xp.maximum(beta2 * u, xp.abs(dx))
        step = in_dtype_of(x, self.eta) / (1.0 - powers[0]) * m / (u + rounded_epsilon(x, self.epsilon))
        return (m, u, _next_powers(xp, powers, beta1, beta2)), step


@explains_itself
@dataclass(frozen=True)
class OAdam(AdamLike):
    """Optimistic `Adam`, for adversarial training: twice Adam's step less the one before.

    State: as `Adam`, and Adam's last step like x, from 0
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``OAdam``; C. Daskalakis et al. (2018)
    """

    beta: tuple[float, float] = (0.5, 0.9)

    def init(self, x: Array) -> tuple[Array, Array, Array, Array]:
        """Start from moments of 0."""
        return *initial_moments(self, x), namespace(x).zeros_like(x)

    def apply(
        self, state: tuple[Array, Array, Array, Array], x: Array, dx: Array
    ) -> tuple[tuple[Array, Array, Array, Array], Array]:
        """Step as `Adam`, twice, and take the last step back."""
        *moments, last = state
        m, v, powers, step = _adam(moments, dx, self, self.eta)
        return (m, v, powers, step), 2.0 * step - last


@explains_itself
@dataclass(frozen=True)
class AMSGrad(AdamLike):
    """Steps of ``eta m / (sqrt(w) + epsilon)``, by the largest second moment so far and without bias corrections.

    First ``m = beta1 m + (1 - beta1) dx``, ``v = beta2 v + (1 - beta2) |dx|²`` and ``w = max(w, v)``.

    State: m, v and w like x, each from epsilon
    Raises: ValueError if eta is negative, or the parameters are complex
    Source: Optimisers.jl ``AMSGrad``; S. J. Reddi, S. Kale, S. Kumar (2018)
    """

    def init(self, x: Array) -> Moments:
        """Start from epsilon."""
        check_real(self, x)
        m, v, _ = initial_moments(self, x)
        epsilon = in_dtype_of(x, self.epsilon)
        return m + epsilon, v + epsilon, v + epsilon

    def apply(self, state: Moments, x: Array, dx: Array) -> tuple[Moments, Array]:
        """Move the moments, then step."""
        xp = namespace(x)
        m, v, largest = state
        beta1, beta2 = (in_dtype_of(x, beta) for beta in self.beta)
        m = beta1 * m + (1.0 - beta1) * dx
        v = beta2 * v + (1.0 - beta2) * abs2(dx)
        largest = xp.maximum(largest, v)
        step = in_dtype_of(x, self.eta) * m / (xp.sqrt(largest) + rounded_epsilon(x, self.epsilon))
        return (m, v, largest), step


@explains_itself
@dataclass(frozen=True)
class NAdam(AdamLike):
    """`Adam` with Nesterov's look ahead.

    Steps of ``eta (beta1 m / (1 - beta1^(t+1)) + (1 - beta1) dx / (1 - beta1^t)) / (sqrt(beta2 v / (1 - beta2^t)) +
    epsilon)``; PyTorch's has no beta2 under the root, and lets beta1 grow with t.

    State: as `Adam`
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``NAdam``; T. Dozat (2016)
    """

    def init(self, x: Array) -> Moments:
        """Start from moments of 0."""
        return initial_moments(self, x)

    def apply(self, state: Moments, x: Array, dx: Array) -> tuple[Moments, Array]:
        """Move the moments, then step."""
        xp = namespace(x)
        m, v, powers = state
        beta1, beta2 = (in_dtype_of(x, beta) for beta in self.beta)
        m = beta1 * m + (1.0 - beta1) * dx
        v = beta2 * v + (1.0 - beta2) * abs2(dx)
        ahead = beta1 * m / (1.0 - beta1 * powers[0]) + (1.0 - beta1) * dx / (1.0 - powers[0])
        root = xp.sqrt(v * beta2 / (1.0 - powers[1])) + rounded_epsilon(x, self.epsilon)
        return (m, v, _next_powers(xp, powers, beta1, beta2)), ahead / root * in_dtype_of(x, self.eta)


@explains_itself
@dataclass(frozen=True)
class AdaBelief(AdamLike):
    """`Adam` by the distance of the gradient from its mean: ``s = beta2 s + (1 - beta2) |dx - m|² + epsilon``.

    State: m and s like x, from 0; powers (2,), from beta
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``AdaBelief``; J. Zhuang et al. (2020)
    """

    epsilon: float = 1e-16

    def init(self, x: Array) -> Moments:
        """Start from moments of 0."""
        return initial_moments(self, x)

    def apply(self, state: Moments, x: Array, dx: Array) -> tuple[Moments, Array]:
        """Move the moments, then step."""
        xp = namespace(x)
        m, s, powers = state
        beta1, beta2 = (in_dtype_of(x, beta) for beta in self.beta)
        epsilon = rounded_epsilon(x, self.epsilon)
        m = beta1 * m + (1.0 - beta1) * dx
        s = beta2 * s + (1.0 - beta2) * abs2(dx - m) + epsilon
        step = in_dtype_of(x, self.eta) * m / (1.0 - powers[0]) / (xp.sqrt(s / (1.0 - powers[1])) + epsilon)
        return (m, s, _next_powers(xp, powers, beta1, beta2)), step


def _adam(moments: Any, dx: Array, rule: Any, eta: Any) -> tuple[Array, Array, Array, Array]:
    return adam_step(dx, *moments, eta=eta, beta=rule.beta, epsilon=rule.epsilon)


def _next_powers(xp: Any, powers: Array, beta1: Any, beta2: Any) -> Array:
    return xp.stack([beta1 * powers[0], beta2 * powers[1]])


def _real_dtype(xp: Any, x: Array) -> Any:
    """Return double precision if x has it, else single."""
    return xp.float64 if dtype_name(x) in ("float64", "complex128") else xp.float32
