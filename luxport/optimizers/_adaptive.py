"""Learning rates that follow the size of the gradients: `RMSProp`, `AdaGrad` and `AdaDelta`."""

from __future__ import annotations

from dataclasses import dataclass

from luxport.backend import Array, dtype_name, namespace
from luxport.optimizers._adam import round_epsilon
from luxport.optimizers._construction import explains_itself
from luxport.optimizers._root import take_root
from luxport.optimizers._rule_arithmetic import abs2, in_dtype_of

__all__ = ["AdaDelta", "AdaGrad", "RMSProp"]


@explains_itself
@dataclass(frozen=True)
class RMSProp:
    """Steps of ``eta dx / (sqrt(q) + epsilon)``, after ``q = rho q + (1 - rho) |dx|²``.

    The centered rule divides by the root of the variance ``q - |l|²`` instead, where ``l = rho l + (1 - rho) dx``.
    PyTorch calls rho alpha (0.99 by default); Keras adds epsilon under the root.

    Args:
        eta: the learning rate, at least 0
        rho: how much of the mean square each step keeps
        epsilon: a small number added to the divisor
        centered: whether the variance is taken in place of the mean square

    State: q like x, from 0; l likewise if `centered`, else None
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``RMSProp``; T. Tieleman, G. Hinton (2012); A. Graves (2013) for the centered one
    """

    eta: float = 0.001
    rho: float = 0.9
    epsilon: float = 1e-8
    centered: bool = False

    def init(self, x: Array) -> tuple[Array, Array | None]:
        """Start from moments of 0."""
        xp = namespace(x)
        return xp.zeros_like(x), xp.zeros_like(x) if self.centered else None

    def apply(self, state: tuple[Array, Array | None], x: Array, dx: Array) -> tuple[tuple[Array, Array | None], Array]:
        """Update the moments, then step."""
        xp = namespace(x)
        rho = in_dtype_of(x, self.rho)
        square, mean = state
        square = rho * square + (1.0 - rho) * abs2(dx)
        variance = square
        if mean is not None:
            mean = rho * mean + (1.0 - rho) * dx
            variance = square - abs2(mean)
            if "complex" not in dtype_name(x):  # rounding makes it negative where gradients hardly change
                variance = xp.maximum(variance, xp.zeros_like(variance))
        step = dx * in_dtype_of(x, self.eta) / (take_root(variance) + round_epsilon(x, self.epsilon))
        return (square, mean), step


@explains_itself
@dataclass(frozen=True)
class AdaGrad:
    """Steps of ``eta dx / (sqrt(sum of all |dx|²) + epsilon)``.

    Args:
        eta: the learning rate, at least 0
        epsilon: a small number added to the divisor

    State: the sum like x, from epsilon
    Raises: ValueError if eta is negative
    Source: Optimisers.jl ``AdaGrad``; J. Duchi, E. Hazan, Y. Singer (2011)
    """

    eta: float = 0.1
    epsilon: float = 1e-8

    def init(self, x: Array) -> Array:
        """Start from epsilon."""
        return namespace(x).zeros_like(x) + in_dtype_of(x, self.epsilon)

    def apply(self, state: Array, x: Array, dx: Array) -> tuple[Array, Array]:
        """Add to the sum, then step."""
        total = state + abs2(dx)
        root = take_root(total) + round_epsilon(x, self.epsilon)
        return total, dx * in_dtype_of(x, self.eta) / root


@explains_itself
@dataclass(frozen=True)
class AdaDelta:
    """Steps of ``dx sqrt(u + epsilon) / sqrt(q + epsilon)``, without a learning rate.

    Before the step ``q = rho q + (1 - rho) |dx|²``, after it ``u = rho u + (1 - rho) |step|²``.

    Args:
        rho: how much of the mean squares each step keeps
        epsilon: a small number added to both mean squares

    State: q and u like x, from 0
    Source: Optimisers.jl ``AdaDelta``; M. D. Zeiler (2012)
    """

    rho: float = 0.9
    epsilon: float = 1e-8

    def init(self, x: Array) -> tuple[Array, Array]:
        """Start from moments of 0."""
        xp = namespace(x)
        return xp.zeros_like(x), xp.zeros_like(x)

    def apply(self, state: tuple[Array, Array], x: Array, dx: Array) -> tuple[tuple[Array, Array], Array]:
        """Update the gradients' mean square, step, and update the steps' mean square."""
        xp = namespace(x)
        rho, epsilon = in_dtype_of(x, self.rho), round_epsilon(x, self.epsilon)
        gradients, steps = state
        gradients = rho * gradients + (1.0 - rho) * abs2(dx)
        step = dx * xp.sqrt(steps + epsilon) / xp.sqrt(gradients + epsilon)
        steps = rho * steps + (1.0 - rho) * abs2(step)
        return (gradients, steps), step
