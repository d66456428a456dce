"""Variants of Adam: `RAdam`, `AdaMax`, `OAdam`, `AMSGrad`, `NAdam` and `AdaBelief`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from luxport.backend import Array, namespace
from luxport.backend.dtypes import choose_wider_dtype
from luxport.optimizers._adam import AdamLike, Moments, Powers, adam_step, round_epsilon
from luxport.optimizers._construction import explains_itself
from luxport.optimizers._root import take_root
from luxport.optimizers._rule_arithmetic import abs2, check_real, in_dtype_of, is_number

__all__ = ["AMSGrad", "AdaBelief", "AdaMax", "NAdam", "OAdam", "RAdam"]


@explains_itself
@dataclass(frozen=True)
class RAdam(AdamLike):
    """Rectified `Adam`: steps without the division by ``sqrt(v)`` until v is reliable, then with a growing factor.

    With ``r∞ = 2 / (1 - beta2) - 1`` and ``r = r∞ - 2 t beta2^t / (1 - beta2^t)`` at the t-th step, the direction
    of Adam is multiplied by ``sqrt((r - 4) (r - 2) r∞ / ((r∞ - 4) (r∞ - 2) r))`` if r > 4; otherwise the direction is
    ``m / (1 - beta1^t)``. PyTorch requires r > 5, which is one step later.

    Args:
        eta: the learning rate, at least 0
        beta: how much of the two moments each step keeps, as ``(beta1, beta2)``
        epsilon: a small number added to the divisor

    State: as `Adam`; shared as well, t (), an int32, from 1
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``RAdam``; L. Liu et al. (2020)
    """

    def start_clock(self, x: Array) -> tuple[Powers, Array]:
        """Start from the first powers of beta, and 1."""
        xp = namespace(x)
        return super().start_clock(x), xp.asarray(1, dtype=xp.int32)

    def tick(self, clock: tuple[Powers, Array]) -> tuple[Powers, Array]:
        """Return the next powers and t."""
        powers, t = clock
        return super().tick(powers), t + 1

    def apply_at(self, clock: tuple[Powers, Array], state: Moments, x: Array, dx: Array) -> tuple[Moments, Array]:
        """Update the moments, then step."""
        xp = namespace(x)
        powers, t = clock
        m, v, rectified = _step_adam(powers, state, dx, self, 1.0)
        plain = m / (1.0 - in_dtype_of(x, powers[0]))
        beta2, dtype = self.beta[1], choose_wider_dtype(xp, x)
        beta2 = in_dtype_of(x, beta2) if is_number(beta2) else xp.astype(beta2, dtype)
        enough, factor = _rectify(xp, t, beta2, dtype)
        factor = xp.astype(factor, x.dtype)
        return (m, v), in_dtype_of(x, self.eta) * xp.where(enough, factor * rectified, plain)


def _rectify(xp: Any, t: Array, beta2: Any, dtype: Any) -> tuple[Array, Array]:
    """Return whether r > 4, and the factor if so.

    With beta2 = 0.999 the fourth r is 3.9975, a difference of numbers near 2000. In single precision it comes out
    below 4 only if ``1 - beta2^t`` is exact to the last bit, hence `expm1`.
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
    """Steps of ``eta / (1 - beta1^t) m / (u + epsilon)``, with a maximum in place of Adam's second moment.

    First ``m = beta1 m + (1 - beta1) dx`` and ``u = max(beta2 u, |dx|)``. PyTorch has epsilon inside the maximum.

    Args:
        eta: the learning rate, at least 0
        beta: how much of the moment and of the maximum each step keeps, as ``(beta1, beta2)``
        epsilon: a small number added to the divisor

    State: m and u like x, from 0; shared, the powers of beta
    Raises: ValueError if eta is negative, or the parameters are complex
    Source: Optimisers.jl ``AdaMax``; D. P. Kingma, J. Ba (2015)
    """

    def start(self, x: Array) -> Moments:
        """Start from moments of 0."""
        check_real(self, x)
        return super().start(x)

    def apply_at(self, clock: Powers, state: Moments, x: Array, dx: Array) -> tuple[Moments, Array]:
        """Update the moment and the maximum, then step."""
        xp = namespace(x)
        m, u = state
        beta1, beta2 = (in_dtype_of(x, beta) for beta in self.beta)
        m = beta1 * m + (1.0 - beta1) * dx
        u = xp.maximum(beta2 * u, xp.abs(dx))
        rest = 1.0 - in_dtype_of(x, clock[0])
        return (m, u), in_dtype_of(x, self.eta) / rest * m / (u + round_epsilon(x, self.epsilon))


@explains_itself
@dataclass(frozen=True)
class OAdam(AdamLike):
    """Optimistic `Adam`, for adversarial training: twice Adam's step minus its previous step.

    Args:
        eta: the learning rate, at least 0
        beta: how much of the two moments each step keeps, as ``(beta1, beta2)``
        epsilon: a small number added to the divisor

    State: as `Adam`, and Adam's last step like x, from 0
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``OAdam``; C. Daskalakis et al. (2018)
    """

    beta: tuple[float, float] = (0.5, 0.9)

    def start(self, x: Array) -> tuple[Array, Array, Array]:
        """Start from moments of 0."""
        return *super().start(x), namespace(x).zeros_like(x)

    def apply_at(
        self, clock: Powers, state: tuple[Array, Array, Array], x: Array, dx: Array
    ) -> tuple[tuple[Array, Array, Array], Array]:
        """Take Adam's step twice, and subtract its previous step."""
        m, v, last = state
        m, v, step = _step_adam(clock, (m, v), dx, self, self.eta)
        return (m, v, step), 2.0 * step - last


@explains_itself
@dataclass(frozen=True)
class AMSGrad(AdamLike):
    """Steps of ``eta m / (sqrt(w) + epsilon)``, where w is the largest second moment so far; no bias correction.

    First ``m = beta1 m + (1 - beta1) dx``, ``v = beta2 v + (1 - beta2) |dx|²`` and ``w = max(w, v)``.

    Args:
        eta: the learning rate, at least 0
        beta: how much of the two moments each step keeps, as ``(beta1, beta2)``
        epsilon: a small number added to the divisor

    State: m, v and w like x, each from epsilon
    Raises: ValueError if eta is negative, or the parameters are complex
    Source: Optimisers.jl ``AMSGrad``; S. J. Reddi, S. Kale, S. Kumar (2018)
    """

    def start_clock(self, x: Array) -> None:
        """Keep no powers: there is no bias correction."""

    def tick(self, clock: None) -> None:
        """Keep no powers."""

    def start(self, x: Array) -> tuple[Array, Array, Array]:
        """Start from epsilon."""
        check_real(self, x)
        m, v = super().start(x)
        epsilon = in_dtype_of(x, self.epsilon)
        return m + epsilon, v + epsilon, v + epsilon

    def apply_at(
        self, clock: None, state: tuple[Array, Array, Array], x: Array, dx: Array
    ) -> tuple[tuple[Array, Array, Array], Array]:
        """Update the moments, then step."""
        xp = namespace(x)
        m, v, largest = state
        beta1, beta2 = (in_dtype_of(x, beta) for beta in self.beta)
        m = beta1 * m + (1.0 - beta1) * dx
        v = beta2 * v + (1.0 - beta2) * abs2(dx)
        largest = xp.maximum(largest, v)
        step = in_dtype_of(x, self.eta) * m / (take_root(largest) + round_epsilon(x, self.epsilon))
        return (m, v, largest), step


@explains_itself
@dataclass(frozen=True)
class NAdam(AdamLike):
    """`Adam` with Nesterov momentum.

    Steps of ``eta (beta1 m / (1 - beta1^(t+1)) + (1 - beta1) dx / (1 - beta1^t)) / (sqrt(beta2 v / (1 - beta2^t)) +
    epsilon)``. PyTorch's rule has no beta2 under the root, and its beta1 grows with t.

    Args:
        eta: the learning rate, at least 0
        beta: how much of the two moments each step keeps, as ``(beta1, beta2)``
        epsilon: a small number added to the divisor

    State: as `Adam`
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``NAdam``; T. Dozat (2016)
    """

    def apply_at(self, clock: Powers, state: Moments, x: Array, dx: Array) -> tuple[Moments, Array]:
        """Update the moments, then step."""
        m, v = state
        beta1, beta2 = (in_dtype_of(x, beta) for beta in self.beta)
        power1, power2 = (in_dtype_of(x, power) for power in clock)
        m = beta1 * m + (1.0 - beta1) * dx
        v = beta2 * v + (1.0 - beta2) * abs2(dx)
        ahead = beta1 * m / (1.0 - beta1 * power1) + (1.0 - beta1) * dx / (1.0 - power1)
        root = take_root(v * beta2 / (1.0 - power2)) + round_epsilon(x, self.epsilon)
        return (m, v), ahead / root * in_dtype_of(x, self.eta)


@explains_itself
@dataclass(frozen=True)
class AdaBelief(AdamLike):
    """`Adam` with the gradient's variance as second moment: ``s = beta2 s + (1 - beta2) |dx - m|² + epsilon``.

    Args:
        eta: the learning rate, at least 0
        beta: how much of the two moments each step keeps, as ``(beta1, beta2)``
        epsilon: a small number added to the second moment and to the divisor

    State: m and s like x, from 0; shared, the powers of beta
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``AdaBelief``; J. Zhuang et al. (2020)
    """

    epsilon: float = 1e-16

    def apply_at(self, clock: Powers, state: Moments, x: Array, dx: Array) -> tuple[Moments, Array]:
        """Update the moments, then step."""
        xp = namespace(x)
        m, s = state
        beta1, beta2 = (in_dtype_of(x, beta) for beta in self.beta)
        power1, power2 = (in_dtype_of(x, power) for power in clock)
        epsilon = round_epsilon(x, self.epsilon)
        m = beta1 * m + (1.0 - beta1) * dx
        s = beta2 * s + (1.0 - beta2) * abs2(dx - m) + epsilon
        step = in_dtype_of(x, self.eta) * m / (1.0 - power1) / (xp.sqrt(s / (1.0 - power2)) + epsilon)
        return (m, s), step


def _step_adam(powers: Powers, moments: Moments, dx: Array, rule: Any, eta: Any) -> tuple[Array, Array, Array]:
    return adam_step(dx, *moments, powers=powers, eta=eta, beta=rule.beta, epsilon=rule.epsilon)
